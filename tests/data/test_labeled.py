"""Few labels: which examples show theirs, and what a batch holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.core.config import ConfigError, base
from genjax.data.in_memory import Resident
from genjax.data.labeled import Labeled


def section(**changes):
    d = base().data.unlock()
    d.num_labeled = 0
    d.update(changes)
    return d


def shown(source):
    return {x.tobytes() for x in source.labeled.arrays["x"]}


def batches(source, steps, first=0, shape=(8,), seed=3):
    xs = source.plan(jax.random.key(seed), source.cursor(first, shape), steps, shape)
    arrays = jax.tree.map(jnp.asarray, source.arrays)
    rows = [jax.tree.map(lambda a, i=i: a[i], xs) for i in range(steps)]
    return [source.fetch(arrays, x) for x in rows]


def test_fewer_labels_are_a_part_of_more_and_all_is_all():
    few, more = (data.load(section(num_labeled=n)).train for n in (30, 200))
    assert len(few.labeled.arrays["x"]) == 30 and shown(few) < shown(more)
    assert isinstance(data.load(section()).train, Resident)
    source = data.load(section(num_labeled=1)).train
    assert data.load(section(num_labeled=source.num_examples)).train.labeled.num_examples == 1618


def test_all_examples_are_seen_and_labels_only_of_those_that_show_them():
    x = np.arange(20, dtype=np.float32)[:, None]
    source = Labeled(Resident({"x": x, "label": np.arange(20, dtype=np.int32)}), 6)
    every, labeled = set(), set()
    for batch in batches(source, 10, shape=(4,)):
        assert set(batch) == {"x", "labeled_x", "labeled_label"}
        assert all(len(v) == 4 for v in batch.values())
        np.testing.assert_array_equal(batch["labeled_x"][:, 0], batch["labeled_label"])
        every |= set(np.asarray(batch["x"])[:, 0])
        labeled |= set(np.asarray(batch["labeled_label"]))
    assert len(every) == 20 and len(labeled) == 6
    assert labeled == {int(x[0]) for x in source.labeled.arrays["x"]}


def test_a_later_start_finds_the_same_batches():
    source = data.load(section(num_labeled=50)).train
    whole, resumed = batches(source, 12), batches(source, 5, first=7)
    jax.tree.map(np.testing.assert_array_equal, whole[7:], resumed)
    other = batches(source, 12, seed=4)
    assert (whole[0]["labeled_label"] != other[0]["labeled_label"]).any()


def test_evaluation_is_that_of_the_whole_split():
    limited, plain = (data.load(section(num_labeled=n)).train for n in (50, 0))
    parts = limited.evaluation(500), plain.evaluation(500)
    jax.tree.map(np.testing.assert_array_equal, *parts)
    got, want = (
        s.fetch(s.arrays, jax.tree.map(lambda a: a[-1], p)) for s, p in zip((limited, plain), parts)
    )
    jax.tree.map(np.testing.assert_array_equal, got, want)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_labeled": -1}, "num_labeled=-1: must be at least 0"),
        ({"num_labeled": 1619}, "num_labeled=1619: .* 1618"),
        ({"num_labeled": 5, "name": "ring"}, "num_labeled=5: data.name=ring has no labels"),
    ],
)
def test_mistakes_are_told(changes, message):
    with pytest.raises(ConfigError, match=message):
        data.load(section(**changes))
