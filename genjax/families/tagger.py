"""Tagger of words: a bidirectional recurrent network with a conditional random field on top.

A word is its vector, joined by what a CNN finds in its characters where wanted. The vector is of
the word alone, or BERT's of the word in its sentence (Devlin et al. 2019, section 5.3), whose
encoder can be that of a trained run (`pretrained.workdir`) whose tokens are words. The network
reads the sentence both ways; each word gets a score for each tag; and tags are chosen together,
with scores for neighbours (`crf`), or each by itself (`softmax`).

Sources: Huang et al. 2015 (BiLSTM-CRF); Lample et al. 2016 (its form here); Ma and Hovy 2016
(characters by a CNN, sizes).
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import tokens
from genjax.core.batch import batch_mean, batch_sum, batch_uniform
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
from genjax.models.bert import one_text
from genjax.models.characters import CharacterCNN
from genjax.models.dense import Dropout
from genjax.models.embedding import Embedding
from genjax.models.recurrent import Recurrent
from genjax.models.token_corruption import hide_tokens

_DROPOUT, _WORDS = range(2)  # uses of the step's key
HEADS = ("crf", "softmax")
WORDS = ("table", "bert")


class TagScorer(nn.Module):
    """Words, and their characters, to a score for each tag.

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
        """Words (B, T), padded, and characters (B, T, C) to scores (B, T, K), float32.

        The words' vectors are `words_BxTxD`, or else of a table of its own.
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


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for short texts; recipes change what they need."""
    c = base()
    c.family = "tagger"
    text_data(c, kind="tagged", tokenizer="word", length=64)
    c.model = recurrent_fields(embed_dim=100, hidden=100, dropout=0.5)
    c.model.words = "table"  # vectors of words, of `embed_dim`; or "bert": of words in a sentence
    c.model.bert = encoder_fields()
    c.model.head = "crf"  # or "softmax": each tag by itself
    c.model.char_filters = 30  # convolutions over a word's characters; 0: they are not seen
    c.model.char_width = 3  # characters that each of them sees
    c.model.char_embed_dim = 30  # width of a character's vector
    c.model.word_dropout = 0.0  # rate at which words become UNK in training; characters stay
    c.optimizer = optimizer(learning_rate=1e-3, clip_norm=5.0)
    c.optimizer.encoder_factor = 1.0  # of the learning rate, for bert; 0: it stays as it is
    c.pretrained = pretrained("encoder")
    return c


