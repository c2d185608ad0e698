"""What all programs share: flags, errors of one line, exit status, commands to show."""

import errno
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from logging import CRITICAL, WARNING, Formatter, LogRecord, getLogger
from pathlib import Path
from typing import Any

from absl import flags, logging
from ml_collections import ConfigDict

from genjax import recipes
from genjax.cli import streams
from genjax.core.config import ConfigError

DONE, BAD, DIVERGED, STOPPED = 0, 2, 3, 143  # exit status
Define = Callable[[flags.FlagValues], None]
_HERE = str(Path(__file__).parents[1])
_NO_HOME = "Could not determine home"  # of `Path.expanduser`, of `~NAME` where nobody is called so


def run(
    body: Callable[[list[str]], int],
    argv: Sequence[str] | None = None,
    *,
    trains: bool = False,
    goes_on: str = "",
) -> int:
    """Runs a program and returns its exit status; a mistake in what it was given becomes one line.

    Standard output and standard error may be closed, full or broken. A program that trains goes on
    and ends as it would. What others print is what they are for: where it cannot be written they
    end with status 2 and a line, unless its reader has had enough (`… | head`), which is fine.

    Args:
      body: the program: arguments to exit status.
      argv: the arguments; None: those of the process.
      trains: its folder is what it is for, not what it prints.
      goes_on: from where the same command goes on, of one that was stopped; empty: it begins again,
        or trains, and then that is the newest checkpoint.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        sys.unraisablehook = _unraisable
        streams.open_closed()
    with streams.sturdy(product=not trains) as (out, err), _logging_to(err):
        try:
            with _terminable():
                status = body(arguments)
            out.flush()
        except streams.Lost:
            status = DONE
        except ConfigError as error:
            say(error)
            status = BAD
        except RuntimeError as error:
            message = _no_home(arguments) if str(error).startswith(_NO_HOME) else ""
            if not message:
                raise
            say(message)
            status = BAD
        except KeyboardInterrupt:
            where = goes_on or ("from the newest checkpoint, if there is one" if trains else "")
            say(f"stopped; the same command goes on {where}" if where else "stopped before its end")
            status = STOPPED
        if out.lost and not trains and getattr(out.lost, "errno", None) != errno.EPIPE:
            say(f"standard output cannot be written ({getattr(out.lost, 'strerror', out.lost)})")
            status = status or BAD
    return status


def _no_home(arguments: Sequence[str]) -> str:
    """Names the argument whose path begins with the home of nobody; empty without any."""
    for argument in arguments:
        name, _, value = argument.partition("=")
        if any(part.startswith("~") for part in re.split("[:,]", value)):
            return f"{name}={value}: no user of this machine is called so; must be a path"
    return ""


def say(text: Any) -> None:
    """Prints one line on standard error, whatever line breaks `text` has."""
    line = re.sub(r"\s*\n\s*", " ", str(text).strip())
    print(f"genjax: {line}", file=sys.stderr, flush=True)


def parse(argv: Sequence[str], doc: str | None, define: Define) -> Any:
    """Parses the flags of a program, to be read as attributes.

    Nothing is kept in absl's global flags, so one process can run several programs.

    Args:
      argv: the arguments.
      doc: what `--help` prints above the flags.
      define: defines the flags, `workdir` among them.

    Raises:
      ConfigError: unknown flags, wrong values, no `--workdir`.
      SystemExit: `--help` was asked for.
    """
    values = _flags(define)
    if _asks_for_help(argv):
        _help(doc, values, None)
    for field, value in recipes.overrides(argv):
        raise ConfigError(
            f"--config.{field}={value}: no such flag here; the run's own config.json counts"
        )
    with _complaining(values, []):
        left = values(["", *argv])[1:]
    if left:
        raise ConfigError(f"{left[0]!r}: is no flag; flags are written --NAME=VALUE")
    _need_workdir(values)
    _load_recipe(values.recipe)
    if values.recipe is not None:
        for config in _recorded(values.workdir):
            _check_recipe(values.recipe, config)
    return values


def parse_with_config(
    argv: Sequence[str], doc: str | None, define: Define, said: list[str] | None = None
) -> tuple[Any, ConfigDict]:
    """Parses as `parse` where there are `--config` and its overrides: flags, and config, locked.

    `said`: see `recipes.override`.
    """
    values = _flags(define)
    given, rest = _take(argv, "config")
    own = _take(rest, "recipe")[0]
    _load_recipe(own)  # before a config.json is read, whose family it may be
    if _asks_for_help(rest):
        _help(doc, values, given)
    if not given:
        raise ConfigError("--config: missing; must be a recipe, as in --config=configs/wgan_gp.py")
    config = recipes.load(given)
    with _complaining(values, ["config"]):
        config = recipes.override(config, rest, values, said)
    _need_workdir(values)
    if own is not None:
        _check_recipe(own, config)
    return values, config


def refuse(values: flags.FlagValues, define: Define, what: str) -> None:
    """Raises `ConfigError`, which ends with `what`, if a flag that `define` defines is given."""
    own = flags.FlagValues()
    define(own)
    for name in own:
        if values[name].present:
            shown = ",".join(v) if isinstance(v := values[name].value, list) else v
            raise ConfigError(f"--{name}={shown}: {what}")


def checkpoint_step(text: str) -> Any:
    """Reads `--step` as `genjax.load` does: a step, "best", or None for the newest."""
    if text in ("", "best"):
        return text or None
    if not text.isdecimal():
        raise ConfigError(f"--step={text}: must be the step of a checkpoint, or best")
    return int(text)


def check_member(member: int, num_members: int) -> None:
    """Raises `ConfigError` unless a run of `num_members` (0: a single run) has this member."""
    n = max(num_members, 1)
    if member >= n:
        raise ConfigError(f"--member={member}: must be below the number of members, {n}")


def load(values: Any, member: int | None) -> Any:
    """Loads the model of the run that the flags name.

    Args:
      values: of the flags `workdir` and `step`.
      member: of a population; None: all.

    Raises:
      ConfigError: there is no such run, checkpoint or member.
    """
    from genjax.engine.workdir import read_config

    step = checkpoint_step(values.step)
    read_config(values.workdir)  # before JAX is given time to start
    from genjax.engine.compilation_cache import enable_compilation_cache
    from genjax.trained.loading import load

    enable_compilation_cache()
    model = load(values.workdir, step)
    if member is None:
        return model
    check_member(member, model.num_members)
    return model.member(member) if model.num_members else model


def command(program: str, *args: str) -> str:
    """Returns a command line that runs `program`, in the way this process was started."""
    started, dashed = Path(sys.argv[0] if sys.argv else ""), program.replace("_", "-")
    if started.name == "genjax":
        words = ["genjax", dashed]
    elif started.name == "__main__.py" and started.parent.name == "genjax":
        words = ["python", "-m", "genjax", dashed]
    elif started.name.startswith("genjax-"):
        words = [f"genjax-{dashed}"]
    else:
        words = ["python", "-m", f"experiments.{program}"]
    return shlex.join([*words, *args])


def _flags(define: Define) -> flags.FlagValues:
    """Defines the flags of a program, and that which all share."""
    values = flags.FlagValues()
    define(values)
    message = "FILE.py with the family of one's own that the config names: it is executed."
    flags.DEFINE_string("recipe", None, message, flag_values=values)
    return values


def _load_recipe(recipe: str | None) -> None:
    if recipe is not None:
        from genjax import families

        families.load(recipe, f"--recipe={recipe}")


def _check_recipe(recipe: str, config: ConfigDict) -> None:
    from genjax import families

    families.check_needed(recipe, config, f"--recipe={recipe}")


def _recorded(workdir: str) -> list[ConfigDict]:
    """Reads the configs of the run, or of the groups of the sweep, in a folder; none elsewhere."""
    from genjax.engine.layout import CONFIG
    from genjax.engine.workdir import read_config
    from genjax.evaluation import groups

    if (Path(workdir).expanduser() / CONFIG).exists():
        return [read_config(workdir, need_checkpoint=False)]
    return [group.config for group in groups.read(workdir)]


@contextmanager
def _complaining(values: flags.FlagValues, more: Sequence[str]) -> Iterator[None]:
    """Turns absl's complaints into `ConfigError`; `more` are further names that it may suggest."""
    try:
        yield
    except flags.UnrecognizedFlagError as error:
        shown = error.flagvalue or f"--{error.flagname}"  # absl hands over the whole argument
        known = [*more, *(name for name in values if not name.startswith("config"))]
        hint = recipes.nearest(error.flagname, known)
        raise ConfigError(f"{shown}: no such flag; {hint}") from error
    except flags.Error as error:
        raise ConfigError(re.sub("^flag ", "", str(error))) from error


