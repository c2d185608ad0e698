"""The floor of a row: the operations of its necessary matrix products over the GEMM rate.

A layer is written as the matrix product of its forward pass: (rows, k) times (k, n). A dense layer
has `rows` = batch, k = inputs, n = outputs. A 4x4 convolution of stride 2 has rows = batch x output
pixels, k = 16 x input channels, n = output channels; its transpose has rows = batch x input pixels,
k = input channels, n = 16 x output channels (products over zero padding are counted, as a matrix
product makes them). The three products of a layer cost the same, 2 * rows * k * n operations:

- forward:          x @ W           (rows, k) (k, n)
- weight gradient:  x^T @ dy        (k, rows) (rows, n)
- input gradient:   dy @ W^T        (rows, n) (n, k), not needed of the layer that meets the data

With F the forward operations of a network, F_1 of its first layer and F_L of its last, and a
piecewise linear critic (its activations have no second derivative, so nothing flows back through
its forward pass), one iteration of a GAN needs, for each example:

- critic update, n_critic times:
    F(G)                                    fakes, no gradient
    2 * [3 F(D) - F_1(D)]                   real and fake: forward, weight and input gradients
  and with the penalty of WGAN-GP
    F(D) - F_L(D) + F(D)                    at the interpolates: forward for the activations' signs,
                                            then the gradient with respect to x, all layers
    [F(D) - F_L(D)] + F(D)                  parameter gradient of the penalty: its directional
                                            derivative (forward), then weight gradients
- generator update:
    3 F(G) - F_1(G) + 2 F(D)                forward and backward through both, no critic weights

An autoencoder update needs 3 F - F_1. Everything else (activations, norms, Adam, noise, indexing)
counts as free, so the floor cannot be reached; it is far where memory traffic or small shapes rule.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Product(NamedTuple):
    """`number` products of (m, k) by (k, n)."""

    m: int
    k: int
    n: int
    number: float = 1

    @property
    def flops(self) -> float:
        """Counts the multiplications and additions of all of them."""
        return 2.0 * self.m * self.k * self.n * self.number


Network = Sequence[Product]  # forward products, first layer first


def dense(batch: int, widths: Sequence[int]) -> list[Product]:
    """Counts the forward products of dense layers from widths[0] inputs to widths[-1] outputs."""
    return [Product(batch, k, n) for k, n in pairwise(widths)]


def forward(network: Network) -> list[Product]:
    """Returns the products of the forward pass."""
    return list(network)


def weight_gradients(network: Network) -> list[Product]:
    """Returns x^T @ dy of every layer."""
    return [Product(p.k, p.m, p.n, p.number) for p in network]


def input_gradients(network: Network) -> list[Product]:
    """Returns dy @ W^T of every layer."""
    return [Product(p.m, p.n, p.k, p.number) for p in network]


def times(factor: float, products: Sequence[Product]) -> list[Product]:
    """Returns the products `factor` times."""
    return [p._replace(number=p.number * factor) for p in products]


def gan(generator: Network, critic: Network, n_critic: int = 1) -> list[Product]:
    """Counts an iteration's products without a penalty: critic updates, a generator update."""
    critic_update = [
        *forward(generator),
        *times(2, [*forward(critic), *weight_gradients(critic), *input_gradients(critic[1:])]),
    ]
    generator_update = [
        *forward(generator),
        *weight_gradients(generator),
        *input_gradients(generator[1:]),
        *forward(critic),
        *input_gradients(critic),
    ]
    return merged([*times(n_critic, critic_update), *generator_update])


def wgan_gp(generator: Network, critic: Network, n_critic: int) -> list[Product]:
    """Counts an iteration's products: those of `gan`, and of a penalty for each critic update."""
    penalty = [
        *forward(critic[:-1]),
        *input_gradients(critic),
        *forward(critic[:-1]),
        *weight_gradients(critic),
    ]
    return merged([*gan(generator, critic, n_critic), *times(n_critic, penalty)])


def update(network: Network) -> list[Product]:
    """Counts the products of an update behind embeddings, which have a gradient as well."""
    return merged([*forward(network), *weight_gradients(network), *input_gradients(network)])


def autoencoder(network: Network) -> list[Product]:
    """Counts the products of one update of a network whose first layer meets the data."""
    return merged([*forward(network), *weight_gradients(network), *input_gradients(network[1:])])


def transformer_layers(
    batch: int, length: int, num_layers: int, num_heads: int, width: int
) -> list[Product]:
    """Counts the forward products of layers whose places see all others, 4 times as wide inside."""
    tokens, heads, size = batch * length, batch * num_heads, width // num_heads
    layer = [
        Product(tokens, width, 3 * width), Product(tokens, width, width),
        Product(tokens, width, 4 * width), Product(tokens, 4 * width, width),
        Product(length, size, length, heads), Product(length, length, size, heads),
    ]  # fmt: skip
    return times(num_layers, layer)


def merged(products: Sequence[Product]) -> list[Product]:
    """Returns one entry for each shape."""
    counts: dict[tuple[int, int, int], float] = {}
    for p in products:
        counts[p.m, p.k, p.n] = counts.get((p.m, p.k, p.n), 0) + p.number
    return [Product(*shape, count) for shape, count in counts.items()]


def flops(products: Sequence[Product]) -> float:
    """Counts the operations of all products."""
    return sum(p.flops for p in products)