def adopt(config: ConfigDict, other: ConfigDict) -> dict[str, Any]:
    """See `families.adopt`; `other` is of the family `bert`, its tokens are words."""
    decided = {"model.words": "bert"} | adopt_encoder(config, other)
    if other.data.tokenizer != "word":
        told = f"is a run whose tokens are {other.data.tokenizer}; must be words, which have tags"
        raise fail("pretrained.workdir", config.pretrained.workdir, told)
    return decided


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> OldFamily:
    """The family `tagger` for a config like `configs/tagger.py`.

    Evaluation reports `nll` (nats of a sentence's tags), and `accuracy`, the share of words whose
    tag is right; both are of sentences as far as the model sees them, `data.length` words.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    m, num_tags, dtype = config.model, spec.num_classes, compute_dtype(config.precision)
    characters = None
    if m.char_filters:
        filters = ((m.char_width, m.char_filters),)
        characters = CharacterCNN(spec.char_vocab_size, m.char_embed_dim, filters, dtype=dtype)
    recurrent = make_recurrent(m, dtype, bidirectional=True)
    scorer = TagScorer(num_tags, spec.vocab_size, m.embed_dim, recurrent, characters)
    encoder = make_encoder(config, spec.vocab_size, spec.shape[0])
    has_encoder, factor = m.words == "bert", config.optimizer.encoder_factor
    factors = {"encoder": factor} if has_encoder else {}
    tx = make_optimizer(config.optimizer, total_steps, factors)

    def init(key: jax.Array) -> State:
        x_BxT = jnp.ones((1, *spec.shape), jnp.int32)
        chars_BxTxC = jnp.ones((1, *spec.char_shape), jnp.int32)
        params: dict[str, Any] = {}
        words_BxTxD = None
        if has_encoder:
            encoder_key = jax.random.fold_in(init_key(key), 1)
            params["encoder"] = encoder.init(encoder_key, one_text(x_BxT))["params"]
            words_BxTxD = jnp.zeros((*x_BxT.shape, m.bert.width), dtype)
        variables = scorer.init(init_key(key), x_BxT, chars_BxTxC, words_BxTxD)
        params["scorer"] = variables["params"]
        if m.head == "crf":
            ends, pairs = jnp.zeros(num_tags), jnp.zeros((num_tags, num_tags))
            params["crf"] = losses.Transitions(pairs, ends, ends)._asdict()
        return first_state(key, params, tx, config)

    def scores_with(params: Any, batch: Batch, **kwargs: Any) -> jax.Array:
        words_BxTxD: Any = None
        if has_encoder:
            ids_BxT = one_text(batch["x"])
            h_BxTxD: Any = encoder.apply({"params": params["encoder"]}, ids_BxT, **kwargs)
            words_BxTxD = (h_BxTxD if factor else jax.lax.stop_gradient(h_BxTxD))[:, 1:]
        inputs = batch["x"], batch.get("chars"), words_BxTxD
        scores: Any = scorer.apply({"params": params["scorer"]}, *inputs, **kwargs)
        return scores

    def log_likelihood(params: Any, scores_BxTxK: jax.Array, batch: Batch) -> jax.Array:
        """Of the tags of each row, (B,)."""
        label_BxT, lengths_B = batch["label"], tokens.lengths(batch["x"])
        if m.head == "crf":
            transitions = losses.Transitions(**params["crf"])
            return losses.crf_log_likelihood(scores_BxTxK, label_BxT, lengths_B, transitions)
        log_p_BxTxK = nn.log_softmax(scores_BxTxK)
        chosen_BxTxK = jax.nn.one_hot(label_BxT, num_tags) * tokens.is_token(batch["x"])[..., None]
        return (log_p_BxTxK * chosen_BxTxK).sum((1, 2))

    def best_tags(params: Any, scores_BxTxK: jax.Array, x_BxT: jax.Array) -> jax.Array:
        if m.head == "softmax":
            return jnp.where(x_BxT != tokens.PAD, scores_BxTxK.argmax(-1), 0)
        transitions = losses.Transitions(**params["crf"])
        return losses.crf_viterbi(scores_BxTxK, tokens.lengths(x_BxT), transitions)[0]

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        key, x_BxT = step_key(state, _DROPOUT), batch["x"]
        mean_count = batch_mean(tokens.is_token(x_BxT).sum(-1).mean())
        if m.word_dropout:
            uniform_BxT = batch_uniform(step_key(state, _WORDS), x_BxT.shape)
            x_BxT = hide_tokens(x_BxT, uniform_BxT, m.word_dropout, tokens.UNK)

        def objective(params: Any, rows: Batch, part: jax.Array) -> tuple[jax.Array, Metrics]:
            rngs = {"dropout": jax.random.fold_in(key, part)}
            scores_BxTxK = scores_with(params, rows, train=True, rngs=rngs)
            nll_B = -log_likelihood(params, scores_BxTxK, rows)
            loss = (nll_B / jnp.maximum(mean_count, 1e-6)).mean()
            return loss, {"loss": loss}

        rows = {name: batch[name] for name in ("chars", "label") if name in batch}
        return minimise(objective, state, rows | {"x": x_BxT}, tx, config)

    def tag(state: State, x_BxT: jax.Array, chars_BxTxC: Any = None) -> jax.Array:
        """The best tags of words (B, T) with characters (B, T, C), int32 (B, T); 0 of padding."""
        params = state.ema or state.params
        return best_tags(params, scores_with(params, {"x": x_BxT, "chars": chars_BxTxC}), x_BxT)

    def evaluate(state: State, batch: Batch) -> Metrics:
        params, mask_B = state.ema or state.params, batch["mask"]
        scores_BxTxK, real_BxT = scores_with(params, batch), tokens.is_token(batch["x"])
        right_BxT = (best_tags(params, scores_BxTxK, batch["x"]) == batch["label"]) * real_BxT
        return batch_sum({
            "count": mask_B.sum(),
            "nll": -(mask_B * log_likelihood(params, scores_BxTxK, batch)).sum(),
            "accuracy": (mask_B * right_BxT.sum(-1)).sum(),
            "words": (mask_B * real_BxT.sum(-1)).sum(),
        })  # fmt: skip

    return OldFamily(
        init=init, step=step, evaluate=evaluate, sample=None, batch_shape=(config.batch_size,),
        functions={"tag": tag}, summary=_summary,
    )  # fmt: skip


def _summary(means: Any) -> Any:
    return {"nll": means["nll"], "accuracy": means["accuracy"] / means["words"]}


def _check(config: ConfigDict, spec: DataSpec) -> None:
    m = config.model
    if spec.kind != "tagged":
        raise fail("data.name", config.data.name, "must be words with tags, as conll:FILE has them")
    choose("model.head", m.head, HEADS)
    choose("model.words", m.words, WORDS)
    if m.words == "bert":
        check_encoder(config, spec.shape[0])
        check_factor(config)
    check_recurrent(m)
    check_rates(m, "word_dropout")
    for field, least in (("char_filters", 0), ("char_width", 1), ("char_embed_dim", 1)):
        if m[field] < least:
            raise fail(f"model.{field}", m[field], f"must be at least {least}")
