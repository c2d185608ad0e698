"""`genjax.cli.sample` for models of pictures and points: grids, arrays, classes, interpolations."""

from pathlib import Path
from typing import Any

from absl import flags

from genjax.cli import program
from genjax.core import files
from genjax.core.config import ConfigError

SUFFIXES = (".png", ".npy", ".npz")
ANIMATED = (".gif", ".webp")
_NUM_SAMPLES, _NUM_OF_CLASS = 64, 8
_FRAMES = {".png": 8}  # by default, of a leg; of animations 16
_MOST_FPS = 50


def define(values: flags.FlagValues) -> None:
    """Defines flags of pictures."""
    text: Any = {"flag_values": values}
    flags.DEFINE_multi_string(
        "label", [], "A class to draw, by number or name; may be repeated.", **text
    )
    flags.DEFINE_string("labels", "", "Classes to draw, as in 0,1,2; or all.", **text)
    flags.DEFINE_bool("interpolate", False, "What lies between samples, in .gif, .webp.", **text)
    flags.DEFINE_integer("anchors", 4, "Samples on the way of an interpolation.", 2, **text)
    flags.DEFINE_integer(
        "frames", None, "From one to the next; by default 16, in .png 8.", 2, **text
    )
    flags.DEFINE_enum("sort", None, ["score"], "The order of samples: best first.", **text)
    flags.DEFINE_bool("beside_real", False, "Held-out pictures and samples, best first.", **text)
    flags.DEFINE_integer(
        "nearest", None, "Show each sample beside so many training pictures.", 1, 100, **text
    )
    flags.DEFINE_float("fps", 12.0, "Frames a second.", 0.1, _MOST_FPS, **text)


def refuse(values: Any, what: str) -> None:
    """Raises `ConfigError` if a flag of pictures is given for `what`, a model of texts."""
    program.refuse(values, define, f"is for models of pictures; this is {what}")


def check(values: Any) -> None:
    """Raises `ConfigError` if flags do not go together."""
    if values.label and values.labels:
        raise ConfigError(f"--labels={values.labels}: must not be given beside --label")
    still = not values.interpolate or values.out.endswith(".png")
    for name in ("anchors", "frames", "fps"):
        if values[name].present and (not values.interpolate or (still and name != "frames")):
            of = "animations" if values.interpolate else "--interpolate"
            raise ConfigError(f"--{name}={values[name].value}: is for {of}")
    sheets = [n for n in ("interpolate", "beside_real", "nearest", "sort") if values[n].value]
    if len(sheets) > 1:
        one, other = sheets[:2]
        raise ConfigError(f"--{other}={values[other].value}: must not be given beside --{one}")
    if ({"beside_real", "nearest"} & {*sheets}) and values.out and not values.out.endswith(".png"):
        raise ConfigError(f"--out={values.out}: must end in .png for --{sheets[0]}")
    suffix, allowed = Path(values.out).suffix, (*ANIMATED, ".png")
    if values.interpolate and values.out and suffix not in allowed:
        raise ConfigError(f"--out={values.out}: must end in {', '.join(allowed)}")
    if suffix in ANIMATED and not values.interpolate:
        raise ConfigError(f"--out={values.out}: needs --interpolate")


def write(model: Any, values: Any) -> int:
    """Draws what the flags ask for and writes it; returns the exit status."""
    if values.out and Path(values.out).suffix not in (*SUFFIXES, *ANIMATED):
        raise ConfigError(f"--out={values.out}: must end in {', '.join(SUFFIXES)}")
    from genjax.plots.grid import check_drawn

    classes = _classes(model, values)
    for name in ("interpolate", "beside_real", "nearest"):
        if values[name].value:
            check_drawn(model.run.dataset.spec, f"--{name}")
    if values.interpolate:
        return _interpolate(model, values, classes)
    if values.beside_real or values.nearest:
        return _sheet(model, values, classes)
    out = _out(values, "step", model.step, ".png", classes)
    if model.num_members and (out.suffix == ".png" or values.member is not None or values.sort):
        model = model.member(values.member or 0)
    drawn = {"x": _samples(model, values, classes)}
    if classes is not None:
        drawn["label"] = classes.repeat(values.n or _number(classes))
    if values.sort:
        drawn = _sorted(model, drawn)
    if out.suffix == ".png":
        _save(out, _picture(model, values, out, classes, drawn["x"]))
    else:
        _save(out, drawn)
    print(out)
    return program.DONE


def _interpolate(model: Any, values: Any, classes: Any) -> int:
    """Writes an animation that comes back to its beginning, or rows of steps between two draws."""
    from genjax.evaluation.latent import interpolation
    from genjax.plots.animation import save_animation
    from genjax.plots.grid import image_grid

    model = model.member(values.member or 0) if model.num_members else model
    out = _out(values, "interpolation", model.step, ".gif", classes)
    steps = values.frames or _FRAMES.get(out.suffix, 16)
    several = classes is not None and len(classes) > 1
    n = values.n or (4 if several else 8 if out.suffix == ".png" else 16)
    label, total = None, n
    if classes is not None:
        label, total = classes.repeat(n), n * len(classes)
    if out.suffix == ".png":
        x = interpolation.rows(model, total, steps, values.seed, label)
        _save(out, image_grid(x.reshape(-1, *x.shape[2:]), columns=steps))
    else:
        x = interpolation.rounds(model, total, values.anchors, steps, values.seed, label)
        frames = [image_grid(each, columns=n if several else None) for each in x]
        with files.writing(f"--out={out}"):
            save_animation(out, frames, values.fps)
    print(out)
    return program.DONE


def _sheet(model: Any, values: Any, classes: Any) -> int:
    """Writes a sheet that compares samples with real pictures, and says what it finds."""
    from genjax.evaluation.image import scorer, sheets

    name = "nearest" if values.nearest else "beside_real"
    out = _out(values, name, model.step, ".png", classes)
    model = model.member(values.member or 0) if model.num_members else model
    if values.nearest:
        values.n = values.n or _NUM_OF_CLASS
    if classes is None:  # as often as those that they are held against
        n = values.n or _number(classes)
        x = scorer.as_often(model, n, model.run.dataset.test, values.seed)
    else:
        x = _samples(model, values, classes)
    if values.nearest:
        sheet, lines = sheets.nearest(model, x, values.nearest, values.seed)
    else:
        sheet, line = sheets.beside_real(model, x, classes)
        lines = [line]
    _save(out, sheet)
    print("\n".join([*lines, str(out)]))
    return program.DONE


def _sorted(model: Any, drawn: dict[str, Any]) -> dict[str, Any]:
    """Puts samples in the order of their score, best first; of several classes within each."""
    import numpy as np

    from genjax.evaluation.image.sheets import judge

    drawn["score"] = judge(model).score(drawn["x"])
    order = np.argsort(-drawn["score"], kind="stable")
    if "label" in drawn:
        label = drawn["label"]
        place = {number: i for i, number in enumerate(dict.fromkeys(label.tolist()))}
        order = order[np.argsort([place[i] for i in label[order].tolist()], kind="stable")]
    return {name: values[order] for name, values in drawn.items()}


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
