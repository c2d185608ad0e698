"""Rows of GANs: WGAN-GP of dense and convolutional networks, and DCGAN."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ml_collections import ConfigDict

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers

# batch 64 and Adam(2e-4, 0.5, 0.999), n_critic 5, lambda 10, on 60,000 images of 28x28
_ADAM = {"learning_rate": 2e-4, "b1": 0.5, "b2": 0.999}
_WGAN_GP: dict[str, Any] = {"batch_size": 64, "n_critic": 5, "penalty_weight": 10.0, **_ADAM}
_IMAGES = {"num_examples": 60_000, "height": 28}
MLP: dict[str, Any] = {
    "latent_dim": 100, "generator_hidden": [128, 256, 512, 1024], "critic_hidden": [512, 256],
    **_IMAGES, **_WGAN_GP,
}  # fmt: skip
CONV: dict[str, Any] = {"latent_dim": 100, "channels": [64, 128], **_IMAGES, **_WGAN_GP}
# 64x64 in color, four halvings; few examples, as the peer holds them in float32
LARGE: dict[str, Any] = {
    "latent_dim": 128, "channels": [32, 64, 128, 256], "height": 64, "colors": 3,
    "num_examples": 4096, **_WGAN_GP,
}  # fmt: skip
_RESNET: dict[str, Any] = {
    "latent_dim": 64, "channels": [32, 64], **_IMAGES, **_WGAN_GP, "n_critic": 1,
}  # fmt: skip
# batch 128 and the same Adam of Radford et al. 2016
_DCGAN: dict[str, Any] = {
    "latent_dim": 100, "channels": [64, 128], **_IMAGES, "batch_size": 128, **_ADAM,
}  # fmt: skip


def rows() -> list[Row]:
    """Makes the rows `wgan_gp_*` and `dcgan`."""
    mlp, conv = {"iterations": 10, **MLP}, {"iterations": 1, **CONV}
    large, five = {"iterations": 1, **LARGE}, {"iterations": 5, **_DCGAN}
    unit = "generator iteration (5 critic updates, 1 generator update)"
    return [
        Row(
            "wgan_gp_mlp",
            "PyTorch",
            unit,
            ours(wgan_gp_mlp, mlp),
            peers("torch_wgan_gp:mlp", "eager compiled", mlp),
            peers("torch_wgan_gp:mlp", "partly functional compiled_forward", mlp),
            tuple(wgan_gp_products(*dense(MLP))),
            settings=MLP,
        ),
        Row(
            "wgan_gp_conv",
            "PyTorch",
            unit,
            ours(wgan_gp_conv, conv),
            peers("torch_wgan_gp:conv", "eager compiled", conv),
            peers(
                "torch_wgan_gp:conv",
                "eager_channels_last compiled_channels_last partly functional",
                conv,
            ),
            tuple(wgan_gp_products(*convolutions(CONV))),
            settings=CONV,
        ),
        Row(
            "wgan_gp_conv_stock",
            "genjax with stock convolutions",
            "generator iteration",
            ours(wgan_gp_conv, conv),
            (ours(wgan_gp_conv, {**conv, "lowering": "stock"}, "stock"),),
            products=tuple(wgan_gp_products(*convolutions(CONV))),
            rounds=2,
            settings=CONV,
        ),
        Row(
            "dcgan",
            "PyTorch",
            "generator iteration (1 critic update, 1 generator update)",
            ours(dcgan, five),
            peers("torch_dcgan:conv", "eager compiled", five),
            peers("torch_dcgan:conv", "eager_channels_last compiled_channels_last", five),
            tuple(floor.gan(*convolutions(_DCGAN))),
            settings=_DCGAN,
        ),
        Row(
            "wgan_gp_64",
            "PyTorch",
            unit,
            ours(wgan_gp_conv, large),
            peers("torch_wgan_gp:conv", "eager compiled", large),
            peers("torch_wgan_gp:conv", "eager_channels_last", large),
            tuple(wgan_gp_products(*convolutions(LARGE))),
            rounds=5,
            settings=LARGE,
        ),
        Row(
            "wgan_gp_resnet",
            "PyTorch",
            "generator iteration (1 critic update, 1 generator update)",
            ours(wgan_gp_resnet, {"iterations": 3, **_RESNET}),
            peers("torch_wgan_gp:resnet", "eager compiled", {"iterations": 3, **_RESNET}),
            peers(
                "torch_wgan_gp:resnet",
                "eager_channels_last compiled_channels_last partly functional compiled_forward",
                {"iterations": 3, **_RESNET},
            ),
            tuple(residual_products(_RESNET)),
            settings=_RESNET,
        ),
    ]


def wgan_gp_mlp(
    iterations: int,
    *,
    latent_dim: int,
    generator_hidden: Sequence[int],
    critic_hidden: Sequence[int],
    height: int,
    num_examples: int,
    **recipe: Any,
) -> Timed:
    """Sets up our side of `wgan_gp_mlp`: `iterations` a run, scanned."""
    config = wgan_gp(**recipe)
    config.model.update(
        network="mlp",
        latent_dim=latent_dim,
        generator_hidden=tuple(generator_hidden),
        critic_hidden=tuple(critic_hidden),
        generator_activation="leaky_relu",
        critic_activation="leaky_relu",
        generator_norm="batch",
        critic_norm="none",
    )
    return training.timed(config, training.images(num_examples, height), iterations)


def wgan_gp_conv(
    iterations: int,
    *,
    latent_dim: int,
    channels: Sequence[int],
    height: int,
    num_examples: int,
    colors: int = 1,
    lowering: str = "auto",
    **recipe: Any,
) -> Timed:
    """Sets up our side of `wgan_gp_conv`, `wgan_gp_conv_stock` and `wgan_gp_64`, scanned."""
    config = wgan_gp(**recipe)
    config.model.update(_conv_model(latent_dim, channels, "none"), conv_lowering=lowering)
    images = training.images(num_examples, height, colors)
    return training.timed(config, images, iterations, warm_up=lowering != "stock")


def wgan_gp_resnet(
    iterations: int,
    *,
    latent_dim: int,
    channels: Sequence[int],
    height: int,
    num_examples: int,
    colors: int = 1,
    critic_channels: Sequence[int] = (),
    **recipe: Any,
) -> Timed:
    """Sets up our side of `wgan_gp_resnet`, the networks of `gan_fashion`, scanned."""
    config = wgan_gp(**recipe)
    config.model.update(_conv_model(latent_dim, channels, "none"))
    config.model.update(network="resnet", critic_activation="relu", generator_norm="batch")
    config.model.critic_channels = tuple(critic_channels or channels)
    return training.timed(config, training.images(num_examples, height, colors), iterations)


def dcgan(
    iterations: int,
    *,
    latent_dim: int,
    channels: Sequence[int],
    height: int,
    num_examples: int,
    batch_size: int,
    **rates: Any,
) -> Timed:
    """Sets up our side of `dcgan`: `iterations` a run, scanned."""
    config = _both(training.recipe("dcgan", batch_size=batch_size), rates)
    config.model.update(_conv_model(latent_dim, channels, "batch"))
    config.loss.update(label_smoothing=0.0, instance_noise=0.0)
    return training.timed(config, training.images(num_examples, height), iterations)


def wgan_gp(
    batch_size: int,
    n_critic: int,
    penalty_weight: float,
    precision: str = "float32",
    **rates: Any,
) -> ConfigDict:
    """Makes the WGAN-GP recipe without what the peers leave out: schedule, moving average."""
    fields = {"batch_size": batch_size, "precision": precision}
    config = _both(training.recipe("wgan_gp", **fields), rates)
    config.loss.update(n_critic=n_critic, penalty_weight=float(penalty_weight), penalty_every=1)
    return config


def _both(config: ConfigDict, rates: Mapping[str, Any]) -> ConfigDict:
    for optimizer in (config.optimizer, config.critic_optimizer):
        optimizer.update(name="adam", schedule="constant", **rates)
    return config


def _conv_model(latent_dim: int, channels: Sequence[int], norm: str) -> dict[str, Any]:
    return {
        "network": "conv", "latent_dim": latent_dim, "generator_channels": tuple(channels),
        "critic_channels": tuple(channels), "generator_activation": "relu",
        "critic_activation": "leaky_relu", "generator_norm": norm, "critic_norm": norm,
    }  # fmt: skip


def wgan_gp_products(generator: list[Product], critic: list[Product]) -> list[Product]:
    """Counts the products of an iteration, of forward products."""
    return floor.wgan_gp(generator, critic, _WGAN_GP["n_critic"])


def dense(settings: Mapping[str, Any]) -> tuple[list[Product], list[Product]]:
    """Counts the forward products of generator and critic."""
    batch, size = settings["batch_size"], settings["height"] ** 2
    generator = [settings["latent_dim"], *settings["generator_hidden"], size]
    critic = [size, *settings["critic_hidden"], 1]
    return floor.dense(batch, generator), floor.dense(batch, critic)


def convolutions(settings: Mapping[str, Any]) -> tuple[list[Product], list[Product]]:
    """Counts the forward products of both networks: 4x4 convolutions of stride 2, mirrored."""
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


def residual_products(settings: Mapping[str, Any]) -> list[Product]:
    """Counts the products of an iteration of residual networks."""
    generator, critic = _residual(settings)
    n_critic = settings["n_critic"]
    # The first shortcut meets the data as well: real and fake need no gradient there.
    unneeded = floor.times(-2 * n_critic, floor.input_gradients(critic[2:3]))
    return floor.merged([*floor.wgan_gp(generator, critic, n_critic), *unneeded])


def _residual(settings: Mapping[str, Any]) -> tuple[list[Product], list[Product]]:
    """Counts the forward products of both residual networks.

    A 3x3 convolution beside a doubling or a halving is one of 4x4 (`genjax.ops.resample`).
    """
    batch, side = settings["batch_size"], settings["height"]
    widths: Sequence[int] = [settings.get("colors", 1), *settings["channels"]]
    last = widths[-1]
    generator = [Product(batch * side**2, 9 * widths[1], widths[0])]
    critic = []
    critic_widths = [widths[0], *(settings.get("critic_channels") or settings["channels"])]
    for outer, inner in pairwise(critic_widths):
        pixels = batch * side**2
        critic += [
            Product(pixels, 9 * outer, inner),
            Product(pixels // 4, 16 * inner, inner),
            Product(pixels // 4, outer, inner),
        ]
        side //= 2
    wide = critic_widths[-1]
    plain = [Product(batch * side**2, 9 * wide, wide)] * 4
    side = settings["height"]
    for outer, inner in pairwise([*widths[1:], last]):
        pixels = batch * side**2
        generator += [
            Product(pixels, 9 * outer, outer),
            Product(pixels // 4, inner, 16 * outer),
            Product(pixels // 4, inner, outer),
        ]
        side //= 2
    generator.append(Product(batch, settings["latent_dim"], side**2 * last))
    return generator[::-1], [*critic, *plain, Product(batch, wide, 1)]
