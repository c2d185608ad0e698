"""GPT: what it predicts from what, texts packed or alone, and decoding with a cache."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.core.tokens import BOS, EOS, PAD
from genjax.families import gpt
from genjax.generation import GREEDY, decoder_of, generate

LENGTH, VOCAB = 8, 12
RUNNING = DataSpec("text", (LENGTH + 1,), vocab_size=VOCAB)
SENTENCES = DataSpec("sentence", (LENGTH,), vocab_size=VOCAB)
MODERN = {
    "model__norm": "rms", "model__positions": "rotary", "model__activation": "swiglu",
    "model__num_kv_heads": 1, "model__tie_embeddings": False,
}  # fmt: skip
MODELS = {"gpt": {}, "modern": MODERN}


@functools.cache  # so that programs are compiled once
def family(spec=RUNNING, **changes):
    c = gpt.default_config()
    c.update({"steps": 10, "batch_size": 4})
    c.model.update({"num_layers": 2, "num_heads": 2, "width": 8})
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return gpt.build(c, spec, c.steps)


def scrambled(state, seed=0):
    rng = np.random.default_rng(seed)
    return state.replace(
        params=jax.tree.map(lambda p: p + 0.3 * rng.normal(size=p.shape), state.params)
    )


def begun(f, seed=0):
    return scrambled(jax.jit(f.init)(jax.random.key(seed)))


def compiled(f, name):
    return jax.jit(getattr(f, name))


def text(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).integers(5, VOCAB, shape), jnp.int32)


def evaluated(f, state, x):
    return jax.jit(f.evaluate)(state, {"x": x, "mask": jnp.ones(len(x))})


def written(f, state, prompt, size):
    """What follows a prompt, greedy."""

    def write(state, prompt):
        return generate(decoder_of(f, state), prompt, jax.random.key(0), GREEDY, size, size=size)

    assert f.context(state) == LENGTH
    return jax.jit(write)(state, prompt)


def test_nothing_is_predicted_from_what_comes_later():
    f = family()
    state, score = begun(f), compiled(f, "score")
    x = text(1, LENGTH + 1)
    nll = score(state, x)
    for place in (1, 4, LENGTH):
        other = score(state, x.at[0, place].set(5 + (x[0, place] - 4) % 7))
        np.testing.assert_array_equal(other[0, : place - 1], nll[0, : place - 1])
        assert (other[0, place - 1 :] != nll[0, place - 1 :]).all()


@pytest.mark.parametrize("model", MODELS)
def test_cached_decoding_equals_reading_the_whole_text_token_by_token(model):
    f = family(**MODELS[model])
    state = begun(f)
    x, given = text(3, LENGTH), np.array([1, 4, 2])  # prompts of different lengths
    prompt = jnp.where(jnp.arange(4) < given[:, None], x[:, :4], PAD)
    start, decode = compiled(f, "prefill"), compiled(f, "decode_step")
    nll = compiled(f, "score")(state, jnp.pad(x, ((0, 0), (0, 1)), constant_values=5))
    logits, cache = start(state, prompt)
    shapes = jax.tree.map(jnp.shape, cache)
    for step in range(4):
        place = given + step
        following = x[np.arange(3), place]
        expected = nll[np.arange(3), place - 1]
        found = -jax.nn.log_softmax(logits)[np.arange(3), following]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        logits, cache = decode(state, cache, following)
        assert jax.tree.map(jnp.shape, cache) == shapes
    assert all(leaf.shape[0] == 3 for leaf in jax.tree.leaves(cache))


def test_prompts_do_not_see_their_padding_nor_each_other():
    f = family()
    state, start = begun(f), compiled(f, "prefill")
    x = text(2, 5)
    padded = jnp.pad(x.at[0, 2:].set(PAD), ((0, 0), (0, 3)))
    logits, _ = start(state, padded)
    np.testing.assert_allclose(logits[0], start(state, x[:1, :2])[0][0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(logits[1], start(state, x[1:])[0][0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("spec", [RUNNING, SENTENCES])
def test_a_text_without_a_prompt_begins_behind_bos(spec):
    f = family(spec)
    state = begun(f)
    empty = compiled(f, "prefill")(state, jnp.zeros((2, 0), jnp.int32))[0]
    padded = compiled(f, "prefill")(state, jnp.zeros((1, 3), jnp.int32))[0]
    np.testing.assert_allclose(empty[1], padded[0], rtol=1e-5, atol=1e-5)
    x = text(1, spec.shape[0])
    if spec is RUNNING:
        nll = compiled(f, "score")(state, x.at[0, 0].set(BOS))[0, 0]
        first = x[0, 1]
    else:
        nll, first = compiled(f, "score")(state, x)[0, 0], x[0, 0]
    np.testing.assert_allclose(-jax.nn.log_softmax(empty[0])[first], nll, rtol=1e-4)


def test_texts_may_be_longer_than_the_window():
    f = family()
    x = written(f, begun(f), text(2, 3), 3 * LENGTH)
    assert x.shape == (2, 3 * LENGTH) and (x[:, 0] != PAD).all()


PACKED = {"data__packed": True}


def test_packed_sentences_are_scored_as_alone():
    whole, alone = family(SENTENCES, **PACKED), family(SENTENCES)
    state = begun(whole)
    a, b = jnp.array([5, 6, EOS]), jnp.array([7, 5, 8, EOS])
    packed = jnp.concatenate([a, b, jnp.array([PAD])])[None]
    single = jnp.zeros((2, LENGTH), jnp.int32).at[0, :3].set(a).at[1, :4].set(b)
    nll = compiled(whole, "score")(state, packed)[0]
    expected = compiled(alone, "score")(state, single)
    np.testing.assert_allclose(nll[:3], expected[0, :3], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(nll[3:7], expected[1, :4], rtol=1e-4, atol=1e-5)
    assert nll[7] == 0 and (expected[0, 3:] == 0).all()
    sums = evaluated(whole, state, packed)
    assert sums["tokens"] == 7 and sums["count"] == 1
    # What the first says changes nothing of the second, to the last bit.
    other = compiled(whole, "score")(state, packed.at[0, :2].set(jnp.array([9, 10])))[0]
    np.testing.assert_array_equal(other[3:], nll[3:])


def test_packed_sentences_have_no_gradient_by_each_other():
    """Exactly: by the vectors of the tokens that only the other sentence has."""
    f = family(SENTENCES, **PACKED, model__tie_embeddings=False)
    state = begun(f)
    x = jnp.array([[5, 6, EOS, 7, 8, EOS, PAD, PAD]])

    def second(params):
        return compiled(f, "score")(state.replace(params=params), x)[0, 3:].sum()

    gradient = jax.jit(jax.grad(second))(state.params)["network"]["embedding"]["tokens"]
    assert (gradient[jnp.array([5, 6, 9, PAD])] == 0).all()
    assert (jnp.abs(gradient[jnp.array([7, 8, BOS])]).max(-1) > 0).all()


def test_loss_is_the_mean_over_the_tokens_of_the_batch():
    x = jnp.array([[5, 6, 7, 8, 9, 10, 11, EOS], [5, EOS, *[PAD] * 6]])
    losses = []
    for accumulate in (1, 2):
        f = family(SENTENCES, batch_size=2, accumulate_steps=accumulate)
        state = begun(f)
        nll = compiled(f, "score")(state, x)
        _, metrics = jax.jit(f.step)(state, {"x": x})
        losses.append(metrics["loss"])
    np.testing.assert_allclose(losses, nll.sum() / 10, rtol=1e-5)
    sums = evaluated(f, state, x)
    means = {name: np.asarray(v) / 2 for name, v in sums.items()}
    summary = f.summary(means)
    np.testing.assert_allclose(summary["loss"], nll.sum() / 10, rtol=1e-5)
    np.testing.assert_allclose(summary["perplexity"], np.exp(nll.sum() / 10), rtol=1e-5)


def test_rows_of_padding_alone_make_no_step_and_no_nan():
    f = family(SENTENCES, optimizer__weight_decay=0.0)
    state = begun(f)
    new, metrics = jax.jit(f.step)(state, {"x": jnp.zeros((4, LENGTH), jnp.int32)})
    assert metrics["loss"] == 0
    jax.tree.map(np.testing.assert_array_equal, new.params, state.params)


@pytest.mark.parametrize("changes", [{"loss__logits_chunk": 3}, {"model__remat": True}])
def test_what_saves_memory_changes_nothing(changes):
    x = text(4, LENGTH + 1)
    ends = []
    for options in ({}, changes):
        f = family(loss__z_loss=0.01, **options)
        state, metrics = jax.jit(f.step)(begun(f), {"x": x})
        ends.append((state.params, metrics))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *ends)


def test_bos_hides_the_first_token_of_some_windows_in_training_alone():
    x = text(4, LENGTH + 1)
    hidden, shown = family(loss__bos_rate=0.999), family(loss__bos_rate=0.0)
    state = begun(shown)
    losses = [jax.jit(f.step)(state, {"x": x})[1]["loss"] for f in (hidden, shown)]
    by_hand = [compiled(shown, "score")(state, seen).mean() for seen in (x.at[:, 0].set(BOS), x)]
    np.testing.assert_allclose(losses, by_hand, rtol=1e-5)
    assert losses[0] != losses[1]
    np.testing.assert_array_equal(
        evaluated(hidden, state, x)["nll"], evaluated(shown, state, x)["nll"]
    )


@pytest.mark.slow
def test_it_learns_to_count():
    f = family(steps=150, optimizer__learning_rate=1e-2)
    key = jax.random.key(1)

    def step(state, i):
        first = jax.random.randint(jax.random.fold_in(key, i), (16, 1), 0, 7)
        x = 5 + (first + jnp.arange(LENGTH + 1)) % 7
        return f.step(state, {"x": x})

    state, metrics = jax.jit(lambda s: jax.lax.scan(step, s, jnp.arange(150)))(
        f.init(jax.random.key(0))
    )
    assert metrics["loss"][-1] < 0.4
    x = written(f, state, jnp.array([[8, 9]]), 5)
    assert x.tolist() == [[10, 11, 5, 6, 7]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__num_heads": 3}, "must divide model.width=8"),
        ({"model__num_kv_heads": 4}, "must divide model.num_heads=2"),
        ({"model__positions": "absolute"}, "model.positions='absolute': must be one of learned"),
        ({"model__positions": "rotary", "model__num_heads": 8}, "even width of heads"),
        ({"model__activation": "tanh"}, "swiglu"),
        ({"model__norm": "batch"}, "layer, rms"),
        ({"model__dropout": 1.0}, "below 1"),
        ({"loss__logits_chunk": -1}, "loss.logits_chunk=-1: must be at least 0"),
        ({"loss__bos_rate": 1.0}, "loss.bos_rate"),
    ],
)
def test_mistakes_are_told(changes, message):
    with pytest.raises(ConfigError, match=message):
        family(**changes)


def test_pictures_are_refused():
    with pytest.raises(ConfigError, match="must be running text or sentences"):
        family(DataSpec("image", (8, 8, 1)))
