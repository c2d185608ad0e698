"""Checks of fields that several families declare for their networks and their noise."""

from collections.abc import Sequence

from genjax.core.config import ConfigError, fail


def check_widths(field: str, widths: Sequence[int]) -> None:
    """Raises `ConfigError` unless all widths of the config's `field` are at least 1."""
    if any(width < 1 for width in widths):
        raise fail(field, tuple(widths), "must be whole numbers of at least 1")


def check_halvings(field: str, channels: Sequence[int], shape: tuple[int, ...]) -> None:
    """Raises `ConfigError` unless images of `shape` can be halved once for each of `channels`."""
    if len(shape) != 3:
        raise ConfigError(
            f"config.{field}={tuple(channels)}: needs images, not points of shape {shape}"
        )
    check_widths(field, channels)
    factor = 2 ** len(channels)
    if not channels or shape[0] % factor or shape[1] % factor:
        raise ConfigError(
            f"config.{field}={tuple(channels)}: {len(channels)} halvings need a height and width "
            f"divisible by {factor}, not {shape[0]}x{shape[1]} (set data.image_size)"
        )


def check_unet(channels: Sequence[int], patch: int, shape: tuple[int, ...]) -> None:
    """Raises `ConfigError` unless a `UNet` of a config's `model` section fits images of `shape`."""
    if len(shape) != 3:
        raise ConfigError(f"config.model.network='unet': needs images, not points of shape {shape}")
    check_widths("model.channels", channels)
    if not channels:
        raise fail("model.channels", tuple(channels), "must have at least one resolution")
    if patch < 1:
        raise fail("model.patch", patch, "must be at least 1")
    factor = patch * 2 ** (len(channels) - 1)
    if shape[0] % factor or shape[1] % factor:
        raise ConfigError(
            f"config.model.channels={tuple(channels)}: with model.patch={patch} needs a height and "
            f"width divisible by {factor}, not {shape[0]}x{shape[1]} (set data.image_size)"
        )


def check_level(field: str, kind: str, level: float) -> None:
    """Raises `ConfigError` unless `level`, of the config's `field`, is one for that `kind`."""
    if not level >= 0:  # nor is NaN
        raise fail(field, level, "must be at least 0")
    if kind != "gaussian" and level > 1:
        raise fail(field, level, f"is a probability for {kind}; must be at most 1")
