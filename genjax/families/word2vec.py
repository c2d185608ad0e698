"""word2vec: vectors of words, trained to predict the words around them.

Skip-gram predicts each word of a context from the word in its middle, the continuous bag of words
(CBOW) the word in the middle from the mean or sum of its context. With negative sampling the loss
of predicting the word c from a vector h is, for K words n of noise and output vectors u,

    -log sigmoid(u_c . h) - K E[log sigmoid(-u_n . h)];

a softmax over all words, or along the paths of a Huffman code, are the other objectives.

A step cuts its text into tiles (`genjax.ops.context`). It reads the rows of a tile once, computes
by one matrix product the scores of all its pairs, and of all its words with noise that they share,
and adds one row to a table for each that it read: pairs need no gather and no scatter. Updates
touch only rows that were read, so the optimizer is plain stochastic gradient descent. It minimizes
the sum over pairs, so that a learning rate means what it means in word2vec's program.

Sources: Mikolov et al. 2013a and 2013b (see `genjax.losses.word2vec`); subsampling, contexts and
rates as in word2vec's program; Levy and Goldberg 2014 (what the scores learn).
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_gather, batch_rows, batch_sum
from genjax.core.config import Base, Optimizer, TextData, fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, new_state, shared_fields
from genjax.core.fields import field, read, subsection
from genjax.core.optimizer import make_optimizer
from genjax.core.random import batch_uniform, init_key, step_key
from genjax.core.tokens import NUM_SPECIALS, PAD
from genjax.data.text import unigram
from genjax.ops.context import context_mask, halo, thin

_THINNING, _NOISE = range(2)  # uses of the step's key
OBJECTIVES = ("negative_sampling", "hierarchical_softmax", "softmax")


@dataclass(frozen=True)
class Model:
    """The section `model`."""

    architecture: str = field(
        "skipgram",
        "predicts the words around a word, or it from them",
        choices=("skipgram", "cbow"),
    )
    embedding_dim: int = field(100, "numbers of a vector", ge=1)
    cbow_mean: bool = field(True, "the mean of a context's vectors; False: their sum")
    tile: int = field(16, "words that are computed together; at least loss.window")


@dataclass(frozen=True)
class Loss:
    """The section `loss`."""

    objective: str = field("negative_sampling", "of a prediction", choices=OBJECTIVES)
    window: int = field(5, "words on each side that a context reaches at most", ge=1)
    dynamic_window: bool = field(True, "each word's reach is drawn from 1 … window")
    subsample: float = field(1e-3, "words more frequent than this are thinned; 0: none", ge=0)
    num_negatives: int = field(5, "K, weight of the noise against one true word", ge=0)
    shared_negatives: int = field(16, "N, words of noise that a tile shares", ge=1)
    negative_power: float = field(0.75, "of the counts, in the noise distribution", ge=0)
    # Without it, the vectors of frequent words diverge.
    max_repeats: int = field(
        16,
        "a row that a step reads more often moves by so many mean updates; 0: by their sum",
        ge=0,
    )


@dataclass(frozen=True)
class PhraseData(TextData):
    """The section `data`; see `genjax.data.text.phrases`."""

    phrases: int = field(
        0, "rounds in which pairs become one word: 1 new_york, 2 new_york_times", ge=0
    )
    phrase_threshold: float = field(10.0, "the higher, the fewer of them", gt=0)


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with the defaults of word2vec's program."""

    family: str = "word2vec"
    batch_size: int = field(1, "passages of data.length tokens", ge=1)
    data: PhraseData = subsection(
        PhraseData,
        kind="passage",
        tokenizer="word",
        vocab_size=1_000_000,
        min_count=5,
        lowercase=True,
        length=1024,
    )
    optimizer: Optimizer = subsection(
        Optimizer, name="sgd", learning_rate=0.025, b1=0.0, schedule="linear", end_factor=0.004
    )
    model: Model = subsection(Model)
    loss: Loss = subsection(Loss)


default_config = Config.defaults


