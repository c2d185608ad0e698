"""A data set as tasks: a step shows its own task's classes, a pure function of key and step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.data import tasks
from genjax.families import continual

EACH = 4


def loaded(**changes):
    c = continual.default_config().data
    c.update({"steps_per_task": EACH} | changes)
    return data.load(c)


def planned(source, key, first, steps, rows=64):
    x = source.plan(key, source.cursor(first, (rows,)), steps, (rows,))
    batch = source.fetch(jax.tree.map(jnp.asarray, source.arrays), x)
    return {name: np.asarray(a) for name, a in batch.items()}


@pytest.mark.parametrize("seed", [0, 1])
def test_a_task_shows_its_own_classes_alone_and_all_of_them(seed):
    source, key = loaded().train, jax.random.key(seed)
    batch, order = planned(source, key, 0, 5 * EACH), np.asarray(tasks.class_order(key, 10))
    assert sorted(order) == list(range(10))
    for step in range(5 * EACH):
        task = step // EACH
        assert (batch["task"][step] == task).all()
        assert set(batch["label"][step]) == set(order[2 * task : 2 * task + 2])
    assert planned(source, key, 99, 1)["task"].max() == 4  # behind the end


def test_seeds_have_orders_of_their_own():
    orders = {tuple(np.asarray(tasks.class_order(jax.random.key(s), 10))) for s in range(8)}
    assert len(orders) == 8
    pixels = np.asarray(tasks.pixel_orders(jax.random.key(0), 3, 64))
    assert (pixels[0] == np.arange(64)).all() and (np.sort(pixels, 1) == np.arange(64)).all()
    assert (pixels[1] != pixels[2]).any()


def test_a_step_is_the_same_in_any_chunk():
    source, key = loaded().train, jax.random.key(3)
    whole, part = planned(source, key, 0, 12), planned(source, key, 7, 3)
    for name, values in part.items():
        np.testing.assert_array_equal(values, whole[name][7:10])


@pytest.mark.parametrize("protocol", tasks.PROTOCOLS)
def test_rows_of_a_task_are_drawn_uniformly(protocol):
    source = loaded(protocol=protocol, steps_per_task=10**6).train
    x = source.plan(jax.random.key(0), source.cursor(0, (1000,)), 100, (1000,))
    count = np.bincount(np.asarray(x["index"]).ravel(), minlength=source.num_examples)
    count = count[count > 0]
    label = np.asarray(source.arrays["label"])
    order = np.asarray(tasks.class_order(jax.random.key(0), 10))
    own = np.isin(label, order[:2]) if protocol == "split" else np.ones(len(label), bool)
    assert len(count) == own.sum()
    expected = 100_000 / own.sum()
    assert ((count - expected) ** 2 / expected).sum() < own.sum() + 6 * np.sqrt(2 * own.sum())


def test_joint_draws_from_all_tasks():
    batch = planned(loaded(joint=True).train, jax.random.key(0), 0, 4)
    assert set(batch["task"].ravel()) == set(range(5)) and len(set(batch["label"].ravel())) == 10


def test_tasks_are_of_what_is_not_held_out():
    whole, cut = loaded(), loaded(validation_fraction=0.25)
    held = cut.validation.num_examples
    assert cut.train.num_examples + held == whole.train.num_examples and held > 0
    assert cut.test.num_examples == whole.test.num_examples
