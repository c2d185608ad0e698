"""Configs: found by path or by name, loaded, and overridden from the command line."""

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from genjax.core import files
from genjax.core.config import DURATIONS, ConfigError, fail, get
from genjax.core.execution import execute, guarded
from genjax.core.renamed import renamed_field

_OVERRIDE = re.compile(r"--?(?P<no>no)?config\.(?P<field>[^=]+)(=(?P<value>.*))?", re.DOTALL)
_NEEDS = "a Python file whose get_config() returns a ConfigDict"
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def load(spec: str) -> ConfigDict:
    """Loads the config that `--config=spec` means.

    Args:
      spec: a file, or the name of a recipe: `configs/NAME.py` below the current folder, else one of
        those that genjax comes with. `:ARG` at its end is handed to `get_config(ARG)`. Where the
        file has a function `build`, it is a family of its own, called like the file. The
        `config.json` of a run is the config of that run, and nothing of it is executed.

    Raises:
      ConfigError: no such file or recipe, or it cannot be run; the line is named.
    """
    path, argument = _find(spec)
    if path.suffix != ".py":
        return _recorded(spec, path)
    message = f"--config={spec}"
    module, source = execute(path, message, _NEEDS)
    get_config = getattr(module, "get_config", None)
    if not callable(get_config):
        raise ConfigError(f"{message}: has no function get_config(); see configs/wgan_gp.py")
    arguments = [] if argument is None else [argument]
    config = guarded(lambda: get_config(*arguments), path, message, _NEEDS)
    if not isinstance(config, ConfigDict):
        kind = type(config).__name__
        raise ConfigError(f"{message}: get_config() returns {kind}; must be a ConfigDict")
    if callable(getattr(module, "build", None)):
        _add_family(config, path, module, source)
    return config.lock()


def beside(file: str, spec: str) -> ConfigDict:
    """Loads the recipe `NAME` or `NAME:ARG` from the folder of `file`, a recipe that varies it."""
    name, colon, argument = spec.partition(":")
    return load(f"{Path(file).with_name(name)}.py{colon}{argument}")


def _add_family(config: ConfigDict, path: Path, module: ModuleType, source: str) -> None:
    """Makes the recipe's own family known, if it is that which its config names."""
    from genjax import families  # here: it starts JAX

    name, known = config.get("family"), families.names()
    if name == path.stem and name not in known:
        families.add(path, module, source)
    elif name == path.stem or name not in known:
        raise ConfigError(
            f"config.family={files.shown(name)}: {path.name} has a family of its own (a function "
            f"build), which must be called like its file, {path.stem}, and not like one of "
            "genjax's; rename them"
        )


def override(
    config: ConfigDict,
    args: Sequence[str],
    values: flags.FlagValues,
    said: list[str] | None = None,
) -> ConfigDict:
    """Defines `--config.FIELD` flags for the overrides in `args` and parses all of `args`.

    Args:
      config: the recipe's; not changed.
      args: the command line without `--config=…` itself.
      values: holds the program's other flags, which are parsed as well.
      said: is added a line for each field that an override sets beside its own.

    Returns:
      The config with all overrides, locked. A duration takes the place of the recipe's, and
      `num_seeds` above 1 means `executor=vmap`.

    Raises:
      ConfigError: an unknown field, a value of the wrong type, or two durations.
      absl.flags.Error: anything wrong with the other flags.
    """
    for field, value in overrides(args):
        check_field(config, field, value)
    result = config.copy_and_resolve_references().lock()
    argv = ["", *args]
    try:
        config_flags.DEFINE_config_dict("config", result, flag_values=values, sys_argv=argv)
        rest = values(argv)[1:]
    except (flags.IllegalFlagValueError, TypeError) as error:
        raise _wrong_type(config, args, error) from error
    if rest:
        raise ConfigError(f"{rest[0]!r}: is no flag; flags are written --NAME=VALUE")
    for field, value in flat(result):
        _check_value(field, value, get(config, field))
    changes, lines = _implied(config, result, {field for field, _ in overrides(args)})
    if said is not None:
        said += lines
    result = result.unlock()
    result.update(changes)
    return result.lock()


def _implied(
    recipe: ConfigDict, config: ConfigDict, given: set[str]
) -> tuple[dict[str, Any], list[str]]:
    """Returns what the `given` fields mean for others of the recipe's, and a line for each."""
    changes: dict[str, Any] = {}
    lines = []
    durations = [name for name in DURATIONS if name in given and config.get(name)]
    if len(durations) > 1:
        message = " and ".join(f"--config.{name}={config[name]}" for name in durations)
        raise ConfigError(f"{message}: are two lengths; give one of {', '.join(DURATIONS)}")
    for name in DURATIONS:
        if durations and name not in given and config.get(name):
            changes[name] = type(config[name])(0)
            new = f"config.{durations[0]}={config[durations[0]]}"
            lines.append(f"{new} takes the place of the recipe's {name}={recipe[name]}")
    if config.get("num_seeds", 1) > 1 and "executor" not in given and config.executor == "scan":
        changes["executor"] = "vmap"
        lines.append(f"config.num_seeds={config.num_seeds}: a population (executor=vmap)")
    return changes, lines


