"""What holds for every loss: derivatives, precision, examples by themselves, and refusals.

Losses refuse what they would broaden in silence, when traced, and pay nothing for it.
"""

import collections
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import losses
from genjax.core import checks
from tests.losses.rows import ROWS, B

FUNCTIONS = {n: f for n, f in vars(losses).items() if n in losses.__all__ and inspect.isfunction(f)}
POINTS = {"conditional_path", "interpolate", "reparameterize"}  # no losses: their inputs' dtype
_CALLS = [
    pytest.param(name, *call, id=f"{name}-{n}")
    for name, row in ROWS.items()
    for n, call in enumerate(row.wrong)
]
_VALUES = [
    pytest.param(name, *call, id=f"{name}-{n}")
    for name, row in ROWS.items()
    for n, call in enumerate(row.values)
]


def split(arguments: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays, which are traced, and all else."""
    arrays = {}
    for name, argument in arguments.items():
        leaves = jax.tree.leaves(argument)
        if leaves and all(hasattr(x, "dtype") for x in leaves):
            arrays[name] = argument
    return arrays, {name: a for name, a in arguments.items() if name not in arrays}


def floats(tree: Any) -> list[Any]:
    return [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]


def cast(tree: Any, dtype: Any) -> Any:
    def one(x: Any) -> Any:
        return x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x

    return jax.tree.map(one, tree)


def call(name: str, arguments: Any, *, traced: bool) -> Any:
    """Its shapes: nothing is compiled. Arrays are known to the function unless they are traced."""
    arrays, rest = split(arguments) if traced else ({}, arguments)
    return jax.eval_shape(lambda arrays: FUNCTIONS[name](**arrays, **rest), arrays)


def test_every_loss_has_a_row() -> None:
    assert FUNCTIONS.keys() == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_right_call_works_under_vmap_of_few_bits_and_of_some_examples(name: str) -> None:
    arrays, rest = split(ROWS[name].right)
    of_rows = {n: a[1:3] for n, a in arrays.items() if getattr(a, "shape", ())[:1] == (B,)}

    def f(arrays: Any) -> Any:
        return FUNCTIONS[name](**arrays, **rest)

    @jax.jit
    def program(arrays: Any, part: Any) -> Any:
        members = jax.tree.map(lambda x: jnp.stack([x, x]), arrays)
        low = cast(arrays, jnp.bfloat16)
        vmapped = jax.vmap(f)(members) if arrays else f(arrays)
        return f(arrays), vmapped, f(part), f(low), f(cast(low, np.float32))

    call(name, ROWS[name].right, traced=False)
    once, twice, some, low, wide = map(floats, program(arrays, arrays | of_rows))
    for a, b in zip(once, twice):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b[1] if arrays else b, rtol=1e-5, atol=1e-6)
    for a, b in zip(once, some):
        np.testing.assert_allclose(a[1:3] if of_rows else a, b, rtol=1e-6)
    for a, b in zip(low, wide if floats(arrays) and name not in POINTS else ()):
        assert a.dtype == b.dtype == jnp.float32
        if not any(map(callable, rest.values())):
            np.testing.assert_allclose(a, b, rtol=1e-6)


DIFFERENTIABLE = {n for n, row in ROWS.items() if floats(split(row.right)[0])} - {"crf_viterbi"}


@pytest.mark.parametrize("name", sorted(DIFFERENTIABLE))
def test_first_and_second_derivatives_are_differences(name: str) -> None:
    arrays, rest = split(ROWS[name].right)
    moved = {n: cast(a, np.float64) for n, a in arrays.items() if floats(a)}
    fixed = {n: a for n, a in arrays.items() if n not in moved}
    towards = jax.tree.map(lambda x: np.cos(np.arange(x.size) + 1.0).reshape(x.shape), moved)

    def total(moved: Any) -> Any:
        values = floats(FUNCTIONS[name](**moved, **fixed, **rest))
        return sum((jnp.cos(jnp.arange(x.size)) * x.ravel()).sum() for x in values)

    def along(f: Any, x: Any, step: float = 1e-5) -> Any:
        ends = [f(jax.tree.map(lambda a, v, s=s: a + s * v, x, towards)) for s in (step, -step)]
        return jax.tree.map(lambda a, b: (a - b) / (2 * step), *ends)

    @jax.jit
    def program(x: Any) -> Any:
        gradient = jax.grad(total)
        forward = jax.jvp(gradient, (x,), (towards,))[1]
        products = lambda x: jax.tree.map(jnp.vdot, gradient(x), towards)  # noqa: E731
        reverse = jax.grad(lambda x: sum(jax.tree.leaves(products(x))))(x)
        first = sum(jax.tree.leaves(products(x))), along(total, x)
        return first, (forward, along(gradient, x)), (reverse, forward)

    for both in program(moved):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), *both)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize(("name", "change", "message"), _CALLS)
def test_a_wrong_call_is_refused_by_the_name_of_its_argument(
    name: str, change: dict[str, Any], message: str, traced: bool
) -> None:
    with pytest.raises(ValueError, match=message) as found:
        call(name, dict(ROWS[name].right) | change, traced=traced)
    assert len(str(found.value)) < 300 and "\n" not in str(found.value)


@pytest.mark.parametrize(("name", "change", "message"), _VALUES)
def test_values_out_of_range_are_refused_where_they_are_known(
    name: str, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call(name, dict(ROWS[name].right) | change, traced=False)
    call(name, dict(ROWS[name].right) | change, traced=True)


_INDICES = {"lengths_B", "target_BxT", "label_B"}


@pytest.mark.parametrize("name", [n for n, row in ROWS.items() if _INDICES & row.right.keys()])
def test_where_they_are_not_known_targets_out_of_range_give_nan(name: str) -> None:
    arrays, rest = split(ROWS[name].right)
    program = jax.jit(lambda arrays: FUNCTIONS[name](**arrays, **rest))
    for change, _ in ROWS[name].values:
        value = program(arrays | change)
        value = value[1] if isinstance(value, tuple) else value
        assert np.isnan(np.ravel(value)[0]), (change, value)


@pytest.mark.parametrize("name", ROWS)
def test_a_checked_loss_is_the_same_program(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def program() -> str:
        arrays, rest = split(ROWS[name].right)
        return str(jax.make_jaxpr(lambda arrays: FUNCTIONS[name](**arrays, **rest))(arrays))

    checked = program()
    for check, f in list(vars(checks).items()):
        if inspect.isfunction(f) and check != "is_known":
            monkeypatch.setattr(checks, check, lambda *a, **k: collections.defaultdict(lambda: 0))
    assert program() == checked
