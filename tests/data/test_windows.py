"""Windows of a running text: all offsets in training, each token once in evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.random import data_key
from genjax.core.tokens import PAD
from genjax.data.text.windows import Offsets, StreamedWindows, Windows

KEY = data_key(jax.random.key(2))
WORDS = np.asarray(jax.random.key_data(KEY))
TOKENS = np.random.RandomState(0).randint(5, 200, 103).astype(np.uint8)


def planned(source, first, steps, shape):
    return source.plan(KEY, source.cursor(first, shape), steps, shape)


@pytest.mark.parametrize("length", [1, 8, 102])
def test_training_draws_each_offset_once_before_any_again(length):
    s = Windows(TOKENS, length)
    offsets = len(TOKENS) - length
    plan = np.asarray(planned(s, 0, 3 * offsets, (1,))).reshape(3, offsets)
    np.testing.assert_array_equal(np.sort(plan, axis=1), np.tile(np.arange(offsets), (3, 1)))


def test_windows_are_stretches_of_the_text():
    s = Windows(TOKENS, 8)
    plan = planned(s, 5, 4, (2, 3))
    batch = jax.jit(s.fetch)(s.arrays, plan)
    assert set(batch) == {"x"} and batch["x"].dtype == jnp.int32
    assert batch["x"].shape == (4, 2, 3, 9)
    for start, window in zip(plan.reshape(-1), batch["x"].reshape(-1, 9)):
        np.testing.assert_array_equal(window, TOKENS[start : start + 9])


def test_the_text_stays_in_its_small_type():
    assert Windows(TOKENS, 8).arrays["x"].dtype == np.uint8


@pytest.mark.parametrize("length", [1, 7, 8, 102, 103, 300])
@pytest.mark.parametrize("batch_size", [4, 64])
def test_evaluation_predicts_each_token_but_the_first_once(length, batch_size):
    s = Windows(TOKENS, length)
    plan = s.evaluation(batch_size)
    batch = s.fetch(s.arrays, plan)
    x, mask = np.asarray(batch["x"]), np.asarray(batch["mask"])
    rows = x[mask == 1]
    assert len(rows) == s.num_examples == -(-102 // length)
    targets = rows[:, 1:].reshape(-1)
    np.testing.assert_array_equal(targets[targets != PAD], TOKENS[1:])
    assert rows[0, 0] == TOKENS[0]


@pytest.mark.parametrize("shape", [(16,), (2, 5)])
def test_a_streamed_text_gives_the_same_windows(tmp_path, shape):
    np.save(tmp_path / "x.npy", TOKENS)
    on_disk = StreamedWindows(np.load(tmp_path / "x.npy", mmap_mode="r"), 8)
    resident = Windows(TOKENS, 8)
    assert on_disk.num_examples == resident.num_examples
    plan = planned(resident, 3, 12, shape)
    for x, element in zip(plan, on_disk.stream(WORDS, 3, 15, shape), strict=True):
        assert element["x"].dtype == np.uint8
        want = resident.fetch(resident.arrays, x)
        np.testing.assert_array_equal(on_disk.fetch({}, element)["x"], want["x"])
    plan = resident.evaluation(5)
    for i, element in enumerate(on_disk.evaluation(5)):
        want = resident.fetch(resident.arrays, jax.tree.map(lambda a, i=i: a[i], plan))
        got = on_disk.fetch({}, element)
        for name in ("x", "mask"):
            np.testing.assert_array_equal(got[name], want[name])


def test_offsets_of_a_text_beyond_int32():
    order = Offsets(5 * 10**9, 64)
    index = order.indices(WORDS, order.cursor(7, (1000,)), 1, (1000,), np)
    assert index.dtype == np.int64 and (index >= 0).all() and (index < 5 * 10**9 - 64).all()
    assert index.max() > 2**32 and len(np.unique(index)) == 1000
