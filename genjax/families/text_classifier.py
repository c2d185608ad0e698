"""Classifiers of sentences: a vector of the sentence, then a softmax over its classes.

What makes the vector is `model.network`:

- `bag`: the mean of the words' vectors, and of hashed pairs of words where wanted, through dense
  layers (Iyyer et al. 2015, Deep averaging networks; Joulin et al. 2016, fastText). Order is lost.
- `recurrent`: an RNN, GRU or LSTM over the sentence, both ways where wanted, its outputs pooled.
- `transformer`: an encoder of the Transformer, its outputs pooled.
- `bert`: BERT's encoder, its outputs pooled (Devlin et al. 2019, section 4.1). It can be that of a
  trained run of the family `bert` (`pretrained.workdir`), to be fine-tuned, or to stay as it is
  (`optimizer.encoder_factor`).
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax.core import tokens
from genjax.core.batch import batch_sum, batch_uniform
from genjax.core.config import base, choose, fail, optimizer, pretrained, text_data
from genjax.core.family import (
    Batch,
    DataSpec,
    Metrics,
    OldFamily,
    State,
    compute_dtype,
    init_key,
    step_key,
)
from genjax.core.optimizer import make_optimizer
from genjax.core.update import first_state, minimise
from genjax.families._encoders import (
    adopt_encoder,
    check_encoder,
    check_factor,
    encoder_fields,
    make_encoder,
)
from genjax.families._recurrent import (
    check_rates,
    check_recurrent,
    make_recurrent,
    recurrent_fields,
)
from genjax.models.sentence import (
    POOLINGS,
    Bag,
    BertEncoder,
    RecurrentEncoder,
    TransformerEncoder,
)
from genjax.models.token_corruption import hide_tokens
from genjax.models.transformer import Layers

_DROPOUT, _WORDS = range(2)  # uses of the step's key
NETWORKS = ("bag", "recurrent", "transformer", "bert")
_POOLINGS = {  # of networks that allow not all of them
    "recurrent": ("mean", "max", "last"),
    "transformer": ("mean", "max"),
    "bert": ("mean", "max", "first"),
}


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for short texts; recipes change what they need."""
    c = base()
    c.family = "text_classifier"
    text_data(c, kind="sentence", tokenizer="word", lowercase=True, length=64)
    # `hidden` and `layers` are of the recurrent network; of bag: of the dense layers (layers may be
    # 0); of transformer: width of the feed-forward networks, and layers. `embed_dim` is the width.
    c.model = recurrent_fields(hidden=128, dropout=0.5)
    c.model.network = "recurrent"  # or "bag", "transformer", "bert"
    c.model.bidirectional = True  # recurrent
    c.model.pooling = "max"  # or "mean", of recurrent also "last", of bert also "first": BOS
    c.model.num_heads = 4  # transformer
    c.model.bigrams = 0  # bag: rows of the table of hashed pairs of words; 0: none
    c.model.word_dropout = 0.0  # rate at which words become UNK in training
    c.model.bert = encoder_fields()  # bert has nothing of the above but word_dropout
    c.optimizer = optimizer(learning_rate=1e-3, clip_norm=1.0)
    c.optimizer.encoder_factor = 1.0  # of the learning rate, for what makes the vector; 0: fixed
    c.pretrained = pretrained("encoder")
    return c


