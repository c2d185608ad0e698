"""Declared config fields: default, what is allowed and what it means, in one place.

A section of a config is a frozen dataclass whose fields are made by `field`, or by `subsection`.
Recipes see it as a ConfigDict (`section`), families read it back as the dataclass (`read`), each
value checked by itself. Checks that involve two fields are methods of the dataclass. A subclass
that gives a field another default, `name: str = "ring"`, leaves its other rules as they are.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from ml_collections import ConfigDict

from genjax.core.errors import fail

_Section = TypeVar("_Section")
_ELEMENTS: dict[Any, tuple[Any, str]] = {  # of tuples: what they may be
    int: (Integral, "whole numbers"),
    float: (Real, "numbers"),
    str: (str, "texts"),
}
_BOUNDS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "ge": ("at least {}", lambda value, bound: value >= bound),
    "gt": ("above {}", lambda value, bound: value > bound),
    "le": ("at most {}", lambda value, bound: value <= bound),
    "lt": ("below {}", lambda value, bound: value < bound),
}


class Field(NamedTuple):
    """A declared field, as documentation has it.

    Attributes:
      name: dotted, as the command line has it.
      default: in the family's own config, before a recipe changes it.
      allowed: in words; empty where the type says all.
      meaning: one line.
      spans_run: where it is not 0, what it does at a step depends on the run's length.
    """

    name: str
    default: Any
    allowed: str
    meaning: str
    spans_run: bool = False


def field(
    default: Any,
    meaning: str,
    *,
    choices: Iterable[Any] = (),
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    spans_run: bool = False,
) -> Any:
    """Declares a field of a section.

    Args:
      default: a number, text, truth value or tuple; its type is the field's.
      meaning: one line, for `--help` and the table of fields.
      choices: all values that are allowed.
      ge, gt, le, lt: bounds (at least, above, at most, below), of each element of a tuple.
      spans_run: where it is not 0, what it does at a step depends on the run's length, so a run
        cannot be resumed with another one.
    """
    bounds = {"ge": ge, "gt": gt, "le": le, "lt": lt}
    declared = {name: bound for name, bound in bounds.items() if bound is not None}
    rules = {
        "meaning": meaning, "choices": tuple(choices), "bounds": declared, "spans_run": spans_run,
    }  # fmt: skip
    return dataclasses.field(default=default, metadata=rules)


def subsection(kind: type, /, **changes: Any) -> Any:
    """Declares a section within a section; `changes` replace its defaults."""
    return dataclasses.field(default=kind(**changes))


def section(kind: type, /, **changes: Any) -> ConfigDict:
    """Returns the section that `kind` declares, locked; `changes` replace its defaults.

    So a recipe that misspells a field is an error, and no field that nothing reads.
    """
    return _filled(dataclasses.replace(kind(), **changes) if changes else kind()).lock()


def _filled(values: Any) -> ConfigDict:
    found = {f.name: getattr(values, f.name) for f in dataclasses.fields(values)}
    return ConfigDict(
        {n: _filled(v) if dataclasses.is_dataclass(v) else v for n, v in found.items()}
    )


def read(kind: type[_Section], config: Mapping[str, Any], name: str = "") -> _Section:
    """Reads a section of a config.

    Args:
      kind: what declares its fields; others in the section are left alone.
      config: the whole config.
      name: of the section in it, dotted; empty: all of it.

    Raises:
      ConfigError: a value is out of range.
    """
    found, values = get(config, name), {}
    for f in dataclasses.fields(kind):  # type: ignore[arg-type]
        full = _join(name, f.name)
        if dataclasses.is_dataclass(f.default):
            values[f.name] = read(type(f.default), config, full)
        else:
            values[f.name] = found[f.name]
            _check_elements(full, found[f.name], f.type)
            _check(full, found[f.name], _rules(kind, f.name))
    return kind(**values)


def _check_elements(name: str, value: Any, hint: Any) -> None:
    """Raises `ConfigError` where a tuple holds something else than its annotation says."""
    kinds = get_args(hint) if get_origin(hint) is tuple else ()
    if len(kinds) != 2 or kinds[1] is not ... or kinds[0] not in _ELEMENTS:
        return
    allowed, what = _ELEMENTS[kinds[0]]
    right = isinstance(value, tuple) and all(isinstance(v, allowed) for v in value)
    if not right or any(isinstance(v, bool) for v in value):
        raise fail(name, value, f"must be a tuple of {what}")


def check_idle(name: str, section: Any, fields: Iterable[str]) -> None:
    """Raises `ConfigError` for such a field that is set while the section's `workdir` is empty.

    Nothing reads it then: the folder was forgotten, and another run than the one meant would begin.
    """
    if section.workdir:
        return
    defaults = {f.name: f.default for f in dataclasses.fields(section)}
    for field_name in fields:
        if (value := getattr(section, field_name)) != defaults[field_name]:
            raise fail(f"{name}.{field_name}", value, f"needs {name}.workdir")


def get(config: Any, field: str) -> Any:
    """The value of a dotted field name; the config itself of an empty one."""
    for name in field.split(".") if field else ():
        config = config[name]
    return config


def described(kind: Any, name: str = "") -> Iterator[Field]:
    """Describes the fields that `kind`, a dataclass or a value of it, declares for `name`."""
    values = kind() if isinstance(kind, type) else kind
    for f in dataclasses.fields(values):
        default, full = getattr(values, f.name), _join(name, f.name)
        if dataclasses.is_dataclass(default):
            yield from described(default, full)
            continue
        rules = _rules(type(values), f.name)
        allowed = _allowed(rules, isinstance(default, tuple))
        yield Field(full, default, allowed, rules["meaning"], rules["spans_run"])


def _join(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


def _rules(kind: type, name: str) -> Mapping[str, Any]:
    """The rules of a field, where a class of `kind` last declared some."""
    declared = (k.__dataclass_fields__.get(name) for k in kind.__mro__ if k is not object)  # type: ignore[attr-defined]
    return next(f.metadata for f in declared if f is not None and f.metadata)


def _check(name: str, value: Any, rules: Any) -> None:
    choices, many = rules["choices"], isinstance(value, tuple)
    each = value if many else (value,)
    if any(isinstance(one, float) and not math.isfinite(one) for one in each):
        raise fail(name, value, "must be finite")
    within = all(
        _BOUNDS[kind][1](one, bound) for one in each for kind, bound in rules["bounds"].items()
    )
    if not within or (choices and value not in choices):
        raise fail(name, value, f"must be {_allowed(rules, many)}")


def _allowed(rules: Any, many: bool) -> str:
    if rules["choices"]:
        return f"one of {', '.join(map(str, rules['choices']))}"
    if rules["bounds"].keys() == {"ge", "le"} and not many:
        return "between {ge} and {le}".format(**rules["bounds"])
    words = " and ".join(_BOUNDS[kind][0].format(bound) for kind, bound in rules["bounds"].items())
    return f"whole numbers of {words}" if words and many else words
