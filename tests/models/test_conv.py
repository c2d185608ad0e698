"""The convolutions against Flax's own: outputs, parameters, gradients, second derivatives."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models.conv import LOWERINGS, Conv, ConvTranspose

PAIRS = [(Conv, nn.Conv), (ConvTranspose, nn.ConvTranspose)]
PADDINGS = ["SAME", "VALID", ((1, 2), (0, 1))]
SHAPE = (2, 7, 6, 3)  # an odd and an even size


def draw(seed, shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def close(actual, expected, rtol=2e-5):
    scale = max(float(jnp.abs(expected).max()), 1e-3)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("pair", PAIRS, ids=["conv", "transpose"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
def test_output_and_gradients_equal_flax(pair, kernel, stride):
    # Another kernel height and, for odd kernels, another stride along the other axis.
    kernel_size, strides = (kernel, 6 - kernel), (stride, stride + kernel % 2)
    x = draw(0, SHAPE)

    def all_of(module_class, variables, **kwargs):
        """Output, its gradients by parameters and input, for every padding."""
        results = []
        for padding in PADDINGS:
            module = module_class(4, kernel_size, strides, padding=padding, **kwargs)

            def value(params, x, module=module):
                y = module.apply({"params": params}, x)
                return jnp.sin(y).sum(), y

            results.append(jax.grad(value, (0, 1), has_aux=True)(variables["params"], x))
        return results

    ours, flax_class = pair
    variables = flax_class(4, kernel_size, strides).init(jax.random.key(0), x)
    variables["params"]["bias"] = draw(1, (4,))
    expected = jax.jit(lambda v: all_of(flax_class, v))(variables)
    actual = jax.jit(lambda v: all_of(ours, v, lowering="matmul"))(variables)
    jax.tree.map(close, actual, expected)


@pytest.mark.parametrize("pair", PAIRS, ids=["conv", "transpose"])
@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("use_bias", [True, False])
def test_parameters_are_those_of_flax(pair, lowering, use_bias):
    ours, flax_class = pair
    key, x = jax.random.key(3), draw(0, SHAPE)
    expected = flax_class(4, (3, 2), use_bias=use_bias).init(key, x)
    actual = ours(4, (3, 2), use_bias=use_bias, lowering=lowering).init(key, x)
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


@pytest.mark.parametrize("pair", PAIRS, ids=["conv", "transpose"])
@pytest.mark.parametrize("lowering", ["matmul", "stock"])
def test_the_layout_changes_nothing(pair, lowering):
    module = pair[0](4, (4, 4), (2, 2), lowering=lowering)
    last = pair[0](4, (4, 4), (2, 2), lowering=lowering, batch_last=True)
    x = draw(0, SHAPE)
    variables = module.init(jax.random.key(0), x)
    expected = module.apply(variables, x)
    actual = last.apply(variables, x.transpose(3, 1, 2, 0)).transpose(3, 1, 2, 0)
    close(actual, expected)
    again = last.init(jax.random.key(0), x.transpose(3, 1, 2, 0))
    jax.tree.map(np.testing.assert_array_equal, again, variables)


@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 1)])
def test_second_derivatives_of_a_gradient_penalty_equal_flax(kernel, stride):
    """The gradient, by the critic's parameters, of the norm of its gradient by the input."""

    class Critic(nn.Module):
        conv: type
        transpose: type

        @nn.compact
        def __call__(self, x):
            size = ((kernel, kernel), (stride, stride))
            x = nn.silu(self.conv(4, *size)(x))
            x = nn.silu(self.transpose(3, *size)(x))
            return nn.Dense(1)(x.reshape(x.shape[0], -1))[:, 0]

    class OurConv(Conv):
        lowering: str = "matmul"

    class OurTranspose(ConvTranspose):
        lowering: str = "matmul"

    x = draw(0, (2, 9, 9, 2))
    ours, stock = Critic(OurConv, OurTranspose), Critic(nn.Conv, nn.ConvTranspose)
    named = stock.init(jax.random.key(0), x)["params"]
    renamed = {
        n.replace("Conv", "OurConv", 1) if n.startswith("Conv_") else n: v for n, v in named.items()
    }
    renamed = {n.replace("ConvTranspose", "OurTranspose"): v for n, v in renamed.items()}

    def penalty(module, params):
        gradient = jax.grad(lambda x: module.apply({"params": params}, x).sum())(x)
        return ((jnp.sqrt((gradient**2).sum((1, 2, 3))) - 1) ** 2).mean()

    expected = jax.jit(jax.grad(lambda p: penalty(stock, p)))(named)
    actual = jax.jit(jax.grad(lambda p: penalty(ours, p)))(renamed)
    for before, after in zip(named, renamed, strict=True):
        jax.tree.map(lambda a, b: close(a, b, 1e-4), actual[after], expected[before])


def test_bfloat16_computes_and_keeps_float32_parameters():
    x = draw(0, SHAPE)
    for ours, _ in PAIRS:
        module = ours(4, (3, 3), lowering="matmul", dtype=jnp.bfloat16)
        variables = module.init(jax.random.key(0), x)
        assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
        assert module.apply(variables, x).dtype == jnp.bfloat16


def test_an_unknown_lowering_is_refused():
    with pytest.raises(
        ValueError, match=r"lowering='winograd': must be one of auto, matmul, stock"
    ):
        Conv(4, lowering="winograd").init(jax.random.key(0), draw(0, SHAPE))
