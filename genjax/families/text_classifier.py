"""Classifiers of sentences: a vector of the sentence, then a softmax over its classes.

What makes the vector is `model.network`:

- `bag`: the mean of the words' vectors, and of hashed pairs of words where wanted, through dense
  layers (Iyyer et al. 2015, Deep averaging networks; Joulin et al. 2016, fastText). Order is lost.
- `recurrent`: an RNN, GRU or LSTM over the sentence, both ways where wanted, its outputs pooled.
- `transformer`: an encoder of the Transformer, its outputs pooled.
- `bert`: BERT's encoder, its outputs pooled (Devlin et al. 2019, section 4.1). It can be that of a
  trained run of the family `bert` (`start.workdir`), to be fine-tuned, or to stay as it is
  (`optimizer.encoder_lr_scale`).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import tokens
from genjax.core.batch import batch_sum
from genjax.core.config import Base, Start, TextData, fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, compute_dtype, shared_fields
from genjax.core.fields import field, read, subsection
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import init_key, step_key
from genjax.core.update import first_state, minimize
from genjax.families._encoders import (
    DEFAULTS,
    EncoderFields,
    EncoderOptimizer,
    adopt_encoder,
    drop_words,
    make_encoder,
)
from genjax.families._recurrent import RecurrentFields, make_recurrent
from genjax.models.features import watched
from genjax.models.sentence import (
    POOLINGS,
    Bag,
    BertEncoder,
    RecurrentEncoder,
    TransformerEncoder,
)
from genjax.models.transformer import Layers

_DROPOUT, _WORDS = range(2)  # uses of the step's key
_NETWORKS = ("bag", "recurrent", "transformer", "bert")
_POOLINGS = {  # of networks that allow not all of them
    "recurrent": ("mean", "max", "last"),
    "transformer": ("mean", "max"),
    "bert": ("mean", "max", "first"),
}


@dataclass(frozen=True)
class Model(RecurrentFields):
    """The section `model`, of which the network bert follows `bert` and `word_dropout` alone.

    `hidden` and `layers` are of the recurrent network; of bag: of the dense layers, of which there
    may be none; of transformer: the width of the feed-forward networks, and the layers. `embed_dim`
    is the width of all three.
    """

    network: str = field("recurrent", "what makes the vector", choices=_NETWORKS)
    bidirectional: bool = field(True, "recurrent: reads both ways")
    pooling: str = field("max", "of recurrent also last, of bert first: BOS", choices=POOLINGS)
    num_heads: int = field(4, "transformer: of attention", ge=1)
    bigrams: int = field(0, "bag: rows of the table of hashed pairs of words; 0: none", ge=0)
    word_dropout: float = field(0.0, "rate at which words become UNK in training", ge=0, lt=1)
    bert: EncoderFields = subsection(EncoderFields, **DEFAULTS)

    def check(self, spec: DataSpec) -> None:
        """Raises `ConfigError` for fields that do not go together."""
        network, pooling = self.network, self.pooling
        if pooling not in _POOLINGS.get(network, POOLINGS):
            allowed = f"must be {' or '.join(_POOLINGS[network])} with model.network={network}"
            raise fail("model.pooling", pooling, allowed)
        if self.bigrams and network != "bag":
            raise fail("model.bigrams", self.bigrams, f"must be 0 with model.network={network}")
        if self.layers < 1 and network != "bag":
            raise fail("model.layers", self.layers, "must be at least 1")
        if self.embed_dim % self.num_heads:
            message = f"must divide model.embed_dim={self.embed_dim}"
            raise fail("model.num_heads", self.num_heads, message)
        if network == "bert":
            self.bert.check_length(spec.shape[0])


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for short texts."""

    family: str = "text_classifier"
    data: TextData = subsection(TextData, kind="sentence", tokenizer="word", lowercase=True)
    optimizer: EncoderOptimizer = subsection(EncoderOptimizer, clip_norm=1.0)
    model: Model = subsection(Model, hidden=128, dropout=0.5)
    start: Start = subsection(Start, networks=("encoder",))


default_config = Config.defaults


def adopt(config: ConfigDict, other: ConfigDict) -> dict[str, Any]:
    """See `families.adopt`; what is taken of a run of the family `bert` is its encoder."""
    if other.family != "bert":
        return {}
    return {"model.network": "bert"} | adopt_encoder(other)


