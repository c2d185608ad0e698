"""`genjax.cli.sample` for models of pictures and points: grids, arrays, classes."""

from pathlib import Path
from typing import Any

from absl import flags

from genjax.cli import program
from genjax.core import files
from genjax.core.config import ConfigError

SUFFIXES = (".png", ".npy", ".npz")
_NUM_SAMPLES, _NUM_OF_CLASS = 64, 8


def define(values: flags.FlagValues) -> None:
    """Defines flags of pictures."""
    text: Any = {"flag_values": values}
    flags.DEFINE_multi_string(
        "label", [], "A class to draw, by number or name; may be repeated.", **text
    )
    flags.DEFINE_string("labels", "", "Classes to draw, as in 0,1,2; or all.", **text)


def refuse(values: Any, what: str) -> None:
    """Raises `ConfigError` if a flag of pictures is given for `what`, a model of texts."""
    program.refuse(values, define, f"is for models of pictures; this is {what}")


def check(values: Any) -> None:
    """Raises `ConfigError` if flags do not go together."""
    if values.label and values.labels:
        raise ConfigError(f"--labels={values.labels}: must not be given beside --label")


def write(model: Any, values: Any) -> int:
    """Draws what the flags ask for and writes it; returns the exit status."""
    if values.out and Path(values.out).suffix not in SUFFIXES:
        raise ConfigError(f"--out={values.out}: must end in {', '.join(SUFFIXES)}")
    classes = _classes(model, values)
    out = _out(values, "step", model.step, ".png", classes)
    if model.num_members and (out.suffix == ".png" or values.member is not None):
        model = model.member(values.member or 0)
    drawn = {"x": _samples(model, values, classes)}
    if classes is not None:
        drawn["label"] = classes.repeat(values.n or _number(classes))
    if out.suffix == ".png":
        _save(out, _picture(model, values, out, classes, drawn["x"]))
    else:
        _save(out, drawn)
    print(out)
    return program.DONE


def _number(classes: Any) -> int:
    """Returns how many samples are drawn by default, of each class."""
    return _NUM_SAMPLES if classes is None or len(classes) == 1 else _NUM_OF_CLASS


def _samples(model: Any, values: Any, classes: Any) -> Any:
    """Draws samples; of several classes those of each one after the other."""
    n = values.n or _number(classes)
    if classes is None:
        return model.sample(n, values.seed)
    return model.sample(n * len(classes), values.seed, classes.repeat(n))


def _classes(model: Any, values: Any) -> Any:
    """Reads the classes that the flags name, int32 (K,); None without any."""
    import numpy as np

    from genjax.trained.reading import class_numbers

    given = [(f"--label={label}", label) for label in values.label]
    if values.labels:
        parts: Any = [part.strip() for part in values.labels.split(",")]
        given = [(f"--labels={values.labels}", "all" if parts == ["all"] else parts)]
    if not given:
        return None
    if "sample_at" not in dir(model):
        what = f"{model.config.family} on {model.config.data.name} is not conditional"
        raise ConfigError(f"{given[0][0]}: {what}; it takes no labels")
    return np.concatenate([class_numbers(*each, model.run.dataset) for each in given])


def _picture(model: Any, values: Any, out: Path, classes: Any, x: Any) -> Any:
    """Draws samples as one image; several classes as rows with their names."""
    from genjax.evaluation import shown
    from genjax.evaluation.latent.latent_space import class_names
    from genjax.plots.labeled import plot_grid

    spec = model.run.dataset.spec
    draw = shown.picture(model.config, spec)
    if draw is None:
        raise ConfigError(f"--out={out}: samples of shape {spec.shape} have no picture; use .npy")
    if classes is None or len(classes) == 1 or spec.kind != "image":
        return draw(x)
    names = class_names(model.run.dataset)
    title = f"{model.config.family}, step {model.step}, by class"
    return plot_grid(x, len(x) // len(classes), title=title, rows=[names[i] for i in classes])


def _out(values: Any, name: str, step: int, suffix: str, classes: Any) -> Path:
    """Returns the file to write, by default one that says what it holds."""
    if values.out:
        return Path(values.out).expanduser()
    member = "" if values.member is None else f"_member_{values.member}"
    if classes is not None:
        member += f"_class_{classes[0]}" if len(classes) == 1 else "_by_class"
    folder = Path(values.workdir).expanduser() / "samples"
    return folder / f"{name}_{step:07d}_seed_{values.seed}{member}{suffix}"


def _save(out: Path, what: Any) -> None:
    """Writes a picture, or arrays by name, whole or not at all; makes the folders above."""
    with files.writing(f"--out={out}"):
        if out.suffix == ".png":
            from genjax.plots.grid import save_png

            return save_png(out, what)
        import numpy as np

        out.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(out) as file:
            if out.suffix == ".npy":
                np.save(file, what["x"])
            else:
                np.savez_compressed(file, **what)
