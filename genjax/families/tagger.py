"""Tagger of words: a bidirectional recurrent network with a conditional random field on top.

    loss = -log p(y | x),    p(y | x) = exp(sum_t s_t[y_t] + A[y_{t-1}, y_t]) / Z

The network reads the words x of a sentence both ways and gives each word t a score s_t for each
tag; A scores neighbors (`crf`), or is left out (`softmax`). A word is read as its vector, joined by
what a CNN finds in its characters where wanted. The vector is of the word alone, or of the word in
its sentence, from the encoder of the family `bert`, `gpt` or `elmo` (Devlin et al. 2019, section
5.3; Peters et al. 2018, section 3.3). Both can be those of a trained run whose tokens are words,
vectors also those of a file (`start.workdir`).

Sources: Huang et al. 2015 (BiLSTM-CRF); Lample et al. 2016 (its form here); Ma and Hovy 2016
(characters by a CNN, sizes).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import tokens
from genjax.core.batch import batch_mean, batch_sum
from genjax.core.config import Base, Start, TextData, fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, compute_dtype, shared_fields
from genjax.core.fields import field, read, subsection
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import init_key, step_key
from genjax.core.update import first_state, minimize
from genjax.families._encoders import (
    ENCODERS,
    Context,
    ContextFields,
    EncoderOptimizer,
    adopt_encoder,
    drop_words,
    make_encoder,
)
from genjax.families._recurrent import RecurrentFields, make_recurrent
from genjax.models.characters import CharacterCNN
from genjax.models.dense import Dropout
from genjax.models.embedding import Embedding
from genjax.models.features import watched
from genjax.models.layers import Layers, stacks_of
from genjax.models.recurrent import Recurrent

_DROPOUT, _WORDS = range(2)  # uses of the step's key


@dataclass(frozen=True)
class Model(RecurrentFields, ContextFields):
    """The section `model`."""

    words: str = field(
        "table",
        "vectors of words: of embed_dim, or an encoder's in a sentence",
        choices=("table", *ENCODERS),
    )
    head: str = field("crf", "tags together, or each by itself", choices=("crf", "softmax"))
    char_filters: int = field(
        30, "convolutions over a word's characters; 0: they are not seen", ge=0
    )
    char_width: int = field(3, "characters that each of them sees", ge=1)
    char_embed_dim: int = field(30, "width of a character's vector", ge=1)
    word_dropout: float = field(
        0.0, "rate at which words become UNK in training; characters stay", ge=0, lt=1
    )

    def check(self, spec: DataSpec) -> None:
        """Raises `ConfigError` for fields that do not go together."""
        if self.layers < 1:
            raise fail("model.layers", self.layers, "must be at least 1")
        self.check_encoder(self.words, spec)


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for short texts."""

    family: str = "tagger"
    data: TextData = subsection(TextData, kind="tagged", tokenizer="word")
    optimizer: EncoderOptimizer = subsection(EncoderOptimizer, clip_norm=5.0)
    model: Model = subsection(Model, embed_dim=100, hidden=100, dropout=0.5)
    start: Start = subsection(Start, networks=("encoder",))


default_config = Config.defaults


class TagScorer(nn.Module):
    """Scores each tag at each word, from words and their characters.

    Attributes:
      num_tags: K.
      vocab_size: number of words.
      embed_dim: width of a word's vector.
      recurrent: the network.
      characters: of the words; None: characters are not seen.
    """

    num_tags: int
    vocab_size: int
    embed_dim: int
    recurrent: Recurrent
    characters: CharacterCNN | None = None

    @nn.compact
    def __call__(
        self, x_BxT: jax.Array, chars_BxTxC: Any, words_BxTxD: Any = None, *, train: bool = False
    ) -> jax.Array:
        """Maps words (B, T), padded, and characters (B, T, C) to scores (B, T, K), float32.

        The words' vectors are `words_BxTxD` or, where it is None, those of a table.
        """
        r = self.recurrent
        if words_BxTxD is None:
            embed = Embedding(self.vocab_size, self.embed_dim, std=0.1, dtype=r.dtype, name="words")
            words_BxTxD = embed(x_BxT)
        words = [words_BxTxD]
        if self.characters is not None:
            words.append(self.characters(chars_BxTxC))
        h, _ = r(jnp.concatenate(words, axis=-1), tokens.lengths(x_BxT), train=train)
        h = Dropout(r.dropout)(h, train=train)
        return jnp.asarray(nn.Dense(self.num_tags, dtype=r.dtype)(h), jnp.float32)