@dataclass(frozen=True, kw_only=True, eq=False)
class TextClassifier(Family):
    """The family `text_classifier`.

    Evaluation reports `cross_entropy` (nats a sentence) and `accuracy`.
    """

    model: Model
    encoder: nn.Module
    head: nn.Module
    encoder_lr_scale: float
    optimizer: optax.GradientTransformation

    # The networks.

    def encoded(self, params: Any, x_BxT: jax.Array, **options: Any) -> jax.Array:
        """Computes the vectors (B, D) of sentences; a fixed encoder has no gradient."""
        h_BxD = applied(self.encoder, params["encoder"], x_BxT, **options)
        return h_BxD if self.encoder_lr_scale else jax.lax.stop_gradient(h_BxD)

    def logits(self, params: Any, x_BxT: jax.Array, **options: Any) -> jax.Array:
        """Computes the logits (B, num_classes) of sentences, float32."""
        h_BxD = self.encoded(params, x_BxT, **options)
        return applied(self.head, params["head"], h_BxD).astype(jnp.float32)

    # The loss.

    def class_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes -log p(label | sentence), in nats.

        Args:
          params: of encoder and head.
          rows: `x` (B, T), of which words may be dropped, and `label` (B,).
          shared: `key` of dropout.
          part: number of the part, folded into the key.
        """
        rngs = {"dropout": jax.random.fold_in(shared["key"], part)}
        logits_BxK = self.logits(params, rows["x"], train=True, rngs=rngs)
        loss = losses.label_cross_entropy(logits_BxK, rows["label"]).mean()
        right_B = logits_BxK.argmax(-1) == rows["label"]
        return loss, {"loss": loss, "accuracy": jnp.asarray(right_B, jnp.float32).mean()}

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        x_BxT = drop_words(batch["x"], step_key(state, _WORDS), self.model.word_dropout)
        return {"x": x_BxT, "label": batch["label"]}, {"key": step_key(state, _DROPOUT)}

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        encoder_key, head_key = jax.random.split(init_key(key))
        x_BxT = jnp.full((1, *self.spec.shape), tokens.EOS)
        h_BxD, variables = self.encoder.init_with_output(encoder_key, x_BxT)
        head = self.head.init(head_key, h_BxD)["params"]
        params = {"encoder": variables["params"], "head": head}
        return first_state(key, params, self.optimizer, self)

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""
        return minimize(self.class_loss, state, *self.inputs(state, batch), self.optimizer, self)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """See `Family`."""
        mask_B, label_B = batch["mask"], batch["label"]
        logits_BxK = self.logits(state.eval_params, batch["x"])
        sums = {
            "count": mask_B.sum(),
            "cross_entropy": (mask_B * losses.label_cross_entropy(logits_BxK, label_B)).sum(),
            "accuracy": (mask_B * (logits_BxK.argmax(-1) == label_B)).sum(),
        }
        return batch_sum(sums)

    # What it is used for.

    def encode(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Computes the vectors (B, D) that sentences (B, T) are classified by."""
        return self.encoded(state.eval_params, x_BxT)

    def features(self, state: State, x_BxT: jax.Array) -> dict[str, jax.Array]:
        """Computes the layers of the encoder, (B, T, D), of bag (B, D), and the vectors (B, D)."""
        watching, layers = watched(self, encoder="encoder")
        code = watching.encode(state, x_BxT)
        if self.model.network == "bert":  # of words, without BOS
            layers = {name: h_BxTxD[:, 1:] for name, h_BxTxD in layers.items()}
        return layers | {"encoder.code": code}

    def classify(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Computes the class probabilities (B, num_classes) of sentences (B, T)."""
        return nn.softmax(self.logits(state.eval_params, x_BxT))


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> TextClassifier:
    """Builds the family from a config like `configs/text_classifier.py`; raises `ConfigError`."""
    if spec.kind != "sentence" or not spec.num_classes:
        message = "must be sentences with labels, as tsv:FILE has them"
        raise fail("data.name", config.data.name, message)
    model = read(Model, config, "model")
    factor = read(EncoderOptimizer, config, "optimizer").encoder_lr_scale
    model.check(spec)
    return TextClassifier(
        **shared_fields(config, spec, total_steps),
        model=model,
        encoder=_make_encoder(model, spec, config.precision),
        head=nn.Dense(spec.num_classes, dtype=compute_dtype(config.precision)),
        encoder_lr_scale=factor,
        optimizer=make_optimizer(config.optimizer, total_steps, {"encoder": factor}),
    )


def _make_encoder(m: Model, spec: DataSpec, precision: str) -> nn.Module:
    vocab_size, dtype = spec.vocab_size, compute_dtype(precision)
    if m.network == "bert":
        encoder = make_encoder(m.bert, vocab_size, spec.shape[0], precision)
        return BertEncoder(encoder, m.pooling)
    if m.network == "bag":
        return Bag(vocab_size, m.embed_dim, m.bigrams, m.hidden, m.layers, m.dropout, dtype)
    if m.network == "transformer":
        sizes = m.embed_dim, m.layers, m.num_heads
        layers = Layers(*sizes, mlp_dim=m.hidden, dropout=m.dropout, dtype=dtype)
        return TransformerEncoder(vocab_size, layers, m.pooling)
    recurrent = make_recurrent(m, dtype, bidirectional=m.bidirectional)
    return RecurrentEncoder(vocab_size, m.embed_dim, recurrent, m.pooling)
