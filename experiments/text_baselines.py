"""Scores a run that answers sources beside what needs no learning, on the same test pairs.

    python -m experiments.text_baselines --workdir=RUN [--beam=4 [--length_penalty=0.6]]

The bars: the first --lead words of the source, the most frequent target of the training split, and
the target of the training source that is nearest by TF-IDF (of dialogues the nearest context, of
summaries the synopsis of the nearest description). Numbers are those of `experiments.evaluate`, of
the same sentences; they go to RUN/baselines.json as well.
"""

import functools
import sys
from pathlib import Path
from typing import Any

from absl import flags

from genjax.cli import program, writing
from genjax.core import files
from genjax.core.config import ConfigError

FILE = "baselines.json"
_SHOWN = ("bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "exact")


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run.", **text)
    flags.DEFINE_string("step", "", "Of the checkpoint, or best; by default the newest.", **text)
    flags.DEFINE_integer("member", 0, "Of a population.", 0, **text)
    flags.DEFINE_integer("lead", 12, "Words of the source that are an answer.", 1, **text)
    flags.DEFINE_integer("beam", 0, "Width of the run's beam search; 0: greedy.", 0, **text)
    flags.DEFINE_float("length_penalty", 0.6, "Of beam search; 0: none.", 0, **text)


def _text_baselines(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    writing.check_beam(values)
    model = program.load(values, values.member)
    from genjax.data.text import loading
    from genjax.evaluation.text import baselines
    from genjax.evaluation.text.scores import (
        MOST_ANSWERED,
        check_bleu_tokenize,
        held_out,
        of_model,
    )
    from genjax.evaluation.text.translation import translation_scores
    from genjax.generation.texts import answers

    data = model.config.data
    if not answers(model.family) or model.run.dataset.spec.kind != "pair" or data.name == "reverse":
        message = f"{model.config.family} on {data.name}: must be trained on pairs of texts"
        raise ConfigError(f"--workdir={values.workdir}: {message}")
    check_bleu_tokenize(model, "")
    sources, targets = held_out(model, MOST_ANSWERED)
    known, wanted = zip(*loading.read(data, "train"))
    scored, hold_for = of_model(model, {}, values.beam, values.length_penalty)
    rows = {f"run, step {model.step}": scored}
    for name, written in (
        (f"first {values.lead} words", baselines.lead(sources, values.lead)),
        ("most frequent target", baselines.most_frequent(wanted, len(sources))),
        ("target of the nearest source", baselines.of_nearest(known, wanted, sources)),
    ):
        options = {"lowercase": data.lowercase, "tokenize": data.bleu_tokenize}
        rows[name], _ = translation_scores(written, targets, **options)
    path = Path(values.workdir).expanduser() / FILE
    with files.writing(path):
        files.write_json(path, {"step": model.step, "scores": rows, "scores_hold_for": hold_for})
    print(_table(rows))
    print(f"the run: {hold_for['rouge_1']}\n{path}")
    return program.DONE


def _table(rows: dict[str, dict[str, float]]) -> str:
    """Prints a row for each answer; all numbers are of 0 to 100."""
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"{name:>9}" for name in _SHOWN)]
    for name, scores in rows.items():
        of = (scores[n] * (1 if n in ("bleu", "chrf") else 100) for n in _SHOWN)
        lines.append(f"{name:<{width}}" + "".join(f"{number:9.2f}" for number in of))
    return "\n".join(lines)


main = functools.partial(program.run, _text_baselines)

if __name__ == "__main__":
    sys.exit(main())