def _need_workdir(values: Any) -> None:
    if not values.workdir:
        raise ConfigError(
            "--workdir: missing; must be the run's folder, as in --workdir=runs/first"
        )


def _asks_for_help(argv: Sequence[str]) -> bool:
    return any(a in ("--help", "-h", "-help", "--helpfull", "--helpshort") for a in argv)


def _unraisable(event: Any) -> None:
    """Leaves out what tensorstore says of writes that a failed save no longer waits for."""
    if event.object is None and str(event.exc_value) == "Event loop is closed":
        return  # the save's own error is told in one line
    sys.__unraisablehook__(event)


@contextmanager
def _logging_to(stream: Any) -> Iterator[None]:
    """Logs to `stream` in lines of this program's, wherever absl was first imported."""
    flags.FLAGS.mark_as_parsed()  # else absl warns that none are
    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO)
    logging.get_absl_handler().setFormatter(Formatter("genjax: %(message)s"))
    getLogger("jax").setLevel(WARNING)  # not every backend that this machine does not have
    # Where several writers of a checkpoint fail, orbax raises the first error, which is told in one
    # line, and asyncio reports the others with their tracebacks.
    getLogger("asyncio").setLevel(CRITICAL)
    handler = logging.get_absl_handler()
    before, handler.python_handler.stream = handler.python_handler.stream, stream
    handler.addFilter(_concerns)
    try:
        yield
    finally:
        handler.removeFilter(_concerns)
        handler.python_handler.stream = before


