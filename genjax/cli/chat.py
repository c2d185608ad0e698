"""Talks with a run on the terminal: answers in a dialogue, or goes on with a text.

    genjax chat --workdir=DIR [--turns=3] [--names=user,system] [--max_tokens=N] [--temperature=0]
        [--top_k=0] [--top_p=1] [--min_p=0] [--repetition_penalty=1] [--no_repeat=0] [--seed=0]

A model of pairs answers the last --turns turns, those of both sides, written as in training:
`user: … system: … user: …`; older ones are left out, as are those that do not fit into what the
model reads. --names=, (two empty names) leaves the names out. A language model continues all that
was said so far, by both; an empty line lets it go on.

A line is a turn. The end of the input (Ctrl-D) or Ctrl-C ends the talk. Lines may come through a
pipe; then only answers are printed.
"""

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

from absl import flags

from genjax.cli import program, writing
from genjax.core.config import MAX_SEED, ConfigError

_PROMPT = "> "


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run.", **text)
    flags.DEFINE_string("step", "", "Of the checkpoint, or best; by default the newest.", **text)
    flags.DEFINE_integer("member", 0, "Of a population.", 0, **text)
    flags.DEFINE_integer("turns", 3, "Of the dialogue that an answer is made of.", 1, **text)
    flags.DEFINE_list("names", ["user", "system"], "Yours and the model's, in training.", **text)
    flags.DEFINE_integer("seed", 0, "Of draws; each answer has its own.", 0, MAX_SEED, **text)
    writing.define_drawing(values)


def _chat(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    program.checkpoint_step(values.step)
    if len(values.names) != 2:
        shown = ",".join(values.names)
        raise ConfigError(f"--names={shown}: must be two, as in --names=user,system")
    model = program.load(values, values.member)
    from genjax.generation.texts import TextGenerator

    generator = TextGenerator(model.family, model.run.dataset, model.state, prefix="--")
    hear = _continuing() if generator.continues else _answering(values, model.run.dataset)
    try:
        _talk(values, generator, hear)
    except KeyboardInterrupt:  # Ctrl-C ends the talk, as the end of the input does
        print()
    return program.DONE


def _talk(values: Any, generator: Any, hear: Callable[..., str]) -> None:
    """Answers line by line; what is heard is said by both sides."""
    sampling = writing.sampling(values, generator.continues)
    limit, seed = values.max_tokens or 0, values.seed
    for line in _lines():
        if not line.strip() and not generator.continues:
            continue
        said = ""
        for piece in generator.stream(hear(line), max_tokens=limit, seed=seed, sampling=sampling):
            said += piece
            print(piece, end="", flush=True)
        print(flush=True)
        hear(said, own=True)
        seed = (seed + 1) % (MAX_SEED + 1)


def _continuing() -> Callable[..., str]:
    """Returns a function that hears what is said, and returns all that was."""
    said: list[str] = []

    def hear(text: str, own: bool = False) -> str:
        said.append(text)
        return "".join(said)

    return hear


def _answering(values: Any, dataset: Any) -> Callable[..., str]:
    """Returns a function that hears a turn, and returns the source to be answered."""
    turns: list[str] = []
    room = dataset.spec.shape[0] - 1  # without EOS

    def hear(text: str, own: bool = False) -> str:
        name = values.names[own].strip()
        turns.append(f"{name}: {text.strip()}" if name else text.strip())
        del turns[: -values.turns]
        while len(turns) > 1 and len(dataset.codec.encode(" ".join(turns))) > room:
            del turns[0]
        return " ".join(turns)

    return hear


def _lines() -> Iterator[str]:
    """Yields what is typed, without line ends, until the input ends."""
    if sys.stdin is None:  # it was closed
        return
    typed = sys.stdin.isatty()
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    while True:
        if typed:
            print(_PROMPT, end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            if typed:
                print()
            return
        yield line.removesuffix("\n")


main = functools.partial(program.run, _chat)
