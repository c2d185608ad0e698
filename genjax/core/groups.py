"""Rates of parameters by their paths: what an optimizer moves, how fast, and from which update on.

A section `optimizer` gives patterns over paths (`genjax.core.paths`). A stack keeps its layers in
one array, whose first axis is that of the layers; patterns see a path for each of them, which has
the layer's number: `encoder/stack/layers/3/attention/out/kernel`.

    groups=("encoder=0.1", "encoder/embedding=0")   the last pattern that names a path counts
    unfreeze=("encoder/stack/layers/0=200",)        it stands still for 200 updates
    layer_decay=0.9                                 a layer learns at 0.9 of the next one's rate

Sources: Howard and Ruder 2018 (ULMFiT: gradual unfreezing, rates by layer); Clark et al. 2020
(ELECTRA: one factor a layer, the embeddings below all of them).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from genjax.core.errors import fail
from genjax.core.paths import listed, matches, path_of

_LAYERS = "layers"  # the entry of a stack whose leaves have its layers as their first axis
_BELOW = ("tokens", "positions", "types")  # tables that the lowest layer reads


class Groups(NamedTuple):
    """The fields of an optimizer's section that are about paths, read.

    Attributes:
      section: of the config, for errors.
      within: the network that the optimizer's tree is of, in front of all paths; empty: all.
      factors: of the learning rate, by pattern.
      unfreeze: the update from which on parameters move, by pattern.
      layer_decay: the rate of a layer as a part of that of the next one.
      others: paths of parameters that other optimizers of the section move.
      held: patterns of parameters that stay as they are: that of `encoder_lr_scale`, if it is 0.
    """

    section: str
    within: str
    factors: Mapping[str, float]
    unfreeze: Mapping[str, float]
    layer_decay: float
    others: tuple[str, ...]
    held: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.factors or self.unfreeze or self.layer_decay != 1)

    @property
    def freezes(self) -> bool:
        """Says whether there may be parameters that never move."""
        return 0.0 in self.factors.values()


def read(
    o: Any,
    factors: Mapping[str, float],
    section: str,
    within: str,
    others: tuple[str, ...],
) -> Groups:
    """Reads the fields of an optimizer's section; `factors` are of its fields PATTERN_lr_scale.

    Raises:
      ConfigError: an entry is no PATTERN=NUMBER, or a number is out of range.
    """
    given = _numbers(section, "groups", o.get("groups", ()))
    steps = _numbers(section, "unfreeze", o.get("unfreeze", ()))
    decay = float(o.get("layer_decay", 1.0))
    more = {n: factor for n, factor in factors.items() if factor != 1 and n not in given}
    held = tuple(name for name, factor in factors.items() if not factor)
    return Groups(section, within, {**more, **given}, steps, decay, others, held)


def _numbers(section: str, field: str, entries: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for entry in entries:
        pattern, _, number = str(entry).rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        whole = field == "groups" or value == int(value)
        if not pattern or not 0 <= value < float("inf") or not whole:
            what = "PATTERN=FACTOR" if field == "groups" else "PATTERN=STEP"
            raise fail(f"{section}.{field}", entry, f"must be {what}, the number at least 0")
        found.pop(pattern, None)  # the last one counts
        found[pattern] = value
    return found


def frozen(groups: Groups, tree: Any) -> Any:
    """Returns True for each leaf of a tree like the parameters that never moves."""
    return jax.tree.map(lambda factor: not np.any(factor), _factors(groups, tree))


def scaled(groups: Groups) -> optax.GradientTransformation:
    """Scales updates by the factor of their path, and holds them until they are to move.

    What stands still gets an update of -0.0, which leaves every number as it is, bit for bit.
    Optimizers in front of it see the gradients of what is held, so that its moments are those of
    all updates once it moves.
    """

    def init(params: Any) -> Any:
        check(groups, params)
        count = optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))
        return count if groups.unfreeze else optax.EmptyState()

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        updates = jax.tree.map(_times, updates, _factors(groups, updates))
        if not groups.unfreeze:
            return updates, state
        starts = _by_leaf(updates, groups, lambda path: _last(groups.unfreeze, path, 0.0))
        held = jax.tree.map(
            lambda u, start: jnp.where(state.count >= start, u, -0.0), updates, starts
        )
        return held, optax.ScaleByScheduleState(optax.safe_increment(state.count))

    return optax.GradientTransformation(init, update)


def check(groups: Groups, params: Any) -> None:
    """Raises `ConfigError` for a pattern that names no parameters, or would move held ones."""
    known = [*_all_paths(groups, params), *groups.others]
    for field, numbers in (("groups", groups.factors), ("unfreeze", groups.unfreeze)):
        for pattern, number in numbers.items():
            named = [path for path in known if matches(pattern, path)]
            if not named:
                message = f"names no parameters; there are {listed(known, 24)}"
                raise fail(f"{groups.section}.{field}", f"{pattern}={number:g}", message)
            for name in groups.held if number or field == "unfreeze" else ():
                if still := [path for path in named if matches(name, path)]:
                    held = f"{groups.section}.{name}_lr_scale=0 keeps as they are"
                    message = f"must not move {listed(still, 3)}, which {held}"
                    raise fail(f"{groups.section}.{field}", f"{pattern}={number:g}", message)
    if groups.layer_decay != 1 and not _depths(known):
        message = "there is no stack of layers here; must be 1, or give optimizer.groups"
        raise fail(f"{groups.section}.layer_decay", groups.layer_decay, message)


def _times(update: jax.Array, factor: Any) -> jax.Array:
    if not np.any(factor):
        return jnp.full_like(update, -0.0)
    if np.all(factor == 1):
        return update
    moved = jnp.multiply(jnp.asarray(factor, update.dtype), update)
    return moved if np.all(factor) else jnp.where(factor == 0, -0.0, moved)


def _last(numbers: Mapping[str, float], path: str, usual: float) -> float:
    named = [number for pattern, number in numbers.items() if matches(pattern, path)]
    return named[-1] if named else usual


def _factors(groups: Groups, tree: Any) -> Any:
    depths = _depths(_all_paths(groups, tree)) if groups.layer_decay != 1 else {}

    def factor(path: str) -> float:
        return _last(groups.factors, path, 1.0) * groups.layer_decay ** _below(path, depths)

    return _by_leaf(tree, groups, factor)


def _by_leaf(tree: Any, groups: Groups, number: Callable[[str], float]) -> Any:
    """Computes a number for each leaf, or one for each layer, (L, 1, …), where they differ."""

    def of_leaf(keys: Any, x: Any) -> Any:
        numbers = [number(path) for path in _of_leaf(groups, keys, x)]
        if len(set(numbers)) == 1:
            return np.float32(numbers[0])
        return np.array(numbers, np.float32).reshape(-1, *[1] * (x.ndim - 1))

    return jax.tree_util.tree_map_with_path(of_leaf, tree)


def _all_paths(groups: Groups, tree: Any) -> list[str]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [path for keys, x in leaves for path in _of_leaf(groups, keys, x)]


def _of_leaf(groups: Groups, keys: Any, x: Any) -> list[str]:
    """Returns the paths of a leaf: one, or one for each layer of a stack."""
    path = "/".join(filter(None, [groups.within, path_of(keys)]))
    parts = path.split("/")
    if _LAYERS not in parts[:-1]:
        return [path]
    at = parts.index(_LAYERS) + 1
    return ["/".join([*parts[:at], str(i), *parts[at:]]) for i in range(x.shape[0])]


def _depths(paths: Sequence[str]) -> dict[str, int]:
    """Counts the layers of each stack, by the path of it."""
    found: dict[str, int] = {}
    for path in paths:
        stack, layers, rest = path.partition(f"/{_LAYERS}/")
        if layers:
            found[stack] = max(found.get(stack, 0), int(rest.partition("/")[0]) + 1)
    return found


def _below(path: str, depths: Mapping[str, int]) -> int:
    """Counts how far a parameter lies below what stands on top of its stack, which is 0."""
    stack, layers, rest = path.partition(f"/{_LAYERS}/")
    if layers:
        return depths[stack] - int(rest.partition("/")[0]) if depths else 0
    network, *parts = path.split("/")
    tables = parts and (parts[-1] in _BELOW or any(p.startswith("embedding") for p in parts))
    inside = [n for s, n in depths.items() if s.partition("/")[0] == network]
    return max(inside) + 1 if tables and inside else 0
