"""Draws samples of a run, or writes texts with it.

    genjax sample --workdir=DIR [--n=64] [--out=FILE] [--seed=0] [--step=N|best]

FILE ends in .png (a grid of images, a scatter plot of points), .npy or .npz (the samples as they
are, in the range of the data; under the name `x` in .npz). Of a population, .npy and .npz hold all
members as their first axis, unless --member picks one. DIR may be a sweep's folder: its best member
is shown, by `config.best_metric` or the main loss of its evaluation, unless --member picks one by
the `member` of a row of sweep.csv.

A conditional model draws the classes that are asked for, by number or by the name that the data
have for them; with several, --n is of each, by default 8, a row of the picture; .npz also holds
their numbers, as `label`:

    genjax sample --workdir=DIR [--label=Trouser … | --labels=0,1,2 | --labels=all]

Samples in the order of their score, best first: a classifier of the real pictures gives it, without
labels the model's own critic. All are shown, alone or beside as many held-out pictures; or each one
beside the training pictures nearest to it, with the median distances of samples and of held-out
pictures to the training set:

    genjax sample --workdir=DIR [--sort=score | --beside_real | --nearest=3] [--n=64] [--out=FILE]

What lies between samples, as an animated picture that comes back to its beginning, --n ways side by
side, or in .png a row of steps from one sample to another for each of them; of families that decode
noise; a conditional model keeps its classes on the way:

    genjax sample --workdir=DIR --interpolate [--out=FILE.gif|FILE.webp|FILE.png]
        [--n=16] [--anchors=4] [--frames=16] [--fps=12]

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

from genjax.cli import picturing, program, writing
from genjax.core.config import MAX_SEED, ConfigError
from genjax.evaluation import groups as sweeps


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run, or of a sweep.", **text)
    flags.DEFINE_integer(
        "n",
        None,
        "How many samples, by default 64; of each of several classes 8, of texts for "
        "each prompt 1.",
        1,
        **text,
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
    picturing.define(values)
    writing.define(values)


def _sample(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    program.checkpoint_step(values.step)
    if values.out:
        check_out(values.out)
    writing.check(values)
    picturing.check(values)
    if groups := sweeps.read(values.workdir):
        group, chosen, message = sweeps.pick(groups, values.member)
        sweeps.check_begun(values.workdir, [group])
        values.workdir, values.member = str(group.folder), chosen
        program.say(message)
    model = program.load(values, None)
    if values.member is not None:
        program.check_member(values.member, model.num_members)
    if model.run.dataset.codec is not None:
        picturing.refuse(values, f"{model.config.family} on {model.config.data.name}")
        member = model.member(values.member or 0) if model.num_members else model
        return writing.write(member, values)
    writing.refuse(values, f"{model.config.family} on {model.config.data.name}")
    return picturing.write(model, values)


def check_out(text: str) -> None:
    """Raises `ConfigError` unless `text` names a file that can be written."""
    out = Path(text).expanduser().absolute()
    drawn, animated = picturing.SUFFIXES, picturing.ANIMATED
    if out.suffix not in (*drawn, *animated, ".txt", *writing.PREDICTED):
        allowed = f"{', '.join(drawn)}, of interpolations in {', '.join(animated)}"
        raise ConfigError(f"--out={text}: must end in {allowed}, of texts in .txt")
    if out.is_dir():
        raise ConfigError(f"--out={text}: is a folder; must be a file")
    there = next(p for p in out.parents if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"--out={text}: {there} must be a folder that can be written")


main = functools.partial(program.run, _sample)
