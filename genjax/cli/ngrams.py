"""Scores n-grams on a run's text: baselines for the loss of its model.

    genjax ngrams --workdir=DIR [--order=3]

The tokens are the run's own, and so are the splits. For each order up to --order it prints the nats
of a token of the test split (`loss`), after those before it, by Kneser-Ney smoothing; and the nats
of those that are no special tokens (`loss_of_words`), which is what masked language models are
asked for.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from genjax.cli import program
from genjax.core.config import ConfigError

_ROWS = 4096  # read at once


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run.", **text)
    flags.DEFINE_integer("order", 3, "Of the longest n-grams.", 1, **text)


def _ngrams(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    from genjax import data
    from genjax.core.tokens import BOS, NUM_SPECIALS, PAD
    from genjax.engine.workdir import read_config
    from genjax.evaluation.report import table
    from genjax.evaluation.text.ngrams import NGrams

    config = read_config(values.workdir, need_checkpoint=False)
    folder = Path(values.workdir).expanduser() / data.TOKENIZER
    dataset = data.load(config.data, folder)
    if dataset.spec.kind not in ("text", "sentence"):
        raise ConfigError(f"--workdir={values.workdir}: holds no running text and no sentences")

    def text(source: Any) -> np.ndarray:
        """Returns a split's tokens (N,), one text after another; BOS before each sentence."""
        return np.concatenate([x[x != PAD] for x in _rows(source, dataset.spec.kind, BOS)])

    train, test = text(dataset.train), text(dataset.test)
    is_word = test[test != BOS] >= NUM_SPECIALS
    shown: dict[str, Any] = {}
    for order in range(1, values.order + 1):
        try:
            model = NGrams(train, dataset.spec.vocab_size, order)
        except ValueError as error:
            raise ConfigError(f"--order={values.order}: {error}") from error
        nats = -model.log_probabilities(test)
        shown[f"{order}-grams"] = {
            "loss": nats.mean(),
            "perplexity": np.exp(nats.mean()),
            "loss_of_words": nats[is_word].mean(),
        }
    print(table(shown, title=f"{config.data.name}, {len(nats)} tokens of the test split"))
    return program.DONE


def _rows(source: Any, kind: str, begin: int) -> Iterator[np.ndarray]:
    from genjax.data.source import rows

    for batch in rows(source, _ROWS):
        if kind == "text":  # windows share a token with the next
            yield batch["x"][:, :-1]
        else:
            yield np.pad(batch["x"], ((0, 0), (1, 0)), constant_values=begin)


main = functools.partial(program.run, _ngrams)
