import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genjax.data.shuffle import MAX_EXAMPLES, _factors, permuted

KEY = np.array([3, 4], np.uint32)
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1617, 4095, 4096, 4097, 60_000, 65_537]


def whole(n, epoch=0, key=KEY):
    return permuted(np.arange(n), epoch, key, n, np)


@pytest.mark.parametrize("n", SIZES)
def test_each_example_once(n):
    np.testing.assert_array_equal(np.sort(whole(n)), np.arange(n))


@settings(deadline=None, max_examples=60)
@given(n=st.integers(1, 3000), epoch=st.integers(0, 2**32 - 1), key=st.integers(0, 2**64 - 1))
def test_each_example_once_for_any_size_epoch_and_key(n, epoch, key):
    words = np.array([key >> 32, key & 0xFFFFFFFF], np.uint32)
    np.testing.assert_array_equal(np.sort(whole(n, epoch, words)), np.arange(n))


@pytest.mark.parametrize("n", [1, 2, 3, 17, 1617, 60_000])
def test_jax_under_jit_equals_numpy(n):
    f = jax.jit(lambda p, e, k: permuted(p, e, k, n))
    for epoch in (0, 1, 2**32 - 1):
        got = f(jnp.arange(n, dtype=jnp.uint32), np.uint32(epoch), KEY)
        assert got.dtype == jnp.int32
        np.testing.assert_array_equal(got, whole(n, epoch))


def test_vmapped_over_keys_equals_one_by_one():
    keys = np.array([[0, 0], [0, 1], [1, 0], [7, 9]], np.uint32)
    f = jax.jit(jax.vmap(lambda k: permuted(jnp.arange(1617), 5, k, 1617)))
    np.testing.assert_array_equal(f(keys), [whole(1617, 5, k) for k in keys])


def test_epochs_and_keys_have_orders_of_their_own():
    orders = [
        whole(1000, e, np.array(k, np.uint32)) for e in range(5) for k in ((0, 0), (0, 1), (1, 0))
    ]
    for i, a in enumerate(orders):
        for b in orders[:i]:
            assert (a == b).sum() < 15  # independent permutations agree in 1 place on average


def test_positions_may_have_an_epoch_each():
    epochs = np.array([0, 1, 2] * 10)
    got = permuted(np.arange(30), epochs, KEY, 30, np)
    np.testing.assert_array_equal(got, np.choose(epochs, [whole(30, e) for e in range(3)]))


@pytest.mark.parametrize("n", [7, 10, 1617, 4096])
def test_looks_uniform(n):
    """Chi-square over epochs of the values at three positions, and of two neighbors' distance."""

    orders = np.stack([whole(n, e) for e in range(2000)])
    bins = min(n, 10)
    coarse = orders * bins // n
    at = [0, n // 3, n - 1]
    samples = [coarse[:, i] for i in at] + [(orders[:, 1] - orders[:, 0]) % n * bins // n]
    for s in samples:
        # Expected count of a bin: its share of the n values (of the n - 1 non-zero distances).
        values = np.arange(n) if s is not samples[-1] else np.arange(1, n)
        expected = np.bincount(values * bins // n, minlength=bins) / len(values) * len(s)
        count, possible = np.bincount(s, minlength=bins), expected > 0
        assert not count[~possible].any()
        chi2 = ((count - expected)[possible] ** 2 / expected[possible]).sum()
        assert chi2 < 40, chi2  # 9 degrees of freedom: a chance of 1e-5


def test_all_orders_of_three_are_equally_likely():
    orders = [tuple(whole(3, e)) for e in range(6000)]
    counts = [orders.count(o) for o in set(orders)]
    assert len(counts) == 6
    assert max(abs(c - 1000) for c in counts) < 150  # five standard deviations


def test_the_largest_size_stays_inside():
    positions = np.random.RandomState(0).randint(0, MAX_EXAMPLES, 1000)
    got = permuted(positions, 0, KEY, MAX_EXAMPLES, np)
    assert got.min() >= 0 and len(set(got)) == len(set(positions))
    a, b = _factors(MAX_EXAMPLES)
    assert max(a, b) < 2**16 and a * b >= MAX_EXAMPLES


@pytest.mark.parametrize("n", [0, -1, 2**31])
def test_sizes_out_of_range_are_refused(n):
    with pytest.raises(ValueError, match="between 1 and"):
        permuted(np.arange(1), 0, KEY, n, np)
