"""Evaluates a run on the test split, and its samples by what can judge them.

    genjax evaluate --workdir=DIR [--step=N|best] [--member=I]
        [--metrics=fid,kid,mind,is,prdc] [--num_samples=10000] [--split=train] [--weights=FILE]

Mixtures (`ring`, `grid`, `stacked_digits`) are scored as PacGAN scores. Samples of other labeled
images are judged by a classifier that is trained on the real training split. With --metrics,
samples of images are compared with the real ones of --split, by the features of InceptionV3 where
--weights names a file of its weights (torch-fidelity's or torchvision's, .pth or .safetensors),
else by those of genjax's own classifier; what a number holds for is printed with it, and what real
images get in the place of samples: training images, with --split=train those of the test split.
Numbers go to DIR/eval.json; those of the test split are called eval/NAME, as during training.

DIR may be a sweep's folder, or that of one of its groups: each setting is shown with its values.
Numbers of a population's member alone (--member) go to eval_member_I.json; of a sweep it is the
`member` of a row of sweep.csv.

Models of text are judged by what they are for: perplexity, accuracy; translations by BLEU (of
lower-cased words, and sacreBLEU's own, by the tokenizer of --bleu_tokenize: zh for Chinese) and
chrF, greedy or by the beam of --beam; entities by F1 of whole spans.
"""

import functools
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from genjax.cli import program
from genjax.core import files
from genjax.core.config import BLEU_TOKENIZERS, ConfigError
from genjax.core.members import spread
from genjax.evaluation import groups as sweeps

EVAL = "eval.json"
_NUM_RECONSTRUCTED = 32
_OF_REAL = ("real_test", "real_scores", "classifier")  # sections that no member has numbers in


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run, or of a sweep.", **text)
    flags.DEFINE_integer("member", None, "Of a population; by default all.", 0, **text)
    flags.DEFINE_string("step", "", "Of the checkpoint, or best; by default the newest.", **text)
    flags.DEFINE_string("metrics", "", "Of samples: fid,kid,mind,is,prdc or some of them.", **text)
    flags.DEFINE_integer("num_samples", 10_000, "That --metrics are computed from.", 1, **text)
    splits = ["train", "test", "validation"]
    flags.DEFINE_enum("split", "train", splits, "Of the real images.", **text)
    flags.DEFINE_enum(
        "extractor",
        None,
        ["own", "inception"],
        "Whose features --metrics compare; by default inception with --weights, else own.",
        **text,
    )
    flags.DEFINE_string("weights", "", "A file of InceptionV3's weights.", **text)
    flags.DEFINE_integer("beam", 0, "Width of beam search for translations; 0: greedy.", 0, **text)
    flags.DEFINE_enum(
        "bleu_tokenize",
        None,
        BLEU_TOKENIZERS,
        "sacreBLEU's tokenizer; by default config.data.bleu_tokenize, which is 13a.",
        **text,
    )
    flags.DEFINE_float("length_penalty", 0.6, "Of beam search; 0: none.", 0, **text)


