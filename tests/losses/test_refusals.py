"""Losses refuse what they would broaden in silence, when traced, and pay nothing for it."""

import collections
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import losses
from genjax.core import checks
from tests.losses.rows import ROWS

_CALLS = [pytest.param(name, *call, id=f"{name}-{n}") for name, row in ROWS.items()
          for n, call in enumerate(row.wrong)]  # fmt: skip
_VALUES = [pytest.param(name, *call, id=f"{name}-{n}") for name, row in ROWS.items()
           for n, call in enumerate(row.values)]  # fmt: skip


FUNCTIONS = {
    n: getattr(losses, n) for n in losses.__all__ if inspect.isfunction(getattr(losses, n))
}


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


def call(name: str, arguments: Any, *, traced: bool) -> Any:
    """Its shapes: nothing is compiled. Arrays are known to the function unless they are traced."""
    arrays, rest = split(arguments) if traced else ({}, arguments)
    return jax.eval_shape(lambda arrays: FUNCTIONS[name](**arrays, **rest), arrays)


def test_every_loss_has_a_row() -> None:
    assert FUNCTIONS.keys() == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_right_call_works_alone_and_under_jit_grad_and_vmap(name: str) -> None:
    arrays, rest = split(ROWS[name].right)
    moved = {n: a for n, a in arrays.items() if floats(a)}
    fixed = {n: a for n, a in arrays.items() if n not in moved}

    def value(moved: Any, fixed: Any) -> Any:
        return FUNCTIONS[name](**moved, **fixed, **rest)

    def total(moved: Any, fixed: Any) -> Any:
        return sum(x.sum() for x in floats(value(moved, fixed)))

    @jax.jit
    def program(moved: Any, fixed: Any) -> Any:
        members = jax.tree.map(lambda x: jnp.stack([x, x]), (moved, fixed))
        both = jax.vmap(value)(*members) if arrays else value(moved, fixed)
        differentiable = moved and floats(jax.eval_shape(value, moved, fixed))
        return value(moved, fixed), both, jax.grad(total)(moved, fixed) if differentiable else 0.0

    call(name, ROWS[name].right, traced=False)
    once, twice, gradient = program(moved, fixed)
    for a, b in zip(floats(once), floats(twice)):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b[1] if arrays else b, rtol=1e-5, atol=1e-6)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))


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


_INDEXED = [
    n for n, row in ROWS.items() if {"lengths_B", "target_BxT", "label_B"} & row.right.keys()
]


@pytest.mark.parametrize("name", _INDEXED)
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
