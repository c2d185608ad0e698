"""Pytrees compared leaf by leaf, under readable names."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Leaves = dict[str, np.ndarray]


def leaves(tree: Any) -> Leaves:
    """The leaves as NumPy arrays; keys as their integers, bfloat16 as float32."""
    named = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): _numpy(leaf) for path, leaf in named
    }


def member(tree: Leaves, i: int) -> Leaves:
    """Member i of a population's leaves; the step is shared."""
    return {name: x if name == "step" else x[i] for name, x in tree.items()}


def of_steps(metrics: Any, n: int) -> Leaves:
    """The metrics that `Executor.run` gives of its `n` steps: (n,), or (members, n)."""
    return {name: x[..., :n] for name, x in leaves(metrics).items()}


def assert_equal(actual: Leaves, expected: Leaves) -> None:
    """Bit for bit, so that nan equals nan and 0.0 differs from -0.0."""
    assert actual.keys() == expected.keys()
    differ = [n for n, x in expected.items() if actual[n].tobytes() != x.tobytes()]
    assert not differ, f"{len(differ)} of {len(expected)} leaves differ: {differ[:5]}"


def assert_close(actual: Leaves, expected: Leaves, start: Leaves, fraction: float) -> None:
    """Floats within `fraction` of how far training moved their leaf, integers equal.

    Measured against the movement, a tolerance keeps its teeth: had a device missed its gradient, or
    drawn other noise, the leaf would be off by about all of it. A millionth of the leaf's magnitude
    is always allowed: a leaf whose gradient is 0 moves by nothing but rounding.
    """
    assert actual.keys() == expected.keys()
    faults = []
    for name, x in expected.items():
        y = actual[name]
        assert y.shape == x.shape, f"{name}: {y.shape} instead of {x.shape}"
        if not np.issubdtype(x.dtype, np.floating):
            assert np.array_equal(x, y), name
        elif x.size:
            moved = np.abs(x - start[name]).max() if name in start else np.abs(x).max()
            allowed = fraction * moved + 1e-6 * max(np.abs(x).max(), 1.0)
            off = np.abs(x - y).max()
            if not off <= allowed:
                faults.append(f"{name}: off by {off:.3g} of {moved:.3g} moved")
    assert not faults, "\n".join(faults)


def _numpy(x: Any) -> np.ndarray:
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    x = np.array(x)  # a copy: the buffer may be donated afterwards
    return x.astype(np.float32) if x.dtype == jnp.bfloat16 else x
