"""A step of word2vec makes the update of a loop over pairs; its functions are what they say."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, logsumexp

from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.core.random import step_key
from genjax.core.tokens import EOS, NUM_SPECIALS
from genjax.data.text import unigram
from genjax.families import word2vec

LENGTH, VOCABULARY, TILE, NOISE, REACH, RATE = 12, 20, 4, 3, 2, 0.1
COUNTS = (0, 4, 0, 9, 0, *range(30, 30 - VOCABULARY + NUM_SPECIALS, -1))
SPEC = DataSpec("passage", (LENGTH,), vocab_size=VOCABULARY, token_counts=COUNTS)
RNG = np.random.default_rng(0)
X = RNG.integers(NUM_SPECIALS, VOCABULARY, (3, LENGTH)).astype(np.int32)
X[0, 5] = X[2, 3] = X[2, 8] = EOS


def family(spec=SPEC, **changes):
    c = word2vec.default_config()
    c.update({"steps": 10, "batch_size": 3})
    c.data.length = LENGTH
    c.model.update({"embedding_dim": 6, "tile": TILE})
    c.loss.update({"window": REACH, "shared_negatives": NOISE, "subsample": 0.0})
    c.loss.update({"dynamic_window": False, "max_repeats": 0})
    c.optimizer.update({"learning_rate": RATE, "schedule": "constant"})
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return word2vec.build(c, spec, 10)


def spread(f):
    """A state whose tables are no longer near 0."""
    state = f.init(jax.random.key(0))
    rng = np.random.default_rng(1)
    return state.replace(
        params={n: jnp.float32(rng.normal(size=p.shape)) for n, p in state.params.items()}
    )


def pairs_of(row):
    """(i, context of i) of each word of a row: positions among its words."""
    lines = np.cumsum(row == EOS)
    words = np.flatnonzero(row != EOS)
    for i, place in enumerate(words):
        near = [
            j
            for j in range(max(i - REACH, 0), min(i + REACH + 1, len(words)))
            if j != i and lines[words[j]] == lines[place]
        ]
        yield i, near


def objective(name, output, noise, code):
    """`f(h, word, tile) -> nll` of one prediction in float64, and its gradient by h and output."""

    def negative_sampling(h, word, tile):
        score, noisy = output[word] @ h, output[noise[tile]] @ h
        nll = -np.log(expit(score)) - 5 * np.log(expit(-noisy)).mean()
        by_output = np.zeros_like(output)
        by_output[word] += (expit(score) - 1) * h
        np.add.at(by_output, noise[tile], 5 / NOISE * expit(noisy)[:, None] * h)
        by_h = (expit(score) - 1) * output[word]
        return nll, by_h + 5 / NOISE * expit(noisy) @ output[noise[tile]], by_output

    def hierarchical_softmax(h, word, tile):
        on = code.sign[word] != 0
        node, sign = code.node[word][on], code.sign[word][on]
        score = output[node] @ h
        slope = -sign * expit(-sign * score)
        by_output = np.zeros_like(output)
        np.add.at(by_output, node, slope[:, None] * h)
        return -np.log(expit(sign * score)).sum(), slope @ output[node], by_output

    def softmax(h, word, tile):
        score = output @ h
        score[:NUM_SPECIALS] = -np.inf
        nll = logsumexp(score) - score[word]
        slope = np.exp(score - logsumexp(score)) - np.eye(len(output))[word]
        return nll, slope @ output, np.outer(slope, h)

    return {f.__name__: f for f in (negative_sampling, hierarchical_softmax, softmax)}[name]


@pytest.mark.parametrize(
    ("architecture", "name", "mean"),
    [
        *itertools.product(["skipgram"], word2vec.OBJECTIVES, [True]),
        *itertools.product(["cbow"], word2vec.OBJECTIVES, [True, False]),
    ],
)
def test_a_step_is_the_sum_of_the_updates_of_all_pairs(architecture, name, mean):
    f = family(model__architecture=architecture, loss__objective=name, model__cbow_mean=mean)
    state = spread(f)
    tiles = LENGTH // TILE  # nothing is thinned: a row keeps its capacity of 12
    bits = jax.random.bits(step_key(state, 1), (3, tiles, NOISE, 2))
    weights = unigram.word_counts(np.array(COUNTS)) ** 0.75 * (np.arange(VOCABULARY) >= 5)
    noise = np.asarray(unigram.draw(unigram.alias_table(weights), bits)).reshape(-1, NOISE)
    table = np.asarray(state.params["input"], np.float64)
    output = np.asarray(state.params["output"], np.float64)
    predict = objective(name, output, noise, unigram.huffman_code(np.array(COUNTS)))
    total, number, by_input, by_output = 0.0, 0, np.zeros_like(table), np.zeros_like(output)
    for r, row in enumerate(X):
        words = row[row != EOS]
        for i, near in pairs_of(row):
            tile = r * tiles + i // TILE
            if architecture == "cbow":
                scale = 1 / len(near) if mean and near else 1.0
                made = [(scale * table[words[near]].sum(0), words[i], words[near], scale)]
                made = made if near else []
            else:
                made = [(table[words[i]], words[j], words[[i]], 1.0) for j in near]
            for h, target, read, scale in made:
                nll, slope, change = predict(h, target, tile)
                total, number, by_output = total + nll, number + 1, by_output + change
                np.add.at(by_input, read, scale * slope)
    new, metrics = jax.jit(f.step)(state, {"x": X})
    np.testing.assert_allclose(metrics["loss"], total / number, rtol=1e-5)
    assert metrics["pairs"] == number
    np.testing.assert_allclose(new.params["input"], table - RATE * by_input, atol=2e-5)
    np.testing.assert_allclose(new.params["output"], output - RATE * by_output, atol=2e-5)


def test_a_row_that_repeats_too_often_moves_by_its_mean():
    few, all_ = family(loss__max_repeats=2), family()
    state = spread(few)
    moved, summed = (f.step(state, {"x": X})[0].params["input"] for f in (few, all_))
    times = np.maximum(np.bincount(X[X != EOS], minlength=VOCABULARY), 1)[:, None]
    expected = (summed - state.params["input"]) * np.minimum(1, 2 / times)
    assert times.max() > 2
    np.testing.assert_allclose(moved - state.params["input"], expected, atol=1e-5)


def test_thinning_and_noise_differ_from_step_to_step():
    f = family(loss__subsample=1e-3)
    state = spread(f)
    later = state.replace(step=state.step + 1)
    assert f.step(state, {"x": X})[1]["loss"] != f.step(later, {"x": X})[1]["loss"]


def test_evaluation_repeats_and_masks():
    f = family(loss__subsample=0.05)
    state, mask = spread(f), jnp.array([1.0, 0.0, 1.0])
    sums = f.evaluate(state, {"x": X, "mask": mask})
    again = f.evaluate(state.replace(step=state.step + 7), {"x": X[[2, 0]], "mask": jnp.ones(2)})
    for n, value in again.items():
        np.testing.assert_allclose(sums[n], value, rtol=1e-6)
    means = {n: v / 2 for n, v in sums.items() if n != "count"}
    np.testing.assert_allclose(f.summary(means)["loss"], sums["nll"] / sums["pairs"], rtol=1e-6)


@pytest.mark.parametrize("name", word2vec.OBJECTIVES)
def test_the_words_of_a_context_have_probabilities(name):
    f = family(loss__objective=name)
    log_p = f.predict_context(spread(f), jnp.array([5, 9]))
    np.testing.assert_allclose(np.exp(log_p).sum(1), 1, rtol=1e-5)
    assert (log_p[:, :NUM_SPECIALS] == -np.inf).all()


def test_noise_is_learnt_away():
    """Words that only ever stand beside one another are found, whatever the objective."""
    x = np.array([5, 6, EOS] * 4 + [7, 8, EOS] * 4 + [9, 10, EOS] * 4, np.int32).reshape(3, 12)
    counts = np.bincount(x.ravel(), minlength=11)
    spec = DataSpec("passage", (12,), vocab_size=11, token_counts=tuple(counts.tolist()))
    for name in word2vec.OBJECTIVES:
        f = family(spec, loss__objective=name, optimizer__learning_rate=0.1)
        state, step = f.init(jax.random.key(0)), jax.jit(f.step)
        for _ in range(300):
            state, _ = step(state, {"x": x})
        log_p = f.predict_context(state, jnp.arange(5, 11))
        assert log_p.argmax(1).tolist() == [6, 5, 8, 7, 10, 9], name


def test_vectors_are_read_in_several_ways():
    f = family()
    state = spread(f)
    table = np.asarray(f.vectors(state))
    np.testing.assert_array_equal(table, state.params["input"])
    x = jnp.array([[5, 7, EOS, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(
        f.encode(state, x), [(table[5] + table[7]) / 2, np.zeros(6)], rtol=1e-6
    )
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    cosine = f.similarity(state, jnp.array([5, 9]))
    np.testing.assert_allclose(cosine, unit[[5, 9]] @ unit.T, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer__name": "adam"}, "optimizer.name='adam': must be sgd"),
        ({"optimizer__b1": 0.9}, "optimizer.b1=0.9: must be 0"),
        ({"model__tile": 1}, "model.tile=1: must be at least loss.window=2"),
        ({"loss__objective": "nce"}, "loss.objective='nce': must be one of negative_sampling"),
        ({"accumulate_steps": 3}, "accumulate_steps=3: must be 1"),
        ({"loss__subsample": -1.0}, "loss.subsample=-1.0: must be at least 0"),
    ],
)
def test_what_cannot_be_is_told(change, message):
    with pytest.raises(ConfigError) as error:
        family(**change)
    assert message in str(error.value)


def test_other_kinds_of_data_are_refused():
    with pytest.raises(ConfigError, match=r"data.kind=passage"):
        family(DataSpec("text", (LENGTH,), vocab_size=VOCABULARY))
    with pytest.raises(ConfigError, match="min_count"):
        family(SPEC._replace(token_counts=(0, 9, 0, 9, 0, 3), vocab_size=6))