def adopt(config: ConfigDict, other: ConfigDict) -> dict[str, Any]:
    """See `families.adopt` and `genjax.families._encoders.adopt_encoder`."""
    if other.data.tokenizer != "word":
        message = f"is a run of {other.data.tokenizer} tokens; must be words, which have tags"
        raise fail("start.workdir", config.start.workdir, message)
    return adopt_encoder(config, other, "model.words", "scorer/words/tokens")


@dataclass(frozen=True, kw_only=True, eq=False)
class Tagger(Family):
    """The family `tagger`.

    Evaluation reports `nll` (nats of a sentence's tags), and `accuracy`, the share of words whose
    tag is right; both are of sentences as far as the model sees them, `data.length` words.
    """

    model: Model
    scorer: TagScorer
    encoder: nn.Module | None  # of words in a sentence; None: words have vectors of their own
    context: Context | None  # of the encoder
    optimizer: optax.GradientTransformation

    # The networks.

    def scores(self, params: Any, batch: Batch, **options: Any) -> jax.Array:
        """Computes the scores (B, T, K) of tags at the words of `x` (B, T), with their `chars`."""
        inputs = batch["x"], batch.get("chars"), self.words(params, batch["x"], **options)
        if "rngs" in options:  # the encoder's dropout has other draws
            options["rngs"] = {n: jax.random.fold_in(k, 1) for n, k in options["rngs"].items()}
        return applied(self.scorer, params["scorer"], *inputs, **options)

    def words(self, params: Any, x_BxT: jax.Array, **options: Any) -> jax.Array | None:
        """Computes the vectors (B, T, D) of words in their sentence; None without an encoder."""
        if self.encoder is None or self.context is None:
            return None
        h_BxSxD = self.context.vectors(self.encoder, params, x_BxT, **options)
        return h_BxSxD[:, self.context.first :]

    def log_likelihood(self, params: Any, scores_BxTxK: jax.Array, batch: Batch) -> jax.Array:
        """Computes log p(tags | words) of each row, (B,)."""
        label_BxT, lengths_B = batch["label"], tokens.lengths(batch["x"])
        if self.model.head == "crf":
            transitions = losses.Transitions(**params["crf"])
            return losses.crf_log_likelihood(scores_BxTxK, label_BxT, lengths_B, transitions)
        log_p_BxTxK = nn.log_softmax(scores_BxTxK)
        one_hot_BxTxK = jax.nn.one_hot(label_BxT, self.spec.num_classes)
        chosen_BxTxK = one_hot_BxTxK * tokens.is_token(batch["x"])[..., None]
        return (log_p_BxTxK * chosen_BxTxK).sum((1, 2))

    def best_tags(self, params: Any, scores_BxTxK: jax.Array, x_BxT: jax.Array) -> jax.Array:
        """Finds the likeliest tags of words (B, T), int32 (B, T); 0 of padding."""
        if self.model.head == "softmax":
            return jnp.where(x_BxT != tokens.PAD, scores_BxTxK.argmax(-1), 0)
        transitions = losses.Transitions(**params["crf"])
        return losses.crf_viterbi(scores_BxTxK, tokens.lengths(x_BxT), transitions)[0]

    # The loss.

    def tag_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes -log p(tags | words), in nats a word (Lample et al. 2016, section 2.2).

        Args:
          params: of `scorer` and, as configured, `encoder`, `mix` and `crf`.
          rows: `x` (B, T), of which words may be dropped, `label` (B, T) and `chars` (B, T, C).
          shared: `key` of dropout, and `mean_count` of words over the batch.
          part: number of the part, folded into the key.
        """
        rngs = {"dropout": jax.random.fold_in(shared["key"], part)}
        scores_BxTxK = self.scores(params, rows, train=True, rngs=rngs)
        nll_B = -self.log_likelihood(params, scores_BxTxK, rows)
        loss = (nll_B / jnp.maximum(shared["mean_count"], 1e-6)).mean()
        return loss, {"loss": loss}

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        mean_count = batch_mean(tokens.is_token(batch["x"]).sum(-1).mean())
        rows: Batch = {name: batch[name] for name in ("chars", "label") if name in batch}
        rows["x"] = drop_words(batch["x"], step_key(state, _WORDS), self.model.word_dropout)
        return rows, {"key": step_key(state, _DROPOUT), "mean_count": mean_count}

    @property
    def stacks(self) -> tuple[Layers, ...]:
        """See `Family`."""
        return stacks_of(self.encoder)

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        x_BxT = jnp.ones((1, *self.spec.shape), jnp.int32)
        chars_BxTxC = jnp.ones((1, *self.spec.char_shape), jnp.int32)
        params: dict[str, Any] = {}
        if self.encoder is not None and self.context is not None:
            encoder_key = jax.random.fold_in(init_key(key), 1)
            params |= self.context.init(self.encoder, encoder_key, x_BxT)
        inputs = x_BxT, chars_BxTxC, self.words(params, x_BxT)
        variables = self.scorer.init(init_key(key), *inputs)
        params["scorer"] = variables["params"]
        if self.model.head == "crf":
            num_tags = self.spec.num_classes
            ends, pairs = jnp.zeros(num_tags), jnp.zeros((num_tags, num_tags))
            params["crf"] = losses.Transitions(pairs, ends, ends)._asdict()
        return first_state(key, params, self.optimizer, self)

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""
        return minimize(self.tag_loss, state, *self.inputs(state, batch), self.optimizer, self)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """See `Family`."""
        params, x_BxT, mask_B = state.eval_params, batch["x"], batch["mask"]
        scores_BxTxK, real_BxT = self.scores(params, batch), tokens.is_token(x_BxT)
        right_BxT = (self.best_tags(params, scores_BxTxK, x_BxT) == batch["label"]) * real_BxT
        sums = {
            "count": mask_B.sum(),
            "nll": -(mask_B * self.log_likelihood(params, scores_BxTxK, batch)).sum(),
            "accuracy": (mask_B * right_BxT.sum(-1)).sum(),
            "words": (mask_B * real_BxT.sum(-1)).sum(),
        }
        return batch_sum(sums)

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """Turns right tags of a sentence into their share of its words."""
        return {"nll": means["nll"], "accuracy": means["accuracy"] / means["words"]}

    # What it is used for.

    def tag(self, state: State, x_BxT: jax.Array, chars_BxTxC: Any = None) -> jax.Array:
        """Finds the best tags of words (B, T) with characters (B, T, C), int32; 0 of padding."""
        params = state.eval_params
        scores_BxTxK = self.scores(params, {"x": x_BxT, "chars": chars_BxTxC})
        return self.best_tags(params, scores_BxTxK, x_BxT)

    def features(
        self, state: State, x_BxT: jax.Array, chars_BxTxC: Any = None
    ) -> dict[str, jax.Array]:
        """Computes the layers of the recurrent network, and of an encoder: (B, T, D) each."""
        watching, layers = watched(self, scorer="scorer", encoder="encoder")
        watching.tag(state, x_BxT, chars_BxTxC)
        first = {"encoder": self.context.first if self.context else 0, "scorer": 0}  # behind BOS
        return {name: h[:, first[name.partition(".")[0]] :] for name, h in layers.items()}


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Tagger:
    """Builds the family from a config like `configs/tagger.py`; raises `ConfigError`."""
    model = read(Model, config, "model")
    factor = read(EncoderOptimizer, config, "optimizer").encoder_lr_scale
    _check(model, config, spec)
    encoder, context = None, None
    if model.words != "table":
        encoder, context = make_encoder(model.words, model, spec, config)
    factors = {} if encoder is None else {"encoder": factor}
    return Tagger(
        **shared_fields(config, spec, total_steps),
        model=model,
        scorer=_make_scorer(model, spec, config.precision),
        encoder=encoder,
        context=context,
        optimizer=make_optimizer(config.optimizer, total_steps, factors),
    )


def _make_scorer(m: Model, spec: DataSpec, precision: str) -> TagScorer:
    dtype = compute_dtype(precision)
    characters = None
    if m.char_filters:
        filters = ((m.char_width, m.char_filters),)
        characters = CharacterCNN(spec.char_vocab_size, m.char_embed_dim, filters, dtype=dtype)
    recurrent = make_recurrent(m, dtype, bidirectional=True)
    return TagScorer(spec.num_classes, spec.vocab_size, m.embed_dim, recurrent, characters)


def _check(model: Model, config: ConfigDict, spec: DataSpec) -> None:
    if spec.kind != "tagged":
        raise fail("data.name", config.data.name, "must be words with tags, as conll:FILE has them")
    model.check(spec)
