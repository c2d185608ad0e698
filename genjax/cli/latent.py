"""Draws the latent space of a trained run: what lies where, and which directions mean what.

    python -m experiments.latent --workdir=DIR [--out=FOLDER] [--attributes=Smiling,Male]

Works for every family that decodes images from latents. FOLDER gets pictures: new samples, the
manifold over two latents, straight and spherical interpolations, a traversal of each latent; of
families with an encoder also reconstructions, the distribution of each latent against the prior,
attribute vectors and latent arithmetic (by the data's attributes, else by its labels). Numbers go
to FOLDER/latent.json and FOLDER/latent.md.

Of an autoencoder of sentences FOLDER gets texts: reconstructions, interpolations between sentences,
variants of each (`augmented.txt`, sentence and variant with a tab between) and, if there is a
prior, samples. They are of test sentences, or of your own, one a line:

    python -m experiments.latent --workdir=DIR [--out=FOLDER] [--sentences=FILE] [--variants=3]
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from genjax.cli import latent_text, program, recipes
from genjax.core.config import MAX_SEED, ConfigError

_NUM_SAMPLES, _ROWS, _STEPS, _SIDE = 64, 8, 11, 15  # of pictures
_MOST_SHOWN = 16  # latents
_REACH = 3.0  # of a traversal, in standard deviations
_SHIFTS = np.linspace(-1.5, 1.5, 9)  # along an attribute's vector, in its lengths
_NUM_ATTRIBUTES = 8  # shown where none are named
_Pictures = dict[str, np.ndarray]


def main(argv: Sequence[str] | None = None) -> int:
    """Draws the latent space; returns the exit status."""
    return program.run(_latent, argv)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run.", **text)
    flags.DEFINE_string("out", "", "Where to; by default DIR/latent.", **text)
    flags.DEFINE_list("attributes", [], "Attributes to show; by default eight.", **text)
    flags.DEFINE_string("sentences", "", "A file of sentences, one a line.", **text)
    flags.DEFINE_integer("variants", 3, "Of each sentence.", 1, **text)
    flags.DEFINE_integer("seed", 0, "Of draws.", 0, MAX_SEED, **text)
    flags.DEFINE_integer("step", None, "Of the checkpoint; by default the newest.", 0, **text)
    flags.DEFINE_integer("member", 0, "Of a population.", 0, **text)


def _latent(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    folder = Path(values.out or Path(values.workdir) / "latent").expanduser().absolute()
    there = next(p for p in (folder, *folder.parents) if p.exists())
    if not there.is_dir():
        raise ConfigError(f"--out={values.out}: {there} is a file; must be a folder")
    from genjax.engine.workdir import read_config

    read_config(values.workdir)  # before JAX is given time to start
    sentences = latent_text.read(values.sentences)
    from genjax.engine.cache import enable_compilation_cache
    from genjax.loading import load

    enable_compilation_cache()
    model = load(values.workdir, values.step)
    program.check_member(values.member, model.num_members)
    model = model.member(values.member) if model.num_members else model
    if model.run.dataset.codec is not None:
        if values.attributes:
            given = ",".join(values.attributes)
            raise ConfigError(f"--attributes={given}: are of images; this is a model of texts")
        for path in latent_text.write(model, folder, sentences, values.variants, values.seed):
            print(path)
        return program.DONE
    if sentences:
        name = model.config.data.name
        raise ConfigError(f"--sentences={values.sentences}: is for text; the data are {name}")
    space, left_out = _space(model, values)
    chosen = choose(space, values.attributes)
    pictures = _decoded(space) | {"samples": _grid(model.sample(_NUM_SAMPLES, values.seed))}
    numbers: dict[str, Any] = {"family": model.config.family, "step": model.step}
    if space.test is not None:
        pictures |= _encoded(space)
        numbers |= {"examples": len(space.test.mean), "latents": _statistics(space)}
        if chosen:
            drawn, numbers["attributes"] = _attributes(
                space, space.codes(model.run.dataset.train), chosen
            )
            pictures |= drawn
    else:
        lacking = "no reconstructions, distribution of latents, attribute vectors or arithmetic"
        program.say(f"{left_out}: {lacking}")
    for path in _write(folder, pictures, numbers):
        print(path)
    return program.DONE


def _space(model: Any, values: Any) -> tuple[Any, str]:
    """The latent space, of the prior alone where the data are gone, and why it has no examples.

    Raises:
      ConfigError: without the data there is nothing to show.
    """
    from genjax.data.record import DataMissing
    from genjax.evaluation.space import Space

    try:
        return Space(model, values.seed), f"family {model.config.family} has no encoder"
    except DataMissing as error:
        if values.attributes or not model.family.has_prior:
            raise
        return Space(model, values.seed, data=False), str(error)


def choose(space: Any, wanted: Sequence[str]) -> list[int]:
    """The numbers of the wanted attributes, or of eight that about half of the examples have.

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


