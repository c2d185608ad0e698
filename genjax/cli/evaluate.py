"""Evaluates a trained run on the test split, and its samples by what can judge them.

    python -m experiments.evaluate --workdir=DIR [--step=N|best]
        [--metrics=fid,kid,is,prdc] [--num_samples=10000] [--split=train] [--weights=FILE]

Mixtures (`ring`, `grid`, `stacked_digits`) are scored as PacGAN scores. Samples of other labelled
images are judged by a classifier that is trained on the real training split. With --metrics,
samples of images are compared with the real ones of --split, by the features of InceptionV3 where
--weights names a file of its weights (torch-fidelity's or torchvision's, .pth or .safetensors),
else by those of genjax's own classifier; what a number holds for is printed with it. Numbers go to
DIR/eval.json.

Models of text are judged by what they are for: perplexity, accuracy; translations by BLEU (of
lower-cased words, and sacreBLEU's own, by the tokenizer of --bleu_tokenize: zh for Chinese) and
chrF, greedy or by the beam of --beam; entities by F1 of whole spans.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from genjax.cli import program
from genjax.core.config import BLEU_TOKENIZERS

EVAL = "eval.json"
_MAX_JUDGED = 60_000  # of the test split that the classifier judges
_NUM_RECONSTRUCTED = 32


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluates; returns the exit status."""
    return program.run(_evaluate, argv)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run.", **text)
    flags.DEFINE_string("step", "", "Of the checkpoint, or best; by default the newest.", **text)
    flags.DEFINE_string("metrics", "", "Of samples: fid,kid,is,prdc or some of them.", **text)
    flags.DEFINE_integer("num_samples", 10_000, "That --metrics are computed from.", 1, **text)
    flags.DEFINE_enum("split", "train", ["train", "test"], "Of the real images.", **text)
    flags.DEFINE_enum(
        "extractor", None, ["own", "inception"],
        "Whose features --metrics compare; by default inception with --weights, else own.", **text,
    )  # fmt: skip
    flags.DEFINE_string("weights", "", "A file of InceptionV3's weights.", **text)
    flags.DEFINE_integer("beam", 0, "Width of beam search for translations; 0: greedy.", 0, **text)
    flags.DEFINE_enum(
        "bleu_tokenize", None, BLEU_TOKENIZERS,
        "sacreBLEU's tokenizer; by default config.data.bleu_tokenize, which is 13a.", **text,
    )  # fmt: skip
    flags.DEFINE_float("length_penalty", 0.6, "Of beam search; 0: none.", 0, **text)


def _evaluate(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    from genjax.engine.workdir import read_config, write_json

    read_config(values.workdir)
    step = program.checkpoint_step(values.step)
    from genjax.cli import scoring, text_scores, writing
    from genjax.core.config import ConfigError
    from genjax.engine.cache import enable_compilation_cache
    from genjax.evaluation.report import table
    from genjax.loading import load

    writing.check_beam(values)
    enable_compilation_cache()
    model = load(values.workdir, step)
    if values.beam and not text_scores.answers(model):
        raise ConfigError(
            f"--beam={values.beam}: is for translations; {model.config.family} has none"
        )
    if model.run.dataset.codec is not None or values.bleu_tokenize:
        text_scores.check_bleu_tokenize(model, values.bleu_tokenize or "")
    scorer = scoring.by_flags(model, values)
    numbers: dict[str, Any] = {"test": _lists(model.evaluate())}
    numbers |= judged(model)
    hold_for: dict[str, str] = {}
    if scorer:
        numbers["scores"] = scoring.of_model(model, scorer, values.num_samples)
        hold_for = scorer.hold_for()
    elif model.run.dataset.codec is not None:
        scores, hold_for = text_scores.of_model(
            model, numbers["test"], values.beam, values.length_penalty,
            values.bleu_tokenize or "",
        )  # fmt: skip
        numbers |= {"scores": scores} if scores else {}
    folder = Path(values.workdir).expanduser()
    record = {"step": model.step, "num_members": model.num_members} | numbers
    if model.num_members:
        record |= {"over_members": over_members(numbers)}
    if hold_for:
        record |= {"scores_hold_for": hold_for}
    try:
        write_json(folder / EVAL, record)
        drawn = _draw(model, folder)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"--workdir={values.workdir}: cannot be written ({reason})") from error
    title = f"{model.config.family} on {model.config.data.name}, step {model.step}"
    print(table(_shown(numbers, record), title=title))
    for path in [folder / EVAL, *drawn]:
        print(path)
    return program.DONE


def judged(model: Any) -> dict[str, Any]:
    """What can be said of the samples, by kind of data; lists over the members of a population."""
    from genjax.cli import showing

    spec = model.run.dataset.spec
    score = showing.judge(model.config)
    if score is not None:
        return {"samples": {"count": showing.num_judged(model.config)} | _over(score, model)}
    if spec.kind == "image" and spec.num_classes and model.family.has_prior:
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
    from genjax.cli import showing
    from genjax.data import cache
    from genjax.data.source import first_rows
    from genjax.evaluation.classifier import sample_quality
    from genjax.evaluation.extractors import own_classifier

    dataset = model.run.dataset
    classifier, _ = own_classifier(dataset, cache.root(model.config.data.cache_dir))
    x, y = first_rows(dataset.test, _MAX_JUDGED)
    quality = _over(lambda samples: sample_quality(classifier, samples), model)
    real = _lists(sample_quality(classifier, x))
    return {
        "samples": {"count": showing.num_judged(model.config)} | quality,
        "real_test": {"count": len(x)} | real,
        "classifier": {"test_accuracy": float(classifier.accuracy(x, y))},
    }


def _over(score: Any, model: Any) -> dict[str, Any]:
    """`score` of the model's samples; by list over the members of a population."""
    from genjax.cli import showing

    samples = model.sample(showing.num_judged(model.config))
    if not model.num_members:
        return _lists(score(samples))
    members = [_lists(score(s)) for s in samples]
    return {name: [m[name] for m in members] for name in members[0]}


def _lists(numbers: Any) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in numbers.items()}


def _shown(numbers: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """What the table prints: means over members where there are any, scores with their protocol."""
    if members := record.get("over_members"):
        shown: dict[str, Any] = {
            n: f"{v['mean']:.4g} ± {v['standard_error']:.2g}" for n, v in members.items()
        }
    else:
        shown = {n: v for n, v in numbers.items() if n != "scores"}
        shown |= {f"scores/{n}": f"{v:.4g}" for n, v in numbers.get("scores", {}).items()}
    for name, protocol in record.get("scores_hold_for", {}).items():
        shown[f"scores/{name}"] += f"  ({protocol})"
    return shown


def _draw(model: Any, folder: Path) -> list[Path]:
    """Test images above what became of them, or attention maps; none where there are none."""
    if model.run.dataset.codec is not None:
        from genjax.cli import text_scores

        return text_scores.draw_attention(model, folder)
    if model.run.dataset.spec.kind != "image" or "reconstruct" not in model.family.functions:
        return []
    from genjax.data.source import first_rows
    from genjax.plots.grid import reconstruction_grid, save_png

    model = model.member(0) if model.num_members else model
    x, labels = first_rows(model.run.dataset.test, _NUM_RECONSTRUCTED)
    given = (labels,) if model.config.model.get("conditional", False) else ()
    path = folder / "samples" / f"reconstructions_{model.step:07d}.png"
    save_png(path, reconstruction_grid(x, np.asarray(model.reconstruct(x, *given))))
    return [path]
