"""What a sweep left in its folder: groups and members, the best of them, a table of settings."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from genjax import families
from genjax.core import files
from genjax.core.config import ConfigError
from genjax.core.members import Spread, explained, spread
from genjax.core.renamed import renamed, renamed_field
from genjax.engine.layout import CHECKPOINTS, CONFIG
from genjax.engine.layout import SWEEP as SWEEP

# By what members are compared where `config.best_metric` names nothing: the first that is there.
_MAIN = {
    "elbo": "max", "loss": "min", "nll": "min", "cross_entropy": "min", "reconstruction": "min",
    "mse": "min", "fid": "min", "kid": "min", "mind": "min", "reverse_kl": "min",
}  # fmt: skip
Row = dict[str, Any]


class Group(NamedTuple):
    """Members that one program trains: they share `config` and `settings`, and differ in the rest.

    `seeds` and each of `hyperparameters` hold one value a member.
    """

    folder: Path
    config: ConfigDict
    settings: dict[str, Any]
    seeds: list[int]
    hyperparameters: dict[str, list[float]]

    def member(self, i: int) -> dict[str, Any]:
        """Returns seed and swept values of member `i`."""
        numbers = {field: values[i] for field, values in self.hyperparameters.items()}
        return {"seed": self.seeds[i]} | self.settings | numbers

    def fields(self) -> list[str]:
        """Returns the swept fields."""
        return [*self.settings, *self.hyperparameters]


def record(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Returns what `sweep.json` says of the groups: all that makes them these ones."""
    return [
        {
            "folder": g.folder.name,
            "settings": g.settings,
            "seeds": g.seeds,
            "hyperparameters": g.hyperparameters,
            "config": g.config.to_dict(),
        }
        for g in groups
    ]


def current(group: dict[str, Any]) -> dict[str, Any]:
    """Returns a group of a `sweep.json` with the fields of today, under their names."""
    family = group["config"].get("family")
    named = {
        key: {renamed_field(name, family): value for name, value in group[key].items()}
        for key in ("settings", "hyperparameters")
    }
    config = families.completed(renamed(group["config"]))
    return group | named | {"config": json.loads(config.to_json())}


def read(workdir: str | Path) -> list[Group]:
    """Reads the groups of the sweep in `workdir`; none where there is no sweep in it."""
    folder = Path(workdir).expanduser().absolute()
    path = folder / SWEEP
    if not path.exists():
        return []
    with files.reading(path):
        groups = [current(g) for g in files.read_json(path, finite=False)["groups"]]
        for g in groups:
            if not g["seeds"] or {len(v) for v in g["hyperparameters"].values()} - {
                len(g["seeds"])
            }:
                raise ValueError("a group needs one value of each hyper-parameter for each seed")
        return [
            Group(
                folder / Path(g["folder"]).name,
                ConfigDict(g["config"]),
                {n: tuple(v) if isinstance(v, list) else v for n, v in g["settings"].items()},
                g["seeds"],
                g["hyperparameters"],
            )
            for g in groups
        ]


def around(workdir: str | Path) -> Group | None:
    """Finds the group whose folder `workdir` is, if it is one."""
    folder = Path(workdir).expanduser().absolute()
    return next((g for g in read(folder.parent) if g.folder.name == folder.name), None)


def find(groups: Sequence[Group], member: int) -> tuple[Group, int]:
    """Finds the group of the sweep's member number `member`, and its number in there."""
    at = member
    for group in groups:
        if at < len(group.seeds):
            return group, at
        at -= len(group.seeds)
    n = sum(len(group.seeds) for group in groups)
    raise ConfigError(f"--member={member}: must be below the number of members of the sweep, {n}")


def check_begun(workdir: str | Path, groups: Sequence[Group]) -> None:
    """Raises `ConfigError`, which names the sweep's folder, where a group cannot be loaded yet."""
    from genjax.engine.checkpoints import Checkpoints

    for group in groups:
        if not Checkpoints(group.folder / CHECKPOINTS).steps():
            begun = (group.folder / CONFIG).exists()
            lacking = "has no complete checkpoint yet" if begun else "has not begun"
            raise ConfigError(
                f"--workdir={workdir}: the sweep is not through: {group.folder.name} {lacking}; "
                "run its command again"
            )


def rows(groups: Sequence[Group], numbers: Sequence[Mapping[str, Any]] = ()) -> list[Row]:
    """Makes one row a member: what it is, then its numbers.

    `numbers` are those of each group, lists of one number a member by name; by default its last
    training and evaluation metrics.
    """
    found: list[Row] = []
    for g, group in enumerate(groups):
        last = numbers[g] if numbers else _last(group)
        found += [
            {"member": len(found) + i, "group": g, "group_member": i}
            | group.member(i)
            | {name: values[i] for name, values in last.items()}
            for i in range(len(group.seeds))
        ]
    return found


