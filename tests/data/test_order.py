"""Batches of similar length: the same examples, in an order that is a function of (seed, step)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.random import data_key
from genjax.data.order import Bucketed, Shuffled

WORDS = np.asarray(jax.random.key_data(data_key(jax.random.key(1))))
LENGTHS = np.random.RandomState(0).randint(1, 60, 500)


def planned(order, first, steps, shape, xp=np, words=WORDS):
    return np.asarray(order.indices(words, order.cursor(first, shape), steps, shape, xp))


def test_an_epoch_holds_each_example_once():
    order = Bucketed(LENGTHS, window=5)
    epoch = planned(order, 0, 50, (10,))  # a whole number of runs
    np.testing.assert_array_equal(np.sort(epoch.reshape(-1)), np.arange(500))
    runs = planned(order, 0, 60, (10,)).reshape(12, -1)
    plain = planned(Shuffled(500), 0, 60, (10,)).reshape(12, -1)
    np.testing.assert_array_equal(np.sort(runs, 1), np.sort(plain, 1))


def test_batches_hold_similar_lengths_in_no_order():
    spread = {}
    for name, order in {"bucketed": Bucketed(LENGTHS), "shuffled": Shuffled(500)}.items():
        found = LENGTHS[planned(order, 0, 64, (16,))]
        spread[name] = np.ptp(found, axis=1).mean()
    assert spread["bucketed"] < 0.1 * spread["shuffled"]
    means = LENGTHS[planned(Bucketed(LENGTHS), 0, 64, (16,))].mean(1)
    assert abs(np.corrcoef(means, np.arange(64))[0, 1]) < 0.4


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_batches_do_not_depend_on_where_a_chunk_starts(shape):
    order = Bucketed(LENGTHS, window=8)
    whole = planned(order, 0, 40, shape)
    assert whole.shape == (40, *shape) and whole.dtype == np.int32
    for first, count in ((0, 7), (7, 20), (8, 8), (39, 1)):
        np.testing.assert_array_equal(
            planned(order, first, count, shape), whole[first : first + count]
        )


def test_numpy_and_jax_agree_and_members_have_their_own_order():
    order = Bucketed(LENGTHS, window=8)
    at = order.cursor(13, (6,))
    jitted = jax.jit(jax.vmap(lambda w: order.indices(w, at, 9, (6,))))
    both = np.asarray(jitted(jnp.stack([WORDS, WORDS + 1])))
    np.testing.assert_array_equal(both[0], planned(order, 13, 9, (6,)))
    np.testing.assert_array_equal(both[1], planned(order, 13, 9, (6,), words=WORDS + 1))
    assert not np.array_equal(both[0], both[1])
    np.testing.assert_array_equal(
        planned(order, 10**12, 3, (6,), jnp), planned(order, 10**12, 3, (6,))
    )


def test_no_batch_of_a_small_set_holds_an_example_of_several_epochs_twice():
    order = Bucketed(LENGTHS[:96])
    steps = planned(order, 0, 30, (32,))
    assert all(len(set(batch.tolist())) == 32 for batch in steps)
    for first in (1, 4, 29):
        np.testing.assert_array_equal(planned(order, first, 1, (32,))[0], steps[first])
    # Where an epoch ends within a run, examples of both sides may meet in a batch.
    others = planned(Bucketed(LENGTHS[:100]), 0, 30, (32,))
    assert min(len(set(batch.tolist())) for batch in others) > 16
    assert planned(Bucketed(LENGTHS[:5]), 0, 3, (8,)).shape == (3, 8)
