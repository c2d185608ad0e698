"""Tables of word vectors that begin with those of a file, matched by word."""

from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.core.paths import listed, matches
from genjax.core.tokens import NUM_SPECIALS
from genjax.data.text import word_vectors
from genjax.engine.executor import Executor
from genjax.engine.leaves import Rows, leaves_of

_TABLES = ("input", "tokens")  # how the paths of tables of vectors end


def begin(config: ConfigDict, executor: Executor, path: Path) -> tuple[dict[str, Rows], int, int]:
    """Reads the vectors of the words that the data have.

    They stand in the one table of word vectors that the new run's family has, or in the one that
    `start.networks` names. Words of the data without a vector, and special tokens, begin at random.

    Args:
      config: of the new run; `start.workdir` names the file, see `genjax.data.text.word_vectors`.
      executor: of the new run.
      path: of the file.

    Returns:
      The rows by the leaf's name, the number of words that have a vector, and that of all words.

    Raises:
      ConfigError: the file is of no such format or has none of the words, the tokens are no words,
        or there is no such table, or one of another width.
    """
    start, codec = config.start, executor.dataset.codec
    for name, usual in (("step", "newest"), ("member", -1)):
        if start[name] != usual:
            message = f"is of a run; {start.workdir} is a file; must be {usual}"
            raise fail(f"start.{name}", start[name], message)
    if start.what == "state":
        raise fail("start.what", start.what, f"{start.workdir} is a file; must be params or ema")
    if codec is None or config.data.tokenizer != "word":
        message = "is a file of word vectors; needs texts whose tokens are words"
        raise fail("start.workdir", start.workdir, f"{message}: data.tokenizer=word")
    table = _table(config, executor)
    ours = leaves_of(executor.template())
    width = ours[f"params.{table}"].shape[-1]
    found = word_vectors.read(path)
    if found.vectors.shape[1] != width:
        there = found.vectors.shape[1]
        message = f"a leaf differs from this config: {table.replace('.', '/')} has vectors of"
        message = f"{message} {there} numbers there and of {width} here; give {there} here as well"
        raise fail("start.workdir", start.workdir, message)
    words = codec.tokens
    index = np.array([i for i, word in enumerate(words) if word in found.index], np.int32)
    if not len(index):
        message = f"has none of the {len(words):,} words of the data"
        raise fail("start.workdir", start.workdir, message)
    values = found.vectors[[found.index[words[i]] for i in index]]
    rows = Rows(index + NUM_SPECIALS, values)
    names = [n for n in (f"params.{table}", f"ema.{table}") if n in ours]
    return dict.fromkeys(names, rows), len(index), len(words)


def _table(config: ConfigDict, executor: Executor) -> str:
    """Finds the name of the table that is meant."""
    params = leaves_of(executor.template().params)
    size = executor.dataset.spec.vocab_size
    tables = [
        name
        for name, x in params.items()
        if name.rpartition(".")[2] in _TABLES and x.shape[-2:-1] == (size,)
    ]
    wanted = [entry.rpartition("=")[2] for entry in config.start.networks]
    found = [
        name
        for name in tables
        if not wanted or any(matches(w, name.replace(".", "/")) for w in wanted)
    ]
    if len(found) != 1:
        known = listed(name.replace(".", "/") for name in tables) or "none"
        message = f"must name one table of word vectors; there are {known}"
        raise fail("start.networks", config.start.networks, message)
    return found[0]
