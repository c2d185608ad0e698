"""Texts token by token: rows do not know of each other, and caches of nothing but time saved."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genjax.core.tokens import BOS, EOS, MASK, NUM_SPECIALS, PAD
from genjax.generation import GREEDY, Sampling, advance, begin, draw, generate
from tests.generation.models import Hashing, decoder, padded, write

MODEL = Hashing()
KEY = jax.random.key(0)
PROMPTS = st.lists(
    st.lists(st.integers(NUM_SPECIALS, MODEL.vocab - 1), max_size=6), min_size=4, max_size=4
)


def written(model, prompts, options=GREEDY, size=12, limit=12, key=KEY, width=6):
    """`generate` with prompts padded to one width, so that few programs are compiled."""
    x = np.zeros((len(prompts), width), np.int32)
    for row, prompt in zip(x, prompts):
        row[: len(prompt)] = prompt
    return write(model, x, options, limit, size=size, key=key)


def greedy(model, prompt, limit):
    """What `generate` must write, by reading the whole text again for every token."""
    half, read, text = model.window // 2, list(prompt), []
    while len(text) < limit and EOS not in text:
        if model.window and len(read) + 1 >= model.window:
            read = [*prompt, *text][-half:]
        logits = model.logits(read)
        logits[[PAD, BOS, MASK]] = -np.inf
        text.append(int(logits.argmax()))
        read.append(text[-1])
    return text


def row(text, size=12):
    return [*text, *[PAD] * (size - len(text))]


@settings(max_examples=40, deadline=None)
@given(PROMPTS, st.integers(1, 12))
def test_greedy_takes_the_likeliest_token_of_the_whole_text_so_far(prompts, limit):
    expected = [row(greedy(MODEL, p, limit)) for p in prompts]
    assert written(MODEL, prompts, limit=limit).tolist() == expected


@pytest.mark.parametrize("window", [7, 8])
@pytest.mark.parametrize("seed", range(3))
def test_beyond_its_window_a_text_goes_on_from_its_last_half(window, seed):
    """Each row at its own time, as a row alone would."""
    rng, model = np.random.default_rng(seed), Hashing(window=window, seed=seed, never=[EOS])
    prompts = [rng.integers(NUM_SPECIALS, model.vocab, n).tolist() for n in (0, 2, 3, 6)]
    found = written(model, prompts, size=32, limit=30)
    assert found.tolist() == [row(greedy(model, p, 30), 32) for p in prompts]
    assert (found[:, :30] > 0).all()


@settings(max_examples=20, deadline=None)
@given(PROMPTS, st.sampled_from([Sampling(), Sampling(0.8, 3, 0.9), Sampling(1.0, no_repeat=2)]))
def test_a_row_is_written_as_if_it_were_alone(prompts, options):
    keys = jax.random.split(jax.random.key(1), len(prompts))
    together = written(MODEL, prompts, options, key=keys)
    for i, prompt in enumerate(prompts):
        alone = written(MODEL, [prompt], options, key=keys[i : i + 1])
        np.testing.assert_array_equal(alone[0], together[i])


def test_more_rows_leave_the_first_one_as_it_was():
    many = written(MODEL, [[]] * 4, Sampling())
    np.testing.assert_array_equal(written(MODEL, [[]], Sampling())[0], many[0])
    assert len({tuple(r) for r in many.tolist()}) > 1


def test_texts_end_with_eos_and_hold_no_other_special_token():
    keys = jax.random.split(KEY, 50)
    ids = np.concatenate([written(MODEL, [[]] * 4, Sampling(2.0), key=k) for k in keys])
    for text in ids.tolist():
        end = text.index(EOS) + 1 if EOS in text else len(text)
        assert not {PAD, BOS, MASK} & set(text[:end]) and not any(text[end:])
    assert (ids == EOS).any(1).mean() > 0.3


def test_padding_of_prompts_and_of_the_buffer_changes_nothing():
    prompts = [[5, 6, 7], [], [8], [6, 6]]
    expected = written(MODEL, prompts)
    np.testing.assert_array_equal(written(MODEL, prompts, width=16), expected)
    np.testing.assert_array_equal(written(MODEL, prompts, size=32)[:, :12], expected)


def test_no_two_tokens_come_twice_in_one_text():
    ids = written(MODEL, [[5], [6], [7, 8], []], Sampling(0.0, no_repeat=2), size=32, limit=32)
    for text in ids.tolist():
        text = [i for i in text if i]
        assert len(set(itertools.pairwise(text))) == max(len(text) - 1, 0)


def test_one_program_serves_all_lengths_and_settings_of_a_bucket():
    jitted = jax.jit(
        lambda x, options, limit: generate(decoder(MODEL.table), x, KEY, options, limit, size=16)
    )
    settings = [GREEDY, Sampling(0.7, 5, 0.9, 0.1, 1.3, 3), Sampling(1.0, 0, 1.0)]
    for i, options in enumerate(settings):
        for length in (1, 4, 8):
            x = np.zeros((2, 8), np.int32)
            x[:, :length] = 5 + i
            jitted(x, options, 3 + i + length)
    assert jitted._cache_size() == 1


def test_writing_piece_by_piece_is_writing_at_once():
    options, prompts = Sampling(0.9), [[5, 6], [7], [], [8]]
    model = decoder(MODEL.table, 7)
    on = jax.jit(lambda text, until: advance(model, text, options, until))
    text = begin(model, jnp.asarray(padded(prompts)), KEY, size=32)
    for until in range(1, 31):
        text = on(text, until)
    expected = written(Hashing(window=7), prompts, options, size=32, limit=30)
    np.testing.assert_array_equal(text.ids_BxL, expected)
    assert on._cache_size() == 1


def test_a_prompt_that_fills_the_window_is_refused():
    with pytest.raises(ValueError, match="prompts of 7 tokens: must be below the window, 7"):
        generate(decoder(MODEL.table, 7), jnp.ones((1, 7), jnp.int32), KEY, GREEDY, 2, size=2)


def test_draws_of_a_population_are_those_of_its_members():
    models = [MODEL, Hashing(seed=3)]
    tables = jnp.stack([m.table for m in models])
    both = jax.vmap(lambda table: draw(decoder(table), KEY, 4, size=12))(tables)
    for found, model in zip(both, models):
        np.testing.assert_array_equal(found, written(model, [[]] * 4, Sampling()))
