import itertools

import jax
import numpy as np
import pytest

from genjax import data
from genjax.core.config import base
from genjax.core.random import data_key
from genjax.data.in_memory import Resident
from genjax.data.streaming import Streamed

KEY = data_key(jax.random.key(3))
WORDS = np.asarray(jax.random.key_data(KEY))
N = 103


@pytest.fixture
def both(tmp_path):
    """The same split, on the device and memory-mapped."""
    x = np.random.RandomState(0).randint(0, 256, (N, 4, 4, 1)).astype(np.uint8)
    np.save(tmp_path / "x.npy", x)
    label = np.arange(N, dtype=np.int32)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    return Resident({"x": x, "label": label}), Streamed({"x": mapped, "label": label})


def assert_same(a, b):
    assert set(a) == set(b)
    for k in a:
        assert a[k].dtype == b[k].dtype
        np.testing.assert_array_equal(a[k], b[k])


@pytest.mark.parametrize("shape", [(16,), (3, 10), (2 * N,)])
def test_streamed_batches_equal_resident_ones_across_epochs(both, shape):
    resident, streamed = both
    steps = 25
    plan = resident.plan(KEY, resident.cursor(0, shape), steps, shape)
    elements = list(streamed.stream(WORDS, 0, steps, shape, slice(None)))
    assert len(elements) == steps
    fetch = jax.jit(streamed.fetch)
    for x, element in zip(plan, elements):
        assert element["x"].dtype == np.uint8 and element["x"].shape == (*shape, 4, 4, 1)
        assert_same(resident.fetch(resident.arrays, x), fetch(streamed.arrays, element))


def test_a_resumed_stream_goes_on_where_it_was(both):
    _, streamed = both
    whole = list(streamed.stream(WORDS, 0, 20, (8,), slice(None)))
    rest = list(streamed.stream(WORDS, 13, 20, (8,), slice(None)))
    for a, b in zip(whole[13:], rest, strict=True):
        assert_same(a, b)


def test_a_stream_far_into_training_starts_at_once(both):
    resident, streamed = both
    step = 10**10
    element = next(streamed.stream(WORDS, step, step + 10**9, (8,), slice(None)))
    (x,) = resident.plan(KEY, resident.cursor(step, (8,)), 1, (8,))
    np.testing.assert_array_equal(element["label"], x)


def test_parts_of_processes_make_up_the_global_batch(both):
    _, streamed = both
    whole = list(streamed.stream(WORDS, 5, 9, (3, 8), slice(None)))
    parts = [list(streamed.stream(WORDS, 5, 9, (3, 8), slice(i, i + 4))) for i in (0, 4)]
    for a, low, high in zip(whole, *parts, strict=True):
        assert low["x"].shape[:2] == (3, 4)
        assert_same(a, {k: np.concatenate([low[k], high[k]], axis=1) for k in a})


def test_empty_stretch_gives_nothing(both):
    assert list(both[1].stream(WORDS, 7, 7, (8,), slice(None))) == []


@pytest.mark.parametrize("batch_size", [1, 10, N, 200])
def test_evaluation_equals_the_resident_one(both, batch_size):
    resident, streamed = both
    plan = resident.evaluation(batch_size)
    count = 0
    elements = streamed.evaluation(batch_size)
    for i, element in zip(range(len(plan["mask"])), elements, strict=True):
        want = resident.fetch(resident.arrays, {k: v[i] for k, v in plan.items()})
        got = streamed.fetch(streamed.arrays, element)
        assert_same(want, got)
        count += int(got["mask"].sum())
    assert count == N


def test_sets_above_the_limit_are_streamed(tmp_path, shared_data):
    section = base().data
    section.update(
        {
            "name": f"images:{shared_data / 'orl_faces'}",
            "image_size": 32,
            "cache_dir": str(tmp_path),
        }
    )
    small = data.load(section)
    section.device_limit_mb = 0
    large = data.load(section)
    assert not small.train.streamed and large.train.streamed and large.test.streamed
    assert small.spec == large.spec and small.train.num_examples == large.train.num_examples
    assert isinstance(large.train.rows["x"], np.memmap)
    plan = small.train.plan(KEY, small.train.cursor(4, (16,)), 3, (16,))
    for x, element in zip(plan, itertools.islice(large.train.stream(WORDS, 4, 99, (16,)), 3)):
        assert_same(small.train.fetch(small.train.arrays, x), large.train.fetch({}, element))