def adopt(config: ConfigDict, other: ConfigDict) -> dict[str, Any]:
    """See `families.adopt`; `other` is of the family `bert`."""
    return {"model.network": "bert"} | adopt_encoder(config, other)


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> OldFamily:
    """The family `text_classifier` for a config like `configs/text_classifier.py`.

    Evaluation reports `cross_entropy` (nats a sentence) and `accuracy`.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    m, dtype = config.model, compute_dtype(config.precision)
    encoder = _make_encoder(config, spec, dtype)
    head = nn.Dense(spec.num_classes, dtype=dtype)
    factor = config.optimizer.encoder_factor
    tx = make_optimizer(config.optimizer, total_steps, {"encoder": factor})

    def encode_with(params: Any, x_BxT: jax.Array, **kwargs: Any) -> jax.Array:
        encoded: Any = encoder.apply({"params": params["encoder"]}, x_BxT, **kwargs)
        return encoded if factor else jax.lax.stop_gradient(encoded)

    def logits_with(params: Any, x_BxT: jax.Array, **kwargs: Any) -> jax.Array:
        h_BxD = encode_with(params, x_BxT, **kwargs)
        return jnp.asarray(head.apply({"params": params["head"]}, h_BxD), jnp.float32)

    def init(key: jax.Array) -> State:
        encoder_key, head_key = jax.random.split(init_key(key))
        x_BxT = jnp.full((1, *spec.shape), tokens.EOS)
        h_BxD, variables = encoder.init_with_output(encoder_key, x_BxT)
        params = {"encoder": variables["params"], "head": head.init(head_key, h_BxD)["params"]}
        return first_state(key, params, tx, config)

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        key, x_BxT = step_key(state, _DROPOUT), batch["x"]
        if m.word_dropout:
            uniform_BxT = batch_uniform(step_key(state, _WORDS), x_BxT.shape)
            x_BxT = hide_tokens(x_BxT, uniform_BxT, m.word_dropout, tokens.UNK)

        def objective(params: Any, rows: Batch, part: jax.Array) -> tuple[jax.Array, Metrics]:
            rngs = {"dropout": jax.random.fold_in(key, part)}
            logits_BxK = logits_with(params, rows["x"], train=True, rngs=rngs)
            loss = _cross_entropy(logits_BxK, rows["label"]).mean()
            right_B = logits_BxK.argmax(-1) == rows["label"]
            return loss, {"loss": loss, "accuracy": jnp.asarray(right_B, jnp.float32).mean()}

        return minimise(objective, state, {"x": x_BxT, "label": batch["label"]}, tx, config)

    def encode(state: State, x_BxT: jax.Array) -> jax.Array:
        """Sentences (B, T) to the vectors that they are classified by, (B, D)."""
        return encode_with(state.ema or state.params, x_BxT)

    def classify(state: State, x_BxT: jax.Array) -> jax.Array:
        """Class probabilities (B, num_classes)."""
        return nn.softmax(logits_with(state.ema or state.params, x_BxT))

    def evaluate(state: State, batch: Batch) -> Metrics:
        mask_B, label_B = batch["mask"], batch["label"]
        logits_BxK = logits_with(state.ema or state.params, batch["x"])
        return batch_sum({
            "count": mask_B.sum(),
            "cross_entropy": (mask_B * _cross_entropy(logits_BxK, label_B)).sum(),
            "accuracy": (mask_B * (logits_BxK.argmax(-1) == label_B)).sum(),
        })  # fmt: skip

    return OldFamily(
        init=init, step=step, evaluate=evaluate, sample=None, batch_shape=(config.batch_size,),
        functions={"encode": encode, "classify": classify},
    )  # fmt: skip


def _make_encoder(config: ConfigDict, spec: DataSpec, dtype: Any) -> nn.Module:
    m, vocab_size = config.model, spec.vocab_size
    if m.network == "bert":
        return BertEncoder(make_encoder(config, vocab_size, spec.shape[0]), m.pooling)
    if m.network == "bag":
        return Bag(vocab_size, m.embed_dim, m.bigrams, m.hidden, m.layers, m.dropout, dtype)
    if m.network == "transformer":
        layers = Layers(
            m.embed_dim, m.layers, m.num_heads, hidden=m.hidden, dropout=m.dropout,
            dtype=dtype,
        )  # fmt: skip
        return TransformerEncoder(vocab_size, layers, m.pooling)
    recurrent = make_recurrent(m, dtype, bidirectional=m.bidirectional)
    return RecurrentEncoder(vocab_size, m.embed_dim, recurrent, m.pooling)


def _cross_entropy(logits_BxK: jax.Array, label_B: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits_BxK, label_B)


def _check(config: ConfigDict, spec: DataSpec) -> None:
    m, name = config.model, config.data.name
    if spec.kind != "sentence" or not spec.num_classes:
        raise fail("data.name", name, "must be sentences with labels, as tsv:FILE has them")
    choose("model.network", m.network, NETWORKS)
    choose("model.pooling", m.pooling, POOLINGS)
    if m.pooling not in _POOLINGS.get(m.network, POOLINGS):
        allowed = f"must be {' or '.join(_POOLINGS[m.network])} with model.network={m.network}"
        raise fail("model.pooling", m.pooling, allowed)
    if m.bigrams < 0:
        raise fail("model.bigrams", m.bigrams, "must be at least 0")
    if m.bigrams and m.network != "bag":
        raise fail("model.bigrams", m.bigrams, f"must be 0 with model.network={m.network}")
    check_recurrent(m, least_layers=0 if m.network == "bag" else 1)
    check_rates(m, "word_dropout")
    if m.num_heads < 1 or m.embed_dim % m.num_heads:
        raise fail("model.num_heads", m.num_heads, f"must divide model.embed_dim={m.embed_dim}")
    if m.network == "bert":
        check_encoder(config, spec.shape[0])
    check_factor(config)
