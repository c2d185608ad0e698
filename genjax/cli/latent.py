"""Draws the latent space of a run: what lies where, which directions mean what.

    genjax latent --workdir=DIR [--out=FOLDER] [--attributes=Smiling,Male]

Works for every family that decodes images from latents. FOLDER gets pictures: new samples, the
manifold over two latents, straight and spherical interpolations, a traversal of each latent; of
families with an encoder also reconstructions, a map of the codes in the colors of their classes,
the distribution of each latent against the prior, attribute vectors and latent arithmetic (by the
data's attributes, else by its labels). FOLDER/latent.md says what each picture shows; numbers are
there and in FOLDER/latent.json.

Of an autoencoder of sentences FOLDER gets texts: reconstructions, interpolations between sentences,
variants of each (`augmented.txt`, sentence and variant with a tab between) and, if there is a
prior, samples. They are of test sentences, or of your own, one a line:

    genjax latent --workdir=DIR [--out=FOLDER] [--sentences=FILE] [--variants=3]
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from genjax import recipes
from genjax.cli import program
from genjax.core.config import MAX_SEED, ConfigError

_NUM_SAMPLES = 64
_NUM_ATTRIBUTES = 8  # shown where none are named


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run.", **text)
    flags.DEFINE_string("out", "", "Where to; by default DIR/latent.", **text)
    flags.DEFINE_list("attributes", [], "Attributes to show; by default eight.", **text)
    flags.DEFINE_string("sentences", "", "A file of sentences, one a line.", **text)
    flags.DEFINE_integer("variants", 3, "Of each sentence.", 1, **text)
    flags.DEFINE_integer("seed", 0, "Of draws.", 0, MAX_SEED, **text)
    flags.DEFINE_string("step", "", "Of the checkpoint, or best; by default the newest.", **text)
    flags.DEFINE_integer("member", 0, "Of a population.", 0, **text)


def _latent(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    folder = Path(values.out or Path(values.workdir) / "latent").expanduser().absolute()
    there = next(p for p in (folder, *folder.parents) if p.exists())
    if not there.is_dir():
        raise ConfigError(f"--out={values.out}: {there} is a file; must be a folder")
    sentences = _sentences(values.sentences)
    whole = program.load(values, None)
    program.check_member(values.member, whole.num_members)
    model = whole.member(values.member) if whole.num_members else whole
    from genjax.evaluation.latent import page, pictures
    from genjax.evaluation.latent import sentences as of_sentences

    if model.run.dataset.codec is not None:
        if values.attributes:
            given = ",".join(values.attributes)
            raise ConfigError(f"--attributes={given}: are of images; this is a model of texts")
        for path in of_sentences.write(
            model,
            folder,
            sentences,
            values.variants,
            values.seed,
            lambda: _evaluation(whole, values.member),
        ):
            print(path)
        return program.DONE
    for name in ("sentences", "variants"):
        if values[name].present:
            message = f"is for text; the data are {model.config.data.name}"
            raise ConfigError(f"--{name}={values[name].value}: {message}")
    space, left_out = _space(model, values)
    chosen = choose(space, values.attributes)
    drawn = [*pictures.decoded(space), pictures.samples(model.sample(_NUM_SAMPLES, values.seed))]
    numbers: dict[str, Any] = {"family": model.config.family, "step": model.step}
    if space.test is not None:
        evaluation = _evaluation(whole, values.member)
        drawn += pictures.encoded(space, chosen)
        numbers |= {
            "eval": evaluation,
            "examples": len(space.test.mean),
            "latents": _statistics(space, evaluation),
        }
        if chosen:
            train = space.codes(model.run.dataset.train)
            more, numbers["attributes"] = pictures.attributes(space, train, chosen)
            drawn += more
    else:
        lacking = "no reconstructions, distribution of latents, attribute vectors or arithmetic"
        program.say(f"{left_out}: {lacking}")
    for path in page.write(folder, numbers, drawn):
        print(path)
    return program.DONE


def _sentences(path: str) -> list[str]:
    """Reads the sentences of `--sentences=FILE`, one a line; none without a file."""
    from genjax.data.text.files import lines

    return [line for raw in lines(Path(path).expanduser()) if (line := raw.strip())] if path else []


def _space(model: Any, values: Any) -> tuple[Any, str]:
    """Opens the latent space, of the prior alone where the data are gone, and says why.

    Raises:
      ConfigError: without the data there is nothing to show.
    """
    from genjax.data.record import DataMissing
    from genjax.evaluation.latent.latent_space import Space

    try:
        return Space(model, values.seed), f"family {model.config.family} has no encoder"
    except DataMissing as error:
        if values.attributes or not model.family.has_prior:
            raise
        return Space(model, values.seed, data=False), str(error)


def choose(space: Any, wanted: Sequence[str]) -> list[int]:
    """Numbers the wanted attributes, or eight that about half of the examples have.

    Raises:
      ConfigError: there is no attribute of a wanted name.
    """
    for name in wanted:
        if space.test is None or name not in space.attributes:
            known = space.attributes if space.test is not None else []
            raise ConfigError(
                f"--attributes={name}: no such attribute; {recipes.nearest(name, known)}"
            )
    if wanted:
        return [space.attributes.index(name) for name in wanted]
    if space.test is None:
        return []
    share = space.test.attributes.mean(0)
    nearest = np.argsort(np.abs(share - 0.5), kind="stable")[:_NUM_ATTRIBUTES]
    return sorted(i for i in nearest.tolist() if 0 < share[i] < 1)


def _evaluation(model: Any, member: int) -> dict[str, Any]:
    """Evaluates on the test split; of a population one member."""
    from genjax.evaluation.samples import as_lists

    means = as_lists(model.evaluate())
    return {n: v[member] if model.num_members else v for n, v in means.items()}


def _statistics(space: Any, evaluation: dict[str, Any]) -> list[dict[str, float]]:
    """Describes each latent: its draws and means over test examples, its KL in `evaluate`."""
    from genjax.evaluation.latent.page import latent_rows

    test = space.test
    columns = {
        "mean": space.center,
        "standard_deviation": space.spread,
        "standard_deviation_of_means": test.mean.std(0),
    }
    if test.kl is not None:
        columns["kl"] = evaluation.get("kl_per_latent", test.kl.mean(0))
    return latent_rows(columns, space.order)


main = functools.partial(program.run, _latent)
