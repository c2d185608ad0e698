"""Draws samples of a run, or writes texts with it.

    genjax sample --workdir=DIR [--n=64] [--out=FILE] [--seed=0] [--step=N|best]

FILE ends in .png (a grid of images, a scatter plot of points), .npy or .npz (the samples as they
are, in the range of the data; under the name `x` in .npz). Of a population, .npy and .npz hold all
members as their first axis, unless --member picks one. DIR may be a sweep's folder: its best member
is shown, by `config.best_metric` or the main loss of its evaluation, unless --member picks one by
the `member` of a row of sweep.csv.

A model that writes texts continues or translates what it is given, on the terminal or in a file:

    genjax sample --workdir=DIR [--prompt=TEXT | --prompts=FILE] [--n=1]
        [--max_tokens=N] [--temperature=1] [--top_k=0] [--top_p=1] [--min_p=0]
        [--repetition_penalty=1] [--no_repeat=0] [--beam=0 [--length_penalty=0.6]] [--out=FILE.txt]

A .png of a model that attends shows what each word of its answers looked at.

A classifier or tagger of texts tells the class of each, and its probability, or the tag of each
word (white space separates words; punctuation marks are words of their own, if training had it so):

    genjax sample --workdir=DIR [--prompt=TEXT | --prompts=FILE]
        [--out=FILE.tsv|FILE.conll]
"""

import functools
import os
from pathlib import Path
from typing import Any

from absl import flags

from genjax.cli import program, writing
from genjax.core import files
from genjax.core.config import MAX_SEED, ConfigError
from genjax.evaluation import groups as sweeps

_SUFFIXES = (".png", ".npy", ".npz")  # and .txt for texts


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run, or of a sweep.", **text)
    flags.DEFINE_integer(
        "n", None, "How many samples, by default 64; of texts for each prompt, 1.", 1, **text
    )
    flags.DEFINE_string(
        "out", "", "Where to; by default DIR/samples/step_STEP_seed_SEED.png.", **text
    )
    flags.DEFINE_integer("seed", 0, "Of the draw.", 0, MAX_SEED, **text)
    flags.DEFINE_string("step", "", "Of the checkpoint, or best; by default the newest.", **text)
    flags.DEFINE_integer(
        "member",
        None,
        "Of a population; by default the first in pictures, all in arrays.",
        0,
        **text,
    )
    writing.define(values)


def _sample(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    program.checkpoint_step(values.step)
    if values.out:
        check_out(values.out)
    writing.check(values)
    if groups := sweeps.read(values.workdir):
        group, chosen, message = sweeps.pick(groups, values.member)
        values.workdir, values.member = str(group.folder), chosen
        program.say(message)
    model = program.load(values, None)
    from genjax.evaluation import shown

    if values.member is not None:
        program.check_member(values.member, model.num_members)
    if model.run.dataset.codec is not None:
        member = model.member(values.member or 0) if model.num_members else model
        return writing.write(member, values)
    writing.refuse(values, f"{model.config.family} on {model.config.data.name}")
    if values.out and Path(values.out).suffix not in _SUFFIXES:
        raise ConfigError(f"--out={values.out}: must end in {', '.join(_SUFFIXES)}")
    out = Path(values.out).expanduser() if values.out else _default_out(values, model.step)
    if model.num_members and (out.suffix == ".png" or values.member is not None):
        model = model.member(values.member or 0)
    samples = model.sample(values.n or 64, values.seed)
    if out.suffix == ".png":
        draw = shown.picture(model.config, model.run.dataset.spec)
        if draw is None:
            shape = model.run.dataset.spec.shape
            raise ConfigError(f"--out={out}: samples of shape {shape} have no picture; use .npy")
        samples = draw(samples)
    _write(out, samples)
    print(out)
    return program.DONE


def check_out(text: str) -> None:
    """Raises `ConfigError` unless `text` names a file that can be written."""
    out = Path(text).expanduser().absolute()
    if out.suffix not in (*_SUFFIXES, ".txt", *writing.PREDICTED):
        raise ConfigError(f"--out={text}: must end in {', '.join(_SUFFIXES)}, of texts in .txt")
    if out.is_dir():
        raise ConfigError(f"--out={text}: is a folder; must be a file")
    there = next(p for p in out.parents if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"--out={text}: {there} must be a folder that can be written")


def _default_out(values: Any, step: int) -> Path:
    member = "" if values.member is None else f"_member_{values.member}"
    folder = Path(values.workdir).expanduser() / "samples"
    return folder / f"step_{step:07d}_seed_{values.seed}{member}.png"


def _write(out: Path, x: Any) -> None:
    with files.writing(f"--out={out}"):
        if out.suffix == ".png":
            from genjax.plots.grid import save_png

            save_png(out, x)
        else:
            import numpy as np

            save = np.save if out.suffix == ".npy" else lambda f, x: np.savez_compressed(f, x=x)
            out.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(out) as file:
                save(file, x)


main = functools.partial(program.run, _sample)
