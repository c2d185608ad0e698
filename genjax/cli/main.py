"""The command `genjax`: all programs by one name, `genjax train --config=vae --workdir=run`."""

import difflib
import importlib
import sys
from collections.abc import Sequence

PROGRAMS = {  # the first line of each one's docstring
    "train": "Trains a recipe; the same command again resumes the run.",
    "evaluate": "Evaluates a run on the test split, and its samples by what can judge them.",
    "sample": "Draws samples of a run, or writes texts with it.",
    "sweep": "Trains a recipe with many seeds and settings at once.",
    "extract-member": "Makes a run of its own of one member of a population, or of a sweep's best.",
    "chat": "Talks with a run on the terminal: answers in a dialogue, or goes on with a text.",
    "nearest": "Finds the texts, or words, nearest to others by the cosine of a run's vectors.",
    "features": "Writes what the layers of a run make of a data set, with its labels.",
    "latent": "Draws the latent space of a run: what lies where, which directions mean what.",
    "ngrams": "Scores n-grams on a run's text: baselines for the loss of its model.",
    "word-vectors": "Looks at the word vectors of a run, judges them and writes them.",
    "from-hugging-face": "Makes a run of a Hugging Face folder of GPT-2 or BERT, at step 0.",
    "to-hugging-face": "Writes a run of family gpt or bert as a Hugging Face folder.",
}
_HELP = ("--help", "-h", "-help", "--helpfull", "--helpshort")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the program that the first argument names; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in _HELP:
        print("genjax COMMAND --FLAG=VALUE …; genjax COMMAND --help says more.\n")
        print("\n".join(f"  {name:18}{line}" for name, line in PROGRAMS.items()))
        return 0
    name, *rest = arguments
    if name not in PROGRAMS:
        near = difflib.get_close_matches(name, PROGRAMS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"must be one of {', '.join(PROGRAMS)}"
        print(f"genjax: {name!r}: no such command; {hint}", file=sys.stderr)
        return 2
    program = importlib.import_module(f"genjax.cli.{name.replace('-', '_')}")
    if argv is None:  # the program sees a process of its own, whose arguments these are
        sys.argv[1:] = rest
    status: int = program.main(None if argv is None else rest)
    return status
