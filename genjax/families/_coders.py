"""Encoder and decoder of the families that have both: dense, or convolutional."""

from dataclasses import dataclass
from typing import Any

from flax import linen as nn

from genjax.core.family import DataSpec, compute_dtype
from genjax.core.fields import field
from genjax.families._checks import check_halvings
from genjax.models.convnets import ConvDecoder, ConvEncoder
from genjax.models.dense import ACTIVATIONS, MLP
from genjax.ops.conv import LOWERINGS


@dataclass(frozen=True)
class Coders:
    """The section `model` of such a family, to which it adds its own fields."""

    network: str = field("mlp", "of encoder and decoder", choices=("mlp", "conv"))
    latent_dim: int = field(16, "numbers of a code", ge=1)
    encoder_hidden: tuple[int, ...] = field((256,), "mlp: widths of hidden layers", ge=1)
    decoder_hidden: tuple[int, ...] = field((256,), "mlp: widths of hidden layers", ge=1)
    encoder_channels: tuple[int, ...] = field((32, 64), "conv: from the largest image on")
    decoder_channels: tuple[int, ...] = field((32, 64), "conv: in the same order")
    activation: str = field("relu", "of hidden layers", choices=ACTIVATIONS)
    init_variance: float = field(
        1.0, "of initial weights, times their inputs: LeCun's; PyTorch's is 1/3", gt=0
    )
    conv_lowering: str = field("auto", "how convolutions are computed", choices=LOWERINGS)

    def check(self, spec: DataSpec) -> None:
        """Raises `ConfigError` where the images of `spec` cannot be halved so often."""
        if self.network == "conv":
            for name in ("encoder_channels", "decoder_channels"):
                check_halvings(f"model.{name}", getattr(self, name), spec.shape)


def make_coders(
    m: Coders, code_shape: tuple[int, ...], spec: DataSpec, precision: str, dropout: float = 0.0
) -> tuple[nn.Module, nn.Module]:
    """Makes an encoder to (B, *code_shape) and a decoder to (B, *spec.shape).

    Args:
      m: the section `model`.
      code_shape: of the encoder's output for one example.
      spec: of the data.
      precision: of compute.
      dropout: after each hidden layer of the dense networks.
    """
    shared: dict[str, Any] = {
        "activation": m.activation,
        "dtype": compute_dtype(precision),
        "init_variance": m.init_variance,
    }
    if m.network == "conv":
        return (
            ConvEncoder(m.encoder_channels, code_shape, lowering=m.conv_lowering, **shared),
            ConvDecoder(m.decoder_channels, spec.shape, lowering=m.conv_lowering, **shared),
        )
    return (
        MLP(m.encoder_hidden, code_shape, dropout=dropout, **shared),
        MLP(m.decoder_hidden, spec.shape, dropout=dropout, **shared),
    )