def _decoded(space: Any) -> _Pictures:
    """What the decoder alone shows."""
    from genjax.evaluation import latent

    straight, arcs, label = space.paths(_ROWS, _STEPS)
    steps = np.linspace(-_REACH, _REACH, _STEPS)
    swept = latent.traversals(
        straight[0, 0], space.center + np.outer(steps, space.spread), space.order[:_MOST_SHOWN]
    )
    # Of two latents the first lies across; of more those two that tell most.
    across, down = (
        (0, 1) if len(space.order) == 2 else space.order[[0, min(1, len(space.order) - 1)]]
    )
    quantiles = latent.normal_quantiles(space.center, space.spread, _SIDE)
    manifold = latent.manifold(space.center, quantiles, across, down)
    return {
        "manifold": _grid(space.decode(manifold, label[:1]), _SIDE),
        "interpolation_linear": _grid(space.decode(straight, label), _STEPS),
        "interpolation_spherical": _grid(space.decode(arcs, label), _STEPS),
        "traversals": _grid(space.decode(swept, label[:1]), _STEPS),
    }


def _encoded(space: Any) -> _Pictures:
    """Reconstructions, and the distribution of the latents."""
    from genjax.plots.grid import reconstruction_grid
    from genjax.plots.latents import plot_latents

    test, shown = space.test, space.order[:_MOST_SHOWN]
    outputs = space.decode(test.mean[:32], test.label[:32])
    return {
        "reconstructions": reconstruction_grid(test.x[:32], outputs),
        "distribution": plot_latents(test.draw[:, shown], titles=[f"latent {i}" for i in shown]),
    }


def _statistics(space: Any) -> list[dict[str, float]]:
    """Of each latent over the test examples: what its draws, and its means, are like."""
    test = space.test
    columns = {
        "mean": space.center, "standard_deviation": space.spread,
        "standard_deviation_of_means": test.mean.std(0),
    }  # fmt: skip
    if test.kl is not None:
        columns["kl"] = test.kl.mean(0)
    return [
        {"latent": int(i)} | {name: float(column[i]) for name, column in columns.items()}
        for i in space.order
    ]


def _attributes(
    space: Any, train: Any, chosen: Sequence[int]
) -> tuple[_Pictures, list[dict[str, Any]]]:
    """Vectors of attributes from the training split, applied to test examples that lack them.

    `attributes`: a row for each, an example and its code moved along the vector from -1.5 to 1.5
    of its lengths. `arithmetic`: the mean code with the attribute, that without it, an example's
    code, and that code + mean with - mean without, each decoded.
    """
    from genjax.evaluation.latent import attribute_means

    having, lacking = attribute_means(train.mean, train.attributes)
    vectors, test = having - lacking, space.test
    examples = [int(np.argmin(test.attributes[:, i])) for i in chosen]  # the first that lacks it
    z, label = test.mean[examples], test.label[examples]
    moved = z[:, None] + _SHIFTS[:, None] * vectors[chosen][:, None]
    images = space.decode(moved, label).reshape(len(chosen), len(_SHIFTS), *test.x.shape[1:])
    rows = np.concatenate([test.x[examples][:, None], images], axis=1)
    terms = np.stack([having[chosen], lacking[chosen], z, z + vectors[chosen]], axis=1)
    numbers = [
        {"attribute": name, "share": float(share), "length": float(np.linalg.norm(vector))}
        for name, share, vector in zip(space.attributes, train.attributes.mean(0), vectors)
    ]
    return {
        "attributes": _grid(rows.reshape(-1, *rows.shape[2:]), rows.shape[1]),
        "arithmetic": _grid(space.decode(terms, label), terms.shape[1]),
    }, numbers


def _grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    from genjax.plots.grid import image_grid

    return image_grid(images, columns=columns)


def _write(folder: Path, pictures: _Pictures, numbers: dict[str, Any]) -> list[Path]:
    """Writes all of it; returns the files."""
    from genjax.engine.workdir import write_json
    from genjax.plots.grid import save_png

    text = [f"# Latent space: {numbers['family']}, step {numbers['step']}\n"]
    for name in ("latents", "attributes"):
        text += _table(numbers[name]) if name in numbers else []
    text += [f"{name}\n\n![{name}]({name}.png)\n" for name in pictures]
    try:
        for name, picture in pictures.items():
            save_png(folder / f"{name}.png", picture)
        write_json(folder / "latent.json", numbers)
        (folder / "latent.md").write_text("\n".join(text))
    except OSError as error:
        raise ConfigError(f"--out={folder}: cannot be written ({error.strerror})") from error
    return [folder / f"{name}.png" for name in pictures] + [folder / "latent.md"]


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Rows as a Markdown table."""

    def cell(value: Any) -> str:
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    lines = [list(rows[0]), ["---"] * len(rows[0]), *([cell(v) for v in r.values()] for r in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines] + [""]
