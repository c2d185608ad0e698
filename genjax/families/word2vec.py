"""word2vec: vectors of words, trained to predict the words around them.

Skip-gram predicts each word of a context from the word in its middle, the continuous bag of words
(CBOW) the word in the middle from the mean or sum of its context. Sources: Mikolov et al. 2013a and
2013b (see `genjax.losses.word2vec`); subsampling, contexts and rates as in word2vec's program.

A step cuts its text into tiles (`genjax.models.context`). It reads the rows of a tile once, makes
the scores of all its pairs, and of all its words with noise that they share, by one matrix product,
and adds to each table one row for each that it read: no gather and no scatter for each pair.
Updates touch only rows that were read, so the optimizer is plain stochastic gradient descent, on
the sum over pairs and not their mean: a learning rate means what it means in word2vec's program.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_gather, batch_rows, batch_sum, batch_uniform
from genjax.core.config import base, choose, fail, optimizer, text_data
from genjax.core.family import (
    Batch,
    DataSpec,
    Metrics,
    OldFamily,
    State,
    init_key,
    new_state,
    step_key,
)
from genjax.core.optimizer import make_optimizer
from genjax.core.tokens import NUM_SPECIALS, PAD
from genjax.models import context, unigram

_THINNING, _NOISE = range(2)  # uses of the step's key
ARCHITECTURES = ("skipgram", "cbow")
OBJECTIVES = ("negative_sampling", "hierarchical_softmax", "softmax")


def default_config() -> ConfigDict:
    """Every field of the family, with the defaults of word2vec's program."""
    c = base()
    c.family = "word2vec"
    c.batch_size = 1  # passages of data.length tokens
    text_data(c, kind="passage", tokenizer="word", min_count=5, lowercase=True, length=1024)
    c.data.vocab_size = 1_000_000
    c.data.phrases = 0  # rounds in which pairs become one word: 1 new_york, 2 new_york_times
    c.data.phrase_threshold = 10.0  # the higher, the fewer: see genjax/data/phrases.py
    c.model = ConfigDict()
    c.model.architecture = "skipgram"  # or "cbow"
    c.model.embedding_dim = 100
    c.model.cbow_mean = True  # the mean of a context's vectors; False: their sum
    c.model.tile = 16  # words that are computed together; at least loss.window
    c.loss = ConfigDict()
    c.loss.objective = "negative_sampling"  # or "hierarchical_softmax", "softmax"
    c.loss.window = 5  # words on each side that a context reaches at most
    c.loss.dynamic_window = True  # each word's reach is drawn from 1 … window
    c.loss.subsample = 1e-3  # words more frequent than this are thinned; 0: none
    c.loss.num_negatives = 5  # K, weight of the noise against one true word
    c.loss.shared_negatives = 16  # N, words of noise that a tile shares
    c.loss.negative_power = 0.75  # of the counts, in the noise distribution
    # A row that a step reads more often moves by so many mean updates: frequent words would diverge
    # (0: by their sum).
    c.loss.max_repeats = 16
    c.optimizer = optimizer(
        name="sgd", learning_rate=0.025, b1=0.0, schedule="linear", end_factor=0.004
    )
    return c


