"""gensim's word2vec, with as many workers as there are cores."""

import tempfile
from pathlib import Path
from typing import Any

from gensim.models import Word2Vec

from benchmarks.harness import zipf
from benchmarks.harness.child import Timed
from benchmarks.harness.machine import cores

MODES = ("sentences", "corpus_file")


def training(
    mode: str,
    architecture: str,
    words: int,
    *,
    vocab_size: int,
    dim: int,
    window: int,
    num_negatives: int,
    subsample: float,
    learning_rate: float,
) -> Timed:
    """Sets up the rows `word2vec_*`: an epoch of `words` words a run.

    Modes: `sentences` in memory, which workers share through Python, or a `corpus_file`, which
    each of them reads its part of.
    """
    if mode not in MODES:
        raise ValueError(f"mode={mode!r}: must be one of {', '.join(MODES)}")
    lines = [[str(word) for word in line] for line in zipf.lines(words, vocab_size).tolist()]
    total = sum(map(len, lines))
    model = Word2Vec(
        vector_size=dim,
        window=window,
        negative=num_negatives,
        sample=subsample,
        min_count=1,
        sg=int(architecture == "skipgram"),
        alpha=learning_rate,
        workers=cores(),
        seed=1,
    )
    model.build_vocab(lines)
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "text.txt"
    path.write_text("\n".join(" ".join(line) for line in lines) + "\n")

    def run() -> None:
        text: dict[str, Any] = {"corpus_iterable": lines}
        if mode == "corpus_file":
            text = {"corpus_file": str(Path(folder.name) / path.name)}  # which lives as long
        model.train(total_examples=len(lines), total_words=total, epochs=1, **text)

    return Timed(run, units=1, info={"settings": f"{mode}, {cores()} workers"})