def _evaluate(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    program.checkpoint_step(values.step)
    from genjax.cli import writing
    from genjax.engine.compilation_cache import enable_compilation_cache
    from genjax.engine.workdir import read_config

    writing.check_beam(values)
    groups = sweeps.read(values.workdir)
    if not groups:
        read_config(values.workdir)
    enable_compilation_cache()
    if groups and values.member is not None:  # of the sweep: of one of its groups
        group, member = sweeps.find(groups, values.member)
        sweeps.check_begun(values.workdir, [group])
        return _evaluate_run(values, group.folder, member, group)
    if not groups:
        return _evaluate_run(values, values.workdir, values.member, sweeps.around(values.workdir))
    sweeps.check_begun(values.workdir, groups)  # all, before the first takes its time
    numbers: list[dict[str, Any]] = []
    record: dict[str, Any] = {}
    for group in groups:
        name, settings = group.folder.name, group.settings
        print(f"{name}: {sweeps.named(settings, list(settings))}" if settings else name, flush=True)
        model, found, hold_for = _numbers(values, group.folder, None)
        _record(model, group.folder, EVAL, found, hold_for)
        numbers.append(_by_member(found, len(group.seeds)))
        record |= {"step": model.step, "scores_hold_for": hold_for}
    rows = sweeps.rows(groups, numbers)
    path = Path(values.workdir).expanduser() / EVAL
    _write(path, record | {"members": rows})
    print(sweeps.table(rows, groups[0].fields()))
    for name, protocol in record["scores_hold_for"].items():
        print(f"scores/{name}: {protocol}")
    print(path)
    return program.DONE


def _evaluate_run(values: Any, workdir: Any, member: int | None, group: sweeps.Group | None) -> int:
    """Evaluates a run, or one member of it; of a sweep's `group` each setting."""
    from genjax.evaluation.report import table

    folder = Path(workdir).expanduser()
    model, numbers, hold_for = _numbers(values, folder, member)
    name = EVAL if member is None else f"eval_member_{member}.json"
    drawn = _record(model, folder, name, numbers, hold_for)
    title = f"{model.config.family} on {model.config.data.name}, step {model.step}"
    if member is not None:
        title += f", member {member}"
    if group is not None:
        values_of = group.settings if member is None else group.member(member)
        title += "".join(f", {n}={v}" for n, v in values_of.items())
    if group is not None and group.hyperparameters and model.num_members:
        print(title)
        rows = sweeps.rows([group], [_by_member(numbers, model.num_members)])
        print(sweeps.table(rows, list(group.hyperparameters)))
        for score, protocol in hold_for.items():
            print(f"scores/{score}: {protocol}")
    else:
        notes = {f"scores/{score}": protocol for score, protocol in hold_for.items()}
        print(table(numbers, title=title, notes=notes))
    for path in [folder / name, *drawn]:
        print(path)
    return program.DONE


def _numbers(
    values: Any, folder: Path, member: int | None
) -> tuple[Any, dict[str, Any], dict[str, str]]:
    """Returns the model that is evaluated, its numbers by section, and what scores hold for."""
    from genjax.evaluation.image import scorer as scoring
    from genjax.evaluation.samples import as_lists, judged
    from genjax.evaluation.text import scores as text_scores
    from genjax.generation.texts import answers
    from genjax.trained.loading import load

    model = load(folder, program.checkpoint_step(values.step))
    if member is not None:
        program.check_member(member, model.num_members)
    if values.beam and not answers(model.family):
        raise ConfigError(
            f"--beam={values.beam}: is for translations; {model.config.family} has none"
        )
    if model.run.dataset.codec is not None or values.bleu_tokenize:
        text_scores.check_bleu_tokenize(model, values.bleu_tokenize or "")
    scorer = _scorer(model, values)
    found = as_lists(model.evaluate())
    if member is not None and model.num_members:
        found = {name: value[member] for name, value in found.items()}
        model = model.member(member)
    numbers: dict[str, Any] = {"eval": found} | judged(model)
    hold_for: dict[str, str] = {}
    if scorer:
        numbers["scores"] = scoring.of_model(model, scorer, values.num_samples)
        numbers["real_scores"] = scorer.of_real()
        hold_for = scorer.hold_for()
    elif model.run.dataset.codec is not None:
        scores, hold_for = text_scores.of_model(
            model, found, values.beam, values.length_penalty, values.bleu_tokenize or ""
        )
        numbers |= {"scores": scores} if scores else {}
    return model, numbers, hold_for


def _scorer(model: Any, values: Any) -> Any:
    """Makes the scorer that the flags ask for; None without `--metrics`."""
    if not values.metrics:
        given = [n for n in ("weights", "extractor") if values[n].value]
        if given:
            raise ConfigError(f"--{given[0]}={values[given[0]].value}: needs --metrics")
        return None
    if values.extractor == "inception" and not values.weights:
        raise ConfigError("--extractor=inception: needs --weights, a file of InceptionV3's")
    if values.extractor == "own" and values.weights:
        raise ConfigError(f"--weights={values.weights}: are InceptionV3's; not --extractor=own")
    from genjax.evaluation.image.scorer import Scorer

    return Scorer(
        model.run.dataset,
        model.config.data,
        values.metrics,
        values.num_samples,
        values.weights,
        values.split,
    )


def _record(
    model: Any, folder: Path, name: str, numbers: dict[str, Any], hold_for: dict[str, str]
) -> list[Path]:
    """Writes the numbers and the pictures that go with them, whose paths it returns."""
    record = {"step": model.step, "num_members": model.num_members} | numbers
    if model.num_members:
        record |= {"over_members": over_members(numbers)}
    if hold_for:
        record |= {"scores_hold_for": hold_for}
    _write(folder / name, record)
    with files.writing(f"--workdir={folder}"):
        return _draw(model, folder)


def _write(path: Path, record: dict[str, Any]) -> None:
    from genjax.engine.writers import to_json

    with files.writing(f"--workdir={path.parent}"):
        files.write_json(path, to_json(record))


def _by_member(numbers: dict[str, Any], num_members: int) -> dict[str, list[float]]:
    """Returns the numbers of which each member has one, by full name."""
    return {
        f"{section}/{name}": value
        for section, found in numbers.items()
        if section not in _OF_REAL
        for name, value in found.items()
        if sweeps.one_each(value, num_members)
    }


def over_members(numbers: Any) -> dict[str, Any]:
    """Returns mean and standard error of each number that members have."""
    result: dict[str, Any] = {}
    for name, value in numbers.items():
        if name in _OF_REAL:
            continue
        if isinstance(value, dict):
            result |= {f"{name}/{n}": v for n, v in over_members(value).items()}
        elif isinstance(value, list) and value and not isinstance(value[0], list):
            result[name] = spread(value).record()
    return result


def _draw(model: Any, folder: Path) -> list[Path]:
    """Draws test images above what became of them, or attention maps; none without either."""
    if model.run.dataset.codec is not None:
        from genjax.evaluation.text import scores as text_scores

        return text_scores.draw_attention(model, folder)
    from genjax.core.capabilities import Reconstructs
    from genjax.evaluation import shown

    if not (shown.pairs(model.run.dataset.spec) and isinstance(model.family, Reconstructs)):
        return []
    from genjax.data.source import first_rows
    from genjax.plots.grid import reconstruction_grid, save_png

    model = model.member(0) if model.num_members else model
    x, labels = first_rows(model.run.dataset.test, _NUM_RECONSTRUCTED)
    given = (labels,) if model.config.model.get("conditional", False) else ()
    path = folder / "samples" / f"reconstructions_{model.step:07d}.png"
    save_png(path, reconstruction_grid(x, np.asarray(model.reconstruct(x, *given))))
    return [path]


main = functools.partial(program.run, _evaluate)
