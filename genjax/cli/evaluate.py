"""Evaluates a trained run on the test split, and its samples by what can judge them.

    python -m experiments.evaluate --workdir=DIR [--step=N]

Mixtures (`ring`, `grid`) are scored as PacGAN scores. Samples of labelled images are judged by a
classifier that is trained here on the real training split. Numbers go to DIR/eval.json.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from genjax.cli import program

EVAL = "eval.json"
# Families that sample without a prior: what they sample is not meant to look like the data.
_NO_PRIOR = ("autoencoder",)
_MAX_EXAMPLES = 60_000  # of the training split that the classifier learns from
_CLASSIFIER_SEED = 0  # the same judge for all runs
_NUM_RECONSTRUCTED = 32


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluates; returns the exit status."""
    return program.run(_evaluate, argv)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run.", **text)
    flags.DEFINE_integer("step", None, "Of the checkpoint; by default the newest.", 0, **text)


def _evaluate(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    from genjax.engine.workdir import read_config, write_json

    read_config(values.workdir)
    from genjax.core.config import ConfigError
    from genjax.engine.cache import enable_compilation_cache
    from genjax.evaluation.report import table
    from genjax.loading import load

    enable_compilation_cache()
    model = load(values.workdir, values.step)
    numbers: dict[str, Any] = {"test": _lists(model.evaluate())}
    numbers |= judged(model)
    folder = Path(values.workdir).expanduser()
    record = {"step": model.step, "num_members": model.num_members} | numbers
    if model.num_members:
        record |= {"over_members": over_members(numbers)}
    try:
        write_json(folder / EVAL, record)
        drawn = _draw_reconstructions(model, folder)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"--workdir={values.workdir}: cannot be written ({reason})") from error
    title = f"{model.config.family} on {model.config.data.name}, step {model.step}"
    shown = _texts(record["over_members"]) if model.num_members else numbers
    print(table(shown, title=title))
    for path in [folder / EVAL, *drawn]:
        print(path)
    return program.DONE


def judged(model: Any) -> dict[str, Any]:
    """What can be said of the samples, by kind of data; lists over the members of a population."""
    from genjax.cli import showing

    spec = model.run.dataset.spec
    score = showing.judge(model.config)
    if score is not None:
        return {"samples": {"count": showing.NUM_JUDGED} | _over(score, model)}
    if spec.kind == "image" and spec.num_classes and model.config.family not in _NO_PRIOR:
        return _judged_by_classifier(model)
    return {}


def over_members(numbers: Any) -> dict[str, Any]:
    """For each number that members have: its mean and the mean's standard error."""
    result: dict[str, Any] = {}
    for name, value in numbers.items():
        if isinstance(value, dict):
            result |= {f"{name}/{n}": v for n, v in over_members(value).items()}
        elif isinstance(value, list) and value and not isinstance(value[0], list):
            result[name] = mean_and_error(value)
    return result


def mean_and_error(values: Sequence[float]) -> dict[str, float]:
    """`mean` and its `standard_error` (0 for a single value)."""
    x = np.asarray(values, np.float64)
    error = float(x.std(ddof=1)) / math.sqrt(len(x)) if len(x) > 1 else 0.0
    return {"mean": float(x.mean()), "standard_error": error}


def _judged_by_classifier(model: Any) -> dict[str, Any]:
    import jax

    from genjax.cli import showing
    from genjax.evaluation.classifier import sample_quality, train_classifier

    dataset = model.run.dataset
    x, y = examples(dataset.train, _MAX_EXAMPLES)
    classes = dataset.spec.num_classes
    classifier = train_classifier(x, y, classes, key=jax.random.key(_CLASSIFIER_SEED))
    x, y = examples(dataset.test, _MAX_EXAMPLES)
    quality = _over(lambda samples: sample_quality(classifier, samples), model)
    real = _lists(sample_quality(classifier, x))
    return {
        "samples": {"count": showing.NUM_JUDGED} | quality,
        "real_test": {"count": len(x)} | real,
        "classifier": {"test_accuracy": float(classifier.accuracy(x, y))},
    }


def examples(source: Any, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `most` examples of a split as NumPy arrays: x float32 (N, …), label int32 (N,).

    Labels are 0 where there are none.
    """
    parts = source.evaluation(1000)
    if not source.streamed:
        parts = [{n: a[i] for n, a in parts.items()} for i in range(len(parts["mask"]))]
    xs, labels, found = [], [], 0
    for part in parts:
        batch = source.fetch(source.arrays, part)
        real = np.asarray(batch["mask"]) > 0
        xs.append(np.asarray(batch["x"])[real])
        labels.append(np.asarray(batch.get("label", np.zeros(len(real), np.int32)))[real])
        found += len(xs[-1])
        if found >= most:
            break
    return np.concatenate(xs)[:most], np.concatenate(labels)[:most]


def _over(score: Any, model: Any) -> dict[str, Any]:
    """`score` of the model's samples; by list over the members of a population."""
    from genjax.cli import showing

    samples = model.sample(showing.NUM_JUDGED)
    if not model.num_members:
        return _lists(score(samples))
    members = [_lists(score(s)) for s in samples]
    return {name: [m[name] for m in members] for name in members[0]}


def _lists(numbers: Any) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in numbers.items()}


def _texts(numbers: dict[str, Any]) -> dict[str, str]:
    return {n: f"{v['mean']:.4g} ± {v['standard_error']:.2g}" for n, v in numbers.items()}


def _draw_reconstructions(model: Any, folder: Path) -> list[Path]:
    """Test images above what became of them; none for families and data without."""
    if model.run.dataset.spec.kind != "image" or "reconstruct" not in model.family.functions:
        return []
    from genjax.plots.grid import reconstruction_grid, save_png

    model = model.member(0) if model.num_members else model
    x, _ = examples(model.run.dataset.test, _NUM_RECONSTRUCTED)
    path = folder / "samples" / f"reconstructions_{model.step:07d}.png"
    save_png(path, reconstruction_grid(x, np.asarray(model.reconstruct(x))))
    return [path]
