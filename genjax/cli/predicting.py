"""`genjax sample` for models that tell classes or tags of texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genjax.core.config import ConfigError

_TAGS, _CLASSES = (".conll", ".txt"), (".tsv", ".txt")
SUFFIXES = (".conll", ".tsv")  # that are of predictions alone
_OWN = ("prompt", "prompts")  # flags of text that are for predictions too


def check(values: Any, family: str, tags: bool) -> None:
    """Raises `ConfigError` for a flag that is not for predictions.

    Args:
      values: of the flags.
      family: of the model.
      tags: whether it tells tags, otherwise classes.
    """
    from absl import flags

    from genjax.cli import writing

    own = flags.FlagValues()
    writing.define(own)
    for name in ["n", *own]:
        if name not in _OWN and values[name].present:
            message = f"is for models that write texts; {family} says what they are"
            raise ConfigError(f"--{name}={values[name].value}: {message}")
    suffixes, what = (_TAGS, "tags") if tags else (_CLASSES, "classes")
    if values.out and Path(values.out).suffix not in suffixes:
        raise ConfigError(f"--out={values.out}: must end in {' or '.join(suffixes)} for {what}")


def lines(model: Any, prompts: Sequence[str]) -> list[str]:
    """Of a classifier a line for each text: class, probability and the text, tabs between them.

    Of a tagger the lines of each sentence's words, each with a tab and its tag, and an empty line
    behind each sentence, as `conll:FILE` has them.
    """
    from genjax.core.capabilities import Tags
    from genjax.trained.predictions import classify, tag

    if not isinstance(model.family, Tags):
        classified = zip(classify(model, prompts), prompts)
        return [f"{c.label}\t{c.probability:.4f}\t{prompt}" for c, prompt in classified]
    found = []
    for words in tag(model, prompts):
        found += [*(f"{word}\t{name}" for word, name in words), ""]
    return found
