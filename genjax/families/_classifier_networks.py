"""The networks of the family `classifier`: what makes the vector of an example, and its head."""

from collections.abc import Sequence

import jax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax.core.family import DataSpec, compute_dtype
from genjax.families._classifier_fields import Model
from genjax.families._encoders import ENCODERS, Context
from genjax.families._encoders import make_encoder as make_contextual
from genjax.families._recurrent import make_recurrent
from genjax.models.dense import ACTIVATIONS, Dropout
from genjax.models.features import offer
from genjax.models.layers import Layers
from genjax.models.pictures import Convolutions, Pixels, ResNet
from genjax.models.sentence import Bag, RecurrentEncoder, TransformerEncoder


class Head(nn.Dense):
    """Hidden layers, then a linear layer; without hidden layers its parameters are `nn.Dense`'s.

    Attributes:
      features: outputs.
      hidden: widths of the hidden layers.
      activation: after each of them, a key of `ACTIVATIONS`.
      dropout: rate, after each activation, in training.
    """

    hidden: Sequence[int] = ()
    activation: str = "relu"
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps (B, D) to (B, features)."""
        for i, width in enumerate(self.hidden):
            x = nn.Dense(width, dtype=self.dtype, name=f"hidden_{i}")(x)
            x = Dropout(self.dropout)(ACTIVATIONS[self.activation](x), train=train)
            offer(self, x)
        return super().__call__(x)


def make_head(m: Model, num_classes: int, precision: str) -> Head:
    """Makes the head of these fields."""
    return Head(
        num_classes,
        dtype=compute_dtype(precision),
        hidden=m.head_hidden,
        activation=m.head_activation,
        dropout=m.dropout,
    )


def make_encoder(m: Model, spec: DataSpec, config: ConfigDict) -> tuple[nn.Module, Context | None]:
    """Makes the network that `model.network` names, and how it is asked if it is of `ENCODERS`."""
    if m.network in ENCODERS:
        return make_contextual(m.network, m, spec, config)
    return _make_own(m, spec, config.precision), None


def _make_own(m: Model, spec: DataSpec, precision: str) -> nn.Module:
    vocab_size, dtype = spec.vocab_size, compute_dtype(precision)
    if m.network == "none":
        return Pixels(dtype)
    pictures = {"activation": m.activation, "norm": m.norm, "dropout": m.dropout, "dtype": dtype}
    if m.network == "conv":
        return Convolutions(m.channels, **pictures)
    if m.network == "resnet":
        return ResNet(m.channels, m.blocks, **pictures)
    if m.network == "bag":
        return Bag(vocab_size, m.embed_dim, m.bigrams, m.hidden, m.layers, m.dropout, dtype)
    if m.network == "transformer":
        sizes = m.embed_dim, m.layers, m.num_heads
        layers = Layers(*sizes, mlp_dim=m.hidden, dropout=m.dropout, dtype=dtype)
        return TransformerEncoder(vocab_size, layers, m.pooling)
    recurrent = make_recurrent(m, dtype, bidirectional=m.bidirectional)
    return RecurrentEncoder(vocab_size, m.embed_dim, recurrent, m.pooling)