def with_value(config: ConfigDict, field: str, text: str) -> ConfigDict:
    """Sets one field from text, as by `--config.FIELD=text`."""
    return override(config, [f"--config.{field}={text}"], flags.FlagValues())


def overrides(args: Iterable[str]) -> list[tuple[str, str | None]]:
    """Returns (field, value) of each override in `args`; None where it has no value."""
    matches = [m for m in map(_OVERRIDE.fullmatch, args) if m]
    return [(m["field"], m["value"]) for m in matches]


def check_field(config: ConfigDict, field: str, value: str | None, flag: str = "config.") -> None:
    """Raises `ConfigError` unless `field` is a field of `config`, and no section."""
    names = [name for name, _ in flat(config)]
    if field in names:
        return
    shown = f"{flag}{field}" + ("" if value is None else f"={value}")
    inside = [name for name in names if name.startswith(field + ".")]
    if inside:
        raise ConfigError(f"{shown}: is a section; must be one of its fields: {', '.join(inside)}")
    today = renamed_field(field, config.get("family"))
    if today in names and today != field:
        raise ConfigError(f"{shown}: is called {today} today")
    raise ConfigError(f"{shown}: no such field of this config; {nearest(field, names)}")


def nearest(name: str, names: Iterable[str]) -> str:
    """Returns "did you mean …?", or what there is, where nothing is near."""
    names = sorted(names)
    # A field may be remembered without its section, or in another one.
    near = [n for n in names if n.rpartition(".")[2] == name.rpartition(".")[2]]
    near = near or difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"must be one of {', '.join(names)}" if names else "there are none"


def flat(config: ConfigDict, prefix: str = "") -> list[tuple[str, Any]]:
    """Lists (dotted name, value) of all fields."""
    fields: list[tuple[str, Any]] = []
    for name, value in config.items():
        if isinstance(value, ConfigDict):
            fields += flat(value, f"{prefix}{name}.")
        else:
            fields.append((prefix + name, value))
    return fields


def _find(spec: str) -> tuple[Path, str | None]:
    name, colon, argument = spec.partition(":")
    given = argument if colon else None
    path = Path(name).expanduser()
    if path.is_file():
        return path, given
    package = Path(__file__).parent
    # A wheel carries the recipes inside the package; a checkout has them beside it.
    folders = [Path("configs"), package / "configs", package.parent / "configs"]
    recipes = {p.stem: p for folder in reversed(folders) for p in sorted(folder.glob("[!_]*.py"))}
    if name in recipes:
        return recipes[name], given
    shown = f"--config={spec}"
    if path.is_dir():
        raise ConfigError(f"{shown}: is a folder; must be a file or a recipe's name")
    names, hint = ", ".join(sorted(recipes)), nearest(path.stem, recipes)
    listed = "" if names in hint else f" (recipes by name: {names})"
    raise ConfigError(f"{shown}: no such file; {hint}{listed}")


def _recorded(spec: str, path: Path) -> ConfigDict:
    """Reads the config of the run whose `config.json` this is; executes nothing of it."""
    from genjax.engine.layout import CONFIG
    from genjax.engine.workdir import read_config

    if path.name != CONFIG:
        raise ConfigError(f"--config={spec}: must end in .py, or be the {CONFIG} of a run")
    return read_config(path.parent, need_checkpoint=False)


def _wrong_type(config: ConfigDict, args: Sequence[str], error: Exception) -> ConfigError:
    """Makes the error for the override that absl or ml_collections refused."""
    message = re.match(r"flag --config\.([\w.]+)=(.*?): ", str(error), re.DOTALL)
    if message and any(message[1] == field for field, _ in overrides(args)):
        return fail(message[1], message[2], f"must be {_kind(get(config, message[1]))}")
    if message := re.match(r"flag --([\w.]+)=(.*?): ", str(error), re.DOTALL):
        return ConfigError(f"--{message[1]}={message[2]}: {str(error)[message.end() :]}")
    return ConfigError(str(error))


def _kind(default: Any) -> str:
    if isinstance(default, tuple):
        inner = _KINDS.get(type(default[0]), "values") if default else "values"
        return f'a tuple of {inner.removeprefix("a ")}s, as in "{default}"'.replace("ss,", "s,")
    return f"{_KINDS.get(type(default), type(default).__name__)}, as its default {default!r} is"


def _check_value(field: str, value: Any, default: Any) -> None:
    """Checks what ml_collections leaves open: infinite numbers, what a tuple holds."""
    if isinstance(value, float) and not math.isfinite(value):
        raise fail(field, value, "must be finite")
    if isinstance(value, tuple) and default:
        kind = type(default[0])
        if any(type(v) is not kind for v in value):
            raise fail(field, value, f"must be {_kind(default)}")


def split_list(text: str) -> list[str]:
    """Splits `"a,b,(1,2)"`; commas within brackets do not separate."""
    parts, depth = [""], 0
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts]