class _Tiles(NamedTuple):
    """A step's text as G tiles of T words, whose contexts lie among S and whose targets among P.

    Attributes:
      context_GxTxS: 1.0 where a word is in the context of a tile's word.
      predicts_GxTxP: 1.0 where a tile's word, or its context, is to predict a target.
      target_GxP: int32, the targets: of skip-gram the words around, of CBOW the tile's own.
      rows: the rows of each table that are read, int32, first axis G (of a softmax: all rows).
    """

    context_GxTxS: jax.Array
    predicts_GxTxP: jax.Array
    target_GxP: jax.Array
    rows: dict[str, jax.Array]


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> OldFamily:
    """The family `word2vec` for a config like `configs/word2vec_skipgram.py`.

    It makes no samples, for it is no model of texts. Functions: `vectors(state)`, the table (V, D);
    `encode(state, x_BxT)`, the mean of a text's vectors; `similarity(state, token_B)`, cosines
    (B, V) with all words; `context(state, token_B)`, the log-probabilities (B, V) of words in the
    context of a word (of CBOW, of the word whose whole context it is).

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    m, loss, tx = config.model, config.loss, make_optimizer(config.optimizer, total_steps)
    length, reach, tile, dim = spec.shape[0], loss.window, m.tile, m.embedding_dim
    counts = np.array(spec.token_counts)
    keep_V = unigram.keep_probability(counts, loss.subsample)
    capacity = tile * -(-_most_kept(counts, keep_V, length) // tile)
    frequency = unigram.word_counts(counts)
    noise_V = np.where(frequency > 0, np.maximum(frequency, 1.0) ** loss.negative_power, 0.0)
    # Made when a program is traced that needs them: of a large vocabulary they take seconds.
    noise = functools.cache(lambda: unigram.alias_table(noise_V))
    code = functools.cache(lambda: unigram.huffman_code(counts))
    bits_shape = (capacity // tile, loss.shared_negatives, 2)
    most = 0 if loss.objective == "softmax" else loss.max_repeats  # that reads every row once

    def init(key: jax.Array) -> State:
        size = (spec.vocab_size, dim)
        vectors = jax.random.uniform(init_key(key), size, minval=-0.5 / dim, maxval=0.5 / dim)
        params = {"input": vectors, "output": jnp.zeros(size)}
        return new_state(key, params=params, opt_state={"optimizer": tx.init(params)})

    def tiles(x_BxL: jax.Array, uniform_BxL: jax.Array, bits: jax.Array) -> _Tiles:
        words = context.thin(
            x_BxL, uniform_BxL, jnp.asarray(keep_V), reach, capacity, dynamic=loss.dynamic_window
        )
        context_GxTxS = context.context_mask(words, tile, reach)
        # What is in no context is not read: rows of the batch stay apart, on however many devices.
        around_GxS = context.halo(words.token, tile, reach)
        around_GxS = jnp.where(context_GxTxS.max(1) > 0, around_GxS, PAD)
        inputs, target_GxP = words.token.reshape(-1, tile), around_GxS
        predicts = context_GxTxS
        if m.architecture == "cbow":
            inputs, target_GxP = target_GxP, inputs
            predicts = jnp.eye(tile) * (context_GxTxS.sum(-1, keepdims=True) > 0)
        if loss.objective == "negative_sampling":
            noise_GxN = unigram.draw(noise(), bits).reshape(len(target_GxP), -1)
            read = jnp.concatenate([target_GxP, noise_GxN], axis=1)
        elif loss.objective == "hierarchical_softmax":
            read = jnp.asarray(code().node)[target_GxP]
        else:
            read = jnp.arange(spec.vocab_size)
        return _Tiles(context_GxTxS, predicts, target_GxP, {"input": inputs, "output": read})

    def total(rows: dict[str, jax.Array], t: _Tiles) -> jax.Array:
        """Loss summed over all predictions, given the rows that they read."""
        hidden_GxTxD, output = rows["input"], rows["output"]
        if m.architecture == "cbow":
            number = t.context_GxTxS.sum(-1, keepdims=True) if m.cbow_mean else 1.0
            hidden_GxTxD = (t.context_GxTxS / jnp.maximum(number, 1.0)) @ rows["input"]
        if loss.objective == "negative_sampling":
            # One product for the words to predict and for noise.
            positive, negative = jnp.split(
                hidden_GxTxD @ output.mT, [t.target_GxP.shape[1]], axis=-1
            )  # fmt: skip
            return losses.negative_sampling_loss(
                positive, t.predicts_GxTxP, negative, loss.num_negatives
            ).sum()
        if loss.objective == "hierarchical_softmax":
            score_GxTxPxK = jnp.einsum("gtd,gpkd->gtpk", hidden_GxTxD, output)
            sign_GxPxK = jnp.asarray(code().sign)[t.target_GxP]
            nll_GxTxP = losses.hierarchical_softmax_loss(score_GxTxPxK, sign_GxPxK[:, None])
        else:
            logits_GxTxV = hidden_GxTxD @ output[NUM_SPECIALS:].T
            normaliser_GxTx1 = jax.nn.logsumexp(logits_GxTxV, axis=-1, keepdims=True)
            nll_GxTxP = normaliser_GxTx1 - hidden_GxTxD @ output[t.target_GxP].mT
        return (t.predicts_GxTxP * nll_GxTxP).sum()

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        x_BxL = batch["x"]
        uniform_BxL = batch_uniform(step_key(state, _THINNING), x_BxL.shape)
        key = step_key(state, _NOISE)
        bits = batch_rows(lambda s: jax.random.bits(key, s), (len(x_BxL), *bits_shape))
        t = tiles(x_BxL, uniform_BxL, bits)
        rows = {name: _rows(table, t.rows[name]) for name, table in state.params.items()}
        value, gradient = jax.value_and_grad(total)(rows, t)
        # Without momentum and decay, the update of a row is a matter of that row alone.
        updates, opt_state = tx.update(gradient, state.opt_state["optimizer"])
        params = {
            name: _moved(table, batch_gather(t.rows[name]), batch_gather(updates[name]), most)
            for name, table in state.params.items()
        }
        number = batch_sum(t.predicts_GxTxP.sum())
        metrics = {"loss": batch_sum(value) / jnp.maximum(number, 1.0), "pairs": number}
        state = state.replace(
            step=state.step + 1, params=params, opt_state={"optimizer": opt_state}
        )
        return state, metrics

    def evaluate(state: State, batch: Batch) -> Metrics:
        """The loss on held-out passages, thinned and with noise that are the same every time."""
        uniform_1xL = jax.random.uniform(jax.random.key(0), (1, length))
        bits = jax.random.bits(jax.random.key(1), (1, *bits_shape))

        def of(x_L: jax.Array) -> tuple[jax.Array, jax.Array]:
            t = tiles(x_L[None], uniform_1xL, bits)
            rows = {name: _rows(table, t.rows[name]) for name, table in state.params.items()}
            return total(rows, t), t.predicts_GxTxP.sum()

        nll_B, pairs_B = jax.lax.map(of, batch["x"])
        mask_B = batch["mask"]
        sums = {"nll": mask_B * nll_B, "pairs": mask_B * pairs_B, "count": mask_B}
        return batch_sum({name: value.sum() for name, value in sums.items()})

    def summary(means: Any) -> Any:
        return {"loss": means["nll"] / np.maximum(means["pairs"], 1e-9)}

    def vectors(state: State) -> jax.Array:
        return state.params["input"]

    def encode(state: State, x_BxT: jax.Array) -> jax.Array:
        is_word = (x_BxT >= NUM_SPECIALS).astype(jnp.float32)[..., None]
        sums_BxD = (vectors(state)[x_BxT] * is_word).sum(1)
        return sums_BxD / jnp.maximum(is_word.sum(1), 1.0)

    def similarity(state: State, token_B: jax.Array) -> jax.Array:
        table_VxD = vectors(state)
        norm_Vx1 = jnp.linalg.norm(table_VxD, axis=-1, keepdims=True)
        unit_VxD = table_VxD / jnp.maximum(norm_Vx1, 1e-30)
        return unit_VxD[token_B] @ unit_VxD.T

    def context_of(state: State, token_B: jax.Array) -> jax.Array:
        score_BxV = vectors(state)[token_B] @ state.params["output"].T
        if loss.objective == "hierarchical_softmax":
            sign_VxK = jnp.asarray(code().sign)
            nll_BxV = jax.lax.map(
                lambda score_V: losses.hierarchical_softmax_loss(score_V[code().node], sign_VxK),
                score_BxV,
            )
            return jnp.where(frequency > 0, -nll_BxV, -jnp.inf)
        # Against noise q, scores learn log p(c | w) / K q(c): Levy and Goldberg 2014, section 3.1.
        prior_V = noise_V if loss.objective == "negative_sampling" else frequency > 0
        return jax.nn.log_softmax(score_BxV + jnp.log(jnp.asarray(prior_V, jnp.float32)))

    return OldFamily(
        init=init, step=step, evaluate=evaluate, sample=None, batch_shape=(config.batch_size,),
        functions={
            "vectors": vectors, "encode": encode, "similarity": similarity, "context": context_of,
        },
        summary=summary, has_prior=False,
    )  # fmt: skip


def _rows(table: jax.Array, index: jax.Array) -> jax.Array:
    return table.at[index].get(mode="promise_in_bounds")


def _moved(table: jax.Array, index: jax.Array, update: jax.Array, most: int) -> jax.Array:
    """The table with `update` (…, D) added to its rows `index` (…).

    The sum of the updates of a row is cut to `most` times their mean; 0: it is not.
    """
    index, update = index.reshape(-1), update.reshape(-1, table.shape[1])
    if most:
        times_V = jnp.zeros(len(table)).at[index].add(1.0)
        update *= jnp.minimum(1.0, most / _rows(times_V, index))[:, None]
    return table.at[index].add(update)


def _most_kept(counts: np.ndarray, keep_V: np.ndarray, length: int) -> int:
    """Words that thinning leaves of `length` tokens, and two standard deviations more."""
    share = float((counts * keep_V).sum() / max(counts.sum(), 1))
    return min(length, int(length * share + 2 * np.sqrt(length * share)) + 1)


def _check(config: ConfigDict, spec: DataSpec) -> None:
    m, loss, o = config.model, config.loss, config.optimizer
    if spec.kind != "passage":
        raise fail("data.name", config.data.name, "must be a text, with data.kind=passage")
    if unigram.word_counts(np.array(spec.token_counts)).astype(bool).sum() < 2:
        raise fail("data.min_count", config.data.min_count, "leaves fewer than two words")
    choose("model.architecture", m.architecture, ARCHITECTURES)
    choose("loss.objective", loss.objective, OBJECTIVES)
    for field in ("model.embedding_dim", "loss.window", "loss.shared_negatives"):
        section, name = field.split(".")
        if config[section][name] < 1:
            raise fail(field, config[section][name], "must be at least 1")
    for field in ("subsample", "num_negatives", "negative_power", "max_repeats"):
        if loss[field] < 0:
            raise fail(f"loss.{field}", loss[field], "must be at least 0")
    if m.tile < loss.window:
        raise fail("model.tile", m.tile, f"must be at least loss.window={loss.window}")
    _check_optimizer(o)
    for field, only in (("accumulate_steps", 1), ("ema_decay", 0.0), ("precision", "float32")):
        if config[field] != only:
            raise fail(field, config[field], f"must be {only} for word2vec")


def _check_optimizer(o: ConfigDict) -> None:
    why = "only rows that a step reads are updated"
    if o.name != "sgd":
        raise fail("optimizer.name", o.name, f"must be sgd: {why}")
    for field in ("b1", "weight_decay", "clip_norm"):
        if o[field]:
            raise fail(f"optimizer.{field}", o[field], f"must be 0: {why}")
