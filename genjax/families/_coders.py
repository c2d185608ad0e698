"""Encoder and decoder of the families that have both: dense, or convolutional."""

from typing import Any

from flax import linen as nn
from ml_collections import ConfigDict

from genjax.core.config import choose, fail
from genjax.core.family import DataSpec, compute_dtype
from genjax.models.conv import LOWERINGS
from genjax.models.convnets import ConvDecoder, ConvEncoder, check_halvings
from genjax.models.dense import ACTIVATIONS, MLP, check_widths


def coder_fields(hidden: tuple[int, ...]) -> ConfigDict:
    """The section `model` of such a family, to which it adds its own fields.

    Args:
      hidden: widths of both dense networks.
    """
    m = ConfigDict()
    m.network = "mlp"  # or "conv"
    m.latent_dim = 16
    m.encoder_hidden = hidden  # mlp
    m.decoder_hidden = hidden  # mlp
    m.encoder_channels = (32, 64)  # conv, from the largest image to the smallest
    m.decoder_channels = (32, 64)  # conv, in the same order
    m.activation = "relu"
    m.init_variance = 1.0  # of initial weights, times their inputs: LeCun's; PyTorch's: 1/3
    m.conv_lowering = "auto"  # or "matmul", "stock": see genjax/models/conv.py
    return m


def make_coders(
    config: ConfigDict,
    code_shape: tuple[int, ...],
    spec: DataSpec,
    dropout: float = 0.0,
) -> tuple[nn.Module, nn.Module]:
    """Encoder to (B, *code_shape) and decoder to (B, *spec.shape).

    Args:
      config: the resolved config, with the fields of `coder_fields`.
      code_shape: of what the encoder says of an example.
      spec: of the data.
      dropout: after each hidden layer of the dense networks.
    """
    m, dtype = config.model, compute_dtype(config.precision)
    shared: dict[str, Any] = {
        "activation": m.activation, "dtype": dtype, "init_variance": m.init_variance
    }  # fmt: skip
    if m.network == "conv":
        return (
            ConvEncoder(m.encoder_channels, code_shape, lowering=m.conv_lowering, **shared),
            ConvDecoder(m.decoder_channels, spec.shape, lowering=m.conv_lowering, **shared),
        )
    return (
        MLP(m.encoder_hidden, code_shape, dropout=dropout, **shared),
        MLP(m.decoder_hidden, spec.shape, dropout=dropout, **shared),
    )


def check_coders(m: ConfigDict, spec: DataSpec) -> None:
    """Raises `ConfigError` for a field of `coder_fields` that is out of range."""
    choose("model.network", m.network, ("mlp", "conv"))
    choose("model.activation", m.activation, ACTIVATIONS)
    choose("model.conv_lowering", m.conv_lowering, LOWERINGS)
    if m.latent_dim < 1:
        raise fail("model.latent_dim", m.latent_dim, "must be at least 1")
    if not m.init_variance > 0:
        raise fail("model.init_variance", m.init_variance, "must be above 0")
    for field in ("encoder_hidden", "decoder_hidden"):
        check_widths(f"model.{field}", m[field])
    if m.network == "conv":
        for field in ("encoder_channels", "decoder_channels"):
            check_halvings(f"model.{field}", m[field], spec.shape)