def _concerns(record: LogRecord) -> bool:
    """Says whether a message is for the user: of libraries only warnings are."""
    return record.levelno >= WARNING or record.pathname.startswith(_HERE)


@contextmanager
def _terminable() -> Iterator[None]:
    """Lets SIGTERM and SIGHUP interrupt as SIGINT does, until the loop answers them all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A SIGHUP that is ignored (nohup) stays so.
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    numbers = (signal.SIGTERM, *(() if ignored else (signal.SIGHUP,)))
    before = {n: signal.signal(n, signal.default_int_handler) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _take(argv: Sequence[str], name: str) -> tuple[str | None, list[str]]:
    """Takes the last `--name=value` or `--name value`: its value, and the other arguments."""
    value, rest, i = None, [], 0
    while i < len(argv):
        match = re.fullmatch(rf"--?{name}(=(.*))?", argv[i], re.DOTALL)
        if match is None:
            rest.append(argv[i])
        elif match[1] is not None:
            value = match[2]
        else:
            i += 1
            value = argv[i] if i < len(argv) else ""
        i += 1
    return value, rest


def _help(doc: str | None, values: flags.FlagValues, config: str | None) -> None:
    pattern = r"(?<=    )genjax ([a-z-]+)"
    doc = re.sub(pattern, lambda m: command(m[1].replace("-", "_")), (doc or "").strip())
    print(doc, "\n\nFlags:")
    for name in sorted(values):
        flag = values[name]
        print(f"  --{name}={flag.default!s}\n      {flag.help}")
    if config:
        print(f"\nFields of {config}, as --config.FIELD=VALUE:")
        _print_fields(recipes.load(config))
    raise SystemExit(DONE)


def _print_fields(config: ConfigDict) -> None:
    """Prints each field with its value in the recipe, what it means and what is allowed."""
    from genjax import families

    values, declared = dict(recipes.flat(config)), families.described(config.family)
    for name, _, allowed, meaning, _ in declared:
        print(f"  {name} = {values.pop(name)!r}\n      {meaning}" + f"; {allowed}" * bool(allowed))
    for name, value in values.items():  # of a family of one's own that declares no more
        print(f"  {name} = {value!r}")