class Tiles(NamedTuple):
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Word2Vec(Family):
    """The family `word2vec`; it is no model of texts and draws no samples."""

    has_prior = False

    model: Model
    loss: Loss
    optimizer: optax.GradientTransformation

    # The network.

    def hidden(self, vectors: jax.Array, tiles: Tiles) -> jax.Array:
        """Computes what each word of a tile predicts from, (G, T, D).

        Args:
          vectors: the rows of the table `input` that the tiles read, (G, T, D); of CBOW (G, S, D).
          tiles: see `Tiles`.
        """
        if self.model.architecture == "skipgram":
            return vectors
        context_GxTxS = tiles.context_GxTxS
        number = context_GxTxS.sum(-1, keepdims=True) if self.model.cbow_mean else 1.0
        return (context_GxTxS / jnp.maximum(number, 1.0)) @ vectors

    # The loss.

    def pair_loss(self, params: Any, rows: Tiles, shared: Any, part: Any = 0) -> Any:
        """Computes the loss in nats, summed over all predictions of the tiles.

        -log sigmoid(u_c . h) - K E[log sigmoid(-u_n . h)] (Mikolov et al. 2013b, equation 4), or
        -log p(c | h) of a softmax.

        Args:
          params: the tables `input` and `output`, (V, D).
          rows: see `Tiles`.
          shared, part: not used.
        """
        return self._summed(_read(params, rows), rows)

    def _summed(self, read: dict[str, jax.Array], tiles: Tiles) -> tuple[jax.Array, Metrics]:
        """Computes `pair_loss` from the rows that the tiles read."""
        hidden_GxTxD, output = self.hidden(read["input"], tiles), read["output"]
        if self.loss.objective == "negative_sampling":
            # One product for the words to predict and for noise.
            scores, places = hidden_GxTxD @ output.mT, tiles.target_GxP.shape[1]
            positive, negative = jnp.split(scores, [places], axis=-1)
            total = losses.negative_sampling_loss(
                positive, tiles.predicts_GxTxP, negative, self.loss.num_negatives
            ).sum()
        else:
            if self.loss.objective == "hierarchical_softmax":
                score_GxTxPxK = jnp.einsum("gtd,gpkd->gtpk", hidden_GxTxD, output)
                sign_GxPxK = jnp.asarray(self._code.sign)[tiles.target_GxP]
                nll_GxTxP = losses.hierarchical_softmax_loss(score_GxTxPxK, sign_GxPxK[:, None])
            else:
                logits_GxTxV = hidden_GxTxD @ output[NUM_SPECIALS:].T
                normalizer_GxTx1 = jax.nn.logsumexp(logits_GxTxV, axis=-1, keepdims=True)
                nll_GxTxP = normalizer_GxTx1 - hidden_GxTxD @ output[tiles.target_GxP].mT
            total = (tiles.predicts_GxTxP * nll_GxTxP).sum()
        return total, {"nll": total, "pairs": tiles.predicts_GxTxP.sum()}

    def inputs(self, state: State, batch: Batch) -> tuple[Tiles, dict[str, Any]]:
        """Thins the text and draws the noise of the update that follows `state`."""
        x_BxL, key = batch["x"], step_key(state, _NOISE)
        uniform_BxL = batch_uniform(step_key(state, _THINNING), x_BxL.shape)
        bits = batch_rows(lambda s: jax.random.bits(key, s), (len(x_BxL), *self._bits_shape))
        return self.tiles(x_BxL, uniform_BxL, bits), {}

    def tiles(self, x_BxL: jax.Array, uniform_BxL: jax.Array, bits: jax.Array) -> Tiles:
        """Cuts texts into tiles.

        Args:
          x_BxL: tokens.
          uniform_BxL: uniform noise, for thinning and the reach of contexts.
          bits: random bits (B, …, N, 2), for the words of noise.
        """
        reach, tile, objective = self.loss.window, self.model.tile, self.loss.objective
        keep_V = jnp.asarray(self._keep_V)
        words = thin(
            x_BxL, uniform_BxL, keep_V, reach, self._capacity, dynamic=self.loss.dynamic_window
        )
        context_GxTxS = context_mask(words, tile, reach)
        # What is in no context is not read: rows of the batch stay apart, on however many devices.
        around_GxS = halo(words.token, tile, reach)
        around_GxS = jnp.where(context_GxTxS.max(1) > 0, around_GxS, PAD)
        inputs, target_GxP = words.token.reshape(-1, tile), around_GxS
        predicts = context_GxTxS
        if self.model.architecture == "cbow":
            inputs, target_GxP = target_GxP, inputs
            predicts = jnp.eye(tile) * (context_GxTxS.sum(-1, keepdims=True) > 0)
        if objective == "negative_sampling":
            noise_GxN = unigram.draw(self._noise, bits).reshape(len(target_GxP), -1)
            outputs = jnp.concatenate([target_GxP, noise_GxN], axis=1)
        elif objective == "hierarchical_softmax":
            outputs = jnp.asarray(self._code.node)[target_GxP]
        else:
            outputs = jnp.arange(self.spec.vocab_size)
        return Tiles(context_GxTxS, predicts, target_GxP, {"input": inputs, "output": outputs})

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        dim = self.model.embedding_dim
        size = (self.spec.vocab_size, dim)
        vectors = jax.random.uniform(init_key(key), size, minval=-0.5 / dim, maxval=0.5 / dim)
        params = {"input": vectors, "output": jnp.zeros(size)}
        return new_state(key, params=params, opt_state={"optimizer": self.optimizer.init(params)})

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`; differentiates by the rows that are read, not by the whole tables."""
        tiles, _ = self.inputs(state, batch)
        loss_and_grad = jax.value_and_grad(self._summed, has_aux=True)
        (_, sums), gradient = loss_and_grad(_read(state.params, tiles), tiles)
        # Without momentum and decay, the update of a row is a matter of that row alone.
        updates, opt_state = self.optimizer.update(gradient, state.opt_state["optimizer"])
        # A softmax reads every row once.
        most = 0 if self.loss.objective == "softmax" else self.loss.max_repeats
        params = {
            name: _moved(table, batch_gather(tiles.rows[name]), batch_gather(updates[name]), most)
            for name, table in state.params.items()
        }
        number = batch_sum(sums["pairs"])
        metrics = {"loss": batch_sum(sums["nll"]) / jnp.maximum(number, 1.0), "pairs": number}
        kept = {"optimizer": opt_state}
        return state.replace(step=state.step + 1, params=params, opt_state=kept), metrics

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Sums the loss of held-out passages, thinned and with noise as in every evaluation."""
        uniform_1xL = jax.random.uniform(jax.random.key(0), (1, *self.spec.shape))
        bits = jax.random.bits(jax.random.key(1), (1, *self._bits_shape))

        def of(x_L: jax.Array) -> Metrics:
            tiles = self.tiles(x_L[None], uniform_1xL, bits)
            return dict(self.pair_loss(state.params, tiles, {})[1])

        mask_B = batch["mask"]
        sums = {name: mask_B * value_B for name, value_B in jax.lax.map(of, batch["x"]).items()}
        return batch_sum({name: v.sum() for name, v in (sums | {"count": mask_B}).items()})

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """Turns the nats and pairs of a passage into the nats of a pair."""
        return {"loss": means["nll"] / np.maximum(means["pairs"], 1e-9)}

    # What it is used for.

    def vectors(self, state: State) -> jax.Array:
        """Returns the vectors of all words, (V, D)."""
        return jnp.asarray(state.params["input"])

    def encode(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Computes the means (B, D) of the vectors of texts."""
        is_word = (x_BxT >= NUM_SPECIALS).astype(jnp.float32)[..., None]
        sums_BxD = (self.vectors(state)[x_BxT] * is_word).sum(1)
        return sums_BxD / jnp.maximum(is_word.sum(1), 1.0)

    def similarity(self, state: State, token_B: jax.Array) -> jax.Array:
        """Computes the cosines (B, V) of words with all words."""
        table_VxD = self.vectors(state)
        norm_Vx1 = jnp.linalg.norm(table_VxD, axis=-1, keepdims=True)
        unit_VxD = table_VxD / jnp.maximum(norm_Vx1, 1e-30)
        return unit_VxD[token_B] @ unit_VxD.T

    def predict_context(self, state: State, token_B: jax.Array) -> jax.Array:
        """Computes the log-probabilities (B, V) of words in the context of a word.

        Of CBOW they are those of the word whose whole context it is.
        """
        score_BxV = self.vectors(state)[token_B] @ state.params["output"].T
        occurs_V = self._frequency_V > 0
        if self.loss.objective == "hierarchical_softmax":
            node, sign_VxK = self._code.node, jnp.asarray(self._code.sign)
            nll_BxV = jax.lax.map(
                lambda score_V: losses.hierarchical_softmax_loss(score_V[node], sign_VxK),
                score_BxV,
            )
            return jnp.where(occurs_V, -nll_BxV, -jnp.inf)
        # Against noise q, scores learn log p(c | w) / K q(c): Levy and Goldberg 2014, section 3.1.
        prior_V = self._noise_V if self.loss.objective == "negative_sampling" else occurs_V
        return jax.nn.log_softmax(score_BxV + jnp.log(jnp.asarray(prior_V, jnp.float32)))

    # Behind them. Noise and code of many words take seconds, so they are made when first used.

    @property
    def _bits_shape(self) -> tuple[int, ...]:
        return (self._capacity // self.model.tile, self.loss.shared_negatives, 2)

    @functools.cached_property
    def _capacity(self) -> int:
        """Bounds the words of a row that are kept, by a multiple of a tile."""
        counts, tile = np.array(self.spec.token_counts), self.model.tile
        return tile * -(-_most_kept(counts, self._keep_V, self.spec.shape[0]) // tile)

    @functools.cached_property
    def _keep_V(self) -> np.ndarray:
        return unigram.keep_probability(np.array(self.spec.token_counts), self.loss.subsample)

    @functools.cached_property
    def _frequency_V(self) -> np.ndarray:
        return unigram.word_counts(np.array(self.spec.token_counts))

    @functools.cached_property
    def _noise_V(self) -> np.ndarray:
        counts_V, power = self._frequency_V, self.loss.negative_power
        return np.where(counts_V > 0, np.maximum(counts_V, 1.0) ** power, 0.0)

    @functools.cached_property
    def _noise(self) -> unigram.AliasTable:
        return unigram.alias_table(self._noise_V)

    @functools.cached_property
    def _code(self) -> unigram.Code:
        return unigram.huffman_code(np.array(self.spec.token_counts))


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Word2Vec:
    """Builds the family from a config like `configs/word2vec_skipgram.py`; raises `ConfigError`."""
    model, loss = read(Model, config, "model"), read(Loss, config, "loss")
    _check(model, loss, config, spec)
    return Word2Vec(
        **shared_fields(config, spec, total_steps),
        model=model,
        loss=loss,
        optimizer=make_optimizer(config.optimizer, total_steps),
    )


def _read(params: Any, tiles: Tiles) -> dict[str, jax.Array]:
    return {name: _rows(table, tiles.rows[name]) for name, table in params.items()}


def _rows(table: jax.Array, index: jax.Array) -> jax.Array:
    return table.at[index].get(mode="promise_in_bounds")


def _moved(table: jax.Array, index: jax.Array, update: jax.Array, most: int) -> jax.Array:
    """Adds `update` (…, D) to the rows `index` (…) of a table.

    The updates of a row add up to `most` times their mean at most; 0: to their sum.
    """
    index, update = index.reshape(-1), update.reshape(-1, table.shape[1])
    if most:
        times_V = jnp.zeros(len(table)).at[index].add(1.0)
        update *= jnp.minimum(1.0, most / _rows(times_V, index))[:, None]
    return table.at[index].add(update)


def _most_kept(counts: np.ndarray, keep_V: np.ndarray, length: int) -> int:
    """Bounds the words that thinning leaves of `length` tokens: the mean and two deviations."""
    share = float((counts * keep_V).sum() / max(counts.sum(), 1))
    return min(length, int(length * share + 2 * np.sqrt(length * share)) + 1)


def _check(model: Model, loss: Loss, config: ConfigDict, spec: DataSpec) -> None:
    if spec.kind != "passage":
        raise fail("data.name", config.data.name, "must be a text, with data.kind=passage")
    if unigram.word_counts(np.array(spec.token_counts)).astype(bool).sum() < 2:
        raise fail("data.min_count", config.data.min_count, "leaves fewer than two words")
    if model.tile < loss.window:
        raise fail("model.tile", model.tile, f"must be at least loss.window={loss.window}")
    o, why = config.optimizer, "only rows that a step reads are updated"
    if o.name != "sgd":
        raise fail("optimizer.name", o.name, f"must be sgd: {why}")
    for name in ("b1", "weight_decay", "clip_norm"):
        if o[name]:
            raise fail(f"optimizer.{name}", o[name], f"must be 0: {why}")
    for name, only in (("accumulate_steps", 1), ("ema_decay", 0.0), ("precision", "float32")):
        if config[name] != only:
            raise fail(name, config[name], f"must be {only} for word2vec")