def names(found: Sequence[Row]) -> list[str]:
    """Lists what some row tells: a group that diverged at once has no numbers."""
    return list(dict.fromkeys(name for row in found for name in row))


def criterion(config: ConfigDict, known: Sequence[str]) -> tuple[str, str]:
    """Chooses the number of `known` by which members are compared, and "min" or "max".

    That is `config.best_metric`, or the family's main loss; two empty texts where there is none.
    """
    if metric := config.get("best_metric", ""):
        return f"eval/{metric}", config.best_mode
    for name, mode in _MAIN.items():
        if f"eval/{name}" in known:
            return f"eval/{name}", mode
    return "", ""


def best(found: Sequence[Row], metric: str, mode: str) -> Row | None:
    """Finds the row whose `metric` is best; None where none is finite."""
    sign = 1 if mode == "min" else -1
    finite = [row for row in found if math.isfinite(row.get(metric, math.nan))]
    return min(finite, key=lambda row: sign * row[metric]) if finite else None


def pick(groups: Sequence[Group], member: int | None) -> tuple[Group, int, str]:
    """Finds the member that the user named, else the best: its group, its number there, and why."""
    found, fields = rows(groups), groups[0].fields()
    metric, mode = criterion(groups[0].config, names(found))
    why = "no number of the evaluations says which member is best"
    if member is None and metric:
        row = best(found, metric, mode)
        if row is None:
            raise ConfigError(f"{groups[0].folder.parent}: no member's {metric} is finite")
        member, least = row["member"], "lowest" if mode == "min" else "highest"
        why = f"its {metric} is the {least} of {len(found)}, {row[metric]:.4g}"
    elif member is not None:
        why = "as --member says"
    group, i = find(groups, member or 0)
    row = found[member or 0]
    message = f"member {row['member']} of the sweep (seed {row['seed']}, {named(row, fields)})"
    return group, i, f"{message}: {why}"


def best_setting(
    found: Sequence[Row], fields: Sequence[str], metric: str, mode: str
) -> tuple[Row, Spread] | None:
    """Finds the setting of the best mean over finite seeds: its best row, and that mean."""
    sign = 1 if mode == "min" else -1
    each = []
    for same in _settings(found, fields):
        over = spread([row.get(metric, math.nan) for row in same])
        row = best(same, metric, mode)
        if row is not None:
            each.append((sign * over.mean, row, over))
    if not each:
        return None
    _, row, over = min(each, key=lambda found: found[0])
    return row, over


def named(row: Row, fields: Sequence[str]) -> str:
    """Names the values of a row's setting."""
    return ", ".join(f"{field}={row[field]}" for field in fields) or "the only setting"


def table(found: Sequence[Row], fields: Sequence[str]) -> str:
    """Makes a line for each setting: mean ± standard error over its finite seeds."""
    numbers = [name for name in names(found) if "/" in name]
    columns = [n for n in numbers if not n.startswith("train/")] or numbers
    lines, seeds = [[*fields, "members", *columns]], set()
    for same in _settings(found, fields):
        own = [n for n in columns if any(n in row for row in same)]  # some depend on the setting
        finite = [r for r in same if own and all(math.isfinite(r.get(n, math.nan)) for n in own)]
        lost = f" ({len(same) - len(finite)} diverged)" if len(finite) < len(same) else ""
        over = [
            spread([row[name] for row in finite]) if name in own or not own else ""
            for name in columns
        ]
        seeds.add(len(finite))
        cells = [f"{same[0][field]}" for field in fields] + [f"{len(finite)}{lost}"]
        lines.append(cells + [str(s) for s in over])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [
        "  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip()
        for cells in lines
    ]
    return "\n".join([*aligned, *filter(None, [explained(seeds, "seeds")])])


def one_each(value: Any, members: int) -> bool:
    """Says whether this is one number a member, and not the vectors that some families have."""
    return isinstance(value, list) and len(value) == members and not isinstance(value[0], list)


def _settings(found: Sequence[Row], fields: Sequence[str]) -> list[list[Row]]:
    """Returns the rows of each setting, in their order."""
    each: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        each.setdefault(tuple(row[field] for field in fields), []).append(row)
    return list(each.values())


def _last(group: Group) -> dict[str, list[float]]:
    """Returns the last of each metric of one number a member that the group has written."""
    from genjax.engine.writers import METRICS, read_metrics

    last: dict[str, Any] = {}
    for row in read_metrics(group.folder / METRICS):
        last |= {n: v for n, v in row.items() if "/" in n and one_each(v, len(group.seeds))}
    return {n: last[n] for n in sorted(last, key=lambda n: (n.startswith("eval/"), n))}
