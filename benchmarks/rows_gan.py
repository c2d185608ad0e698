"""The rows of the adversarial families beyond WGAN-GP on small images."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from benchmarks import floor
from benchmarks.floor import Product
from benchmarks.harness import Side
from benchmarks.rows import Row

# batch 128 and Adam(2e-4, 0.5, 0.999) of Radford et al. 2016, on 60,000 images of 28x28
_DCGAN: dict[str, Any] = {
    "latent_dim": 100, "channels": [64, 128], "height": 28, "num_examples": 60_000,
    "batch_size": 128, "learning_rate": 2e-4, "b1": 0.5, "b2": 0.999,
}  # fmt: skip
# 64x64 in color, four halvings; few examples, as the peer holds them in float32
_WGAN_GP_64: dict[str, Any] = {
    "latent_dim": 128, "channels": [32, 64, 128, 256], "height": 64, "colors": 3,
    "num_examples": 4096, "batch_size": 64, "n_critic": 5, "penalty_weight": 10.0,
    "learning_rate": 2e-4, "b1": 0.5, "b2": 0.999,
}  # fmt: skip


def rows() -> list[Row]:
    """DCGAN on 28x28; convolutional WGAN-GP on 64x64 in color."""
    dcgan_run, wgan_run = {"iterations": 5, **_DCGAN}, {"iterations": 1, **_WGAN_GP_64}
    return [
        Row(
            "dcgan", "PyTorch", "generator iteration (1 critic update, 1 generator update)",
            Side("scan", "benchmarks.ours:dcgan", dcgan_run),
            _modes("torch_dcgan:conv", "eager compiled", dcgan_run),
            _modes("torch_dcgan:conv", "eager_channels_last compiled_channels_last", dcgan_run),
            tuple(floor.gan(*_products(_DCGAN))), settings=_DCGAN,
        ),
        Row(
            "wgan_gp_64", "PyTorch", "generator iteration (5 critic updates, 1 generator update)",
            Side("scan", "benchmarks.ours:wgan_gp_conv", wgan_run),
            _modes("torch_wgan_gp:conv", "eager compiled", wgan_run),
            _modes("torch_wgan_gp:conv", "eager_channels_last", wgan_run),
            tuple(floor.wgan_gp(*_products(_WGAN_GP_64), _WGAN_GP_64["n_critic"])),
            rounds=5, settings=_WGAN_GP_64,
        ),
    ]  # fmt: skip


def _modes(target: str, names: str, arguments: Mapping[str, Any]) -> tuple[Side, ...]:
    return tuple(
        Side(name, f"benchmarks.peers.{target}", {"mode": name, **arguments}, ("torch",))
        for name in names.split()
    )


def _products(settings: Mapping[str, Any]) -> tuple[list[Product], list[Product]]:
    """Forward products of generator and critic: 4x4 convolutions of stride 2, mirrored."""
    batch, side = settings["batch_size"], settings["height"]
    widths: Sequence[int] = [settings.get("colors", 1), *settings["channels"]]
    generator, critic = [], []
    for outer, inner in pairwise(widths):
        side //= 2
        critic.append(Product(batch * side**2, 16 * outer, inner))
        generator.append(Product(batch * side**2, inner, 16 * outer))
    size = side**2 * widths[-1]
    generator.append(Product(batch, settings["latent_dim"], size))
    return generator[::-1], [*critic, Product(batch, size, 1)]
