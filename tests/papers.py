"""README and the pages of docs, as their tests read them: blocks, commands, links, names."""

import importlib
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

from genjax.cli import program

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str, kind: str) -> list[str]:
    """The fenced blocks of a kind: "python", "bash"."""
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def inline(text: str) -> list[str]:
    """What stands between backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def commands(text: str) -> list[list[str]]:
    """The commands of ours in a page, in blocks and inline: a program and its arguments."""
    lines = "\n".join(blocks(text, "bash")).replace("\\\n", " ").splitlines()
    ours = re.compile(r"(?:\bpython -m experiments\.|\bgenjax )([a-z_-]+ .*--.*)")
    found = [ours.search(line) for line in [*lines, *inline(text)]]
    return [shlex.split(match[1], comments=True) for match in found if match]


def accept(command: list[str]) -> None:
    """Parses a command as the program itself does, with its recipe and all of its fields."""
    name, *args = command[0].replace("-", "_"), *command[1:]
    where = f"genjax.cli.{name}" if find_spec(f"genjax.cli.{name}") else f"experiments.{name}"
    module = importlib.import_module(where)
    if any(a.startswith("--config=") for a in args):
        program.parse_with_config(args, None, module._define)
    else:
        program.parse([a for a in args if not a.startswith("--config.")], None, module._define)
