"""What all programs share: flags, errors of one line, exit status, commands to show."""

import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from absl import flags, logging
from ml_collections import ConfigDict

from genjax.cli import recipes
from genjax.core.config import ConfigError

DONE, BAD, DIVERGED, STOPPED = 0, 2, 3, 143  # exit status
Define = Callable[[flags.FlagValues], None]


def run(body: Callable[[list[str]], int], argv: Sequence[str] | None) -> int:
    """Runs a program and returns its exit status; what it is told wrong becomes one line.

    Args:
      body: the program: arguments to exit status.
      argv: the arguments; None: those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO)
    try:
        with _terminable():
            return body(arguments)
    except ConfigError as error:
        say(error)
        return BAD
    except KeyboardInterrupt:
        say("stopped; the same command starts again, from the newest checkpoint if there is one")
        return STOPPED


def say(text: Any) -> None:
    """Prints one line on standard error, whatever line breaks `text` has."""
    line = re.sub(r"\s*\n\s*", " ", str(text).strip())
    print(f"genjax: {line}", file=sys.stderr, flush=True)


def parse(
    argv: Sequence[str], doc: str, define: Define, *, needs_config: bool = False
) -> tuple[Any, ConfigDict | None]:
    """The program's flags by attribute, and its config where it takes one.

    Nothing is kept in absl's global flags, so a process can run several programs.

    Args:
      argv: the arguments.
      doc: what `--help` prints above the flags.
      define: defines the flags.
      needs_config: whether `--config` and its overrides are taken.

    Raises:
      ConfigError: unknown flags, wrong values, no config.
      SystemExit: `--help` was asked for.
    """
    values = flags.FlagValues()
    define(values)
    given, rest = _take(argv, "config") if needs_config else (None, list(argv))
    if any(a in ("--help", "-h", "-help", "--helpfull") for a in rest):
        _help(doc, values, given)
    if not needs_config:
        for field, value in recipes.overrides(rest):
            raise ConfigError(
                f"--config.{field}={value}: not taken here; the run's own config.json counts"
            )
    try:
        if needs_config:
            if not given:
                raise ConfigError(
                    "--config: missing; must be a recipe, as in --config=configs/wgan_gp.py"
                )
            config = recipes.override(recipes.load(given), rest, values)
        else:
            config, left = None, values(["", *rest])[1:]
            if left:
                raise ConfigError(f"{left[0]!r}: is no flag; flags are written --NAME=VALUE")
    except flags.UnrecognizedFlagError as error:
        value = f"={error.flagvalue}" if error.flagvalue else ""
        known = [name for name in values if name != "config"] + ["config"] * needs_config
        raise ConfigError(
            f"--{error.flagname}{value}: no such flag; {recipes.nearest(error.flagname, known)}"
        ) from error
    except flags.IllegalFlagValueError as error:
        raise ConfigError(str(error).removeprefix("flag ")) from error
    except flags.Error as error:
        raise ConfigError(str(error)) from error
    if not values.workdir:
        raise ConfigError("--workdir: missing; must be the run's folder, as in --workdir=runs/first")
    return values, config


def command(program: str, *args: str) -> str:
    """A command line that runs `program`, in the way in which this process was started."""
    started = Path(sys.argv[0]).name if sys.argv else ""
    module = [f"genjax-{program}"] if started.startswith("genjax-") else [
        "python", "-m", f"experiments.{program}",
    ]  # fmt: skip
    return shlex.join([*module, *args])


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM interrupts like SIGINT, until the training loop answers both in its own way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _take(argv: Sequence[str], name: str) -> tuple[str | None, list[str]]:
    """The value of the last `--name=value` or `--name value`, and the other arguments."""
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


def _help(doc: str, values: flags.FlagValues, config: str | None) -> None:
    print(doc.strip(), "\n\nFlags:")
    for name in sorted(values):
        flag = values[name]
        print(f"  --{name}={flag.default!s}\n      {flag.help}")
    if config:
        print(f"\nFields of {config}, as --config.FIELD=VALUE:")
        for field, value in recipes.flat(recipes.load(config)):
            print(f"  {field} = {value!r}")
    raise SystemExit(DONE)
