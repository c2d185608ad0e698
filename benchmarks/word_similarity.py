"""Word vectors of genjax and of gensim from the same text: what they are worth, and words/s.

    python -m benchmarks.word_similarity --data=DIR [--epochs=1] [--seeds=5] [--json=FILE]

Both learn skip-gram with negative sampling from DIR/definitions.txt.gz (100 dimensions, window 5, 5
negatives, subsampling 1e-3, words that occur 5 times), seed by seed in turn, and are scored by
Spearman's correlation with WordSim-353 and SimLex-999, which gensim ships. Time is that of training
alone: gensim's from sentences in memory with a worker for each core, ours after compilation.
"""

import argparse
import gzip
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.harness import machine
from benchmarks.harness.sides import ROOT
from genjax import recipes
from genjax.core.capabilities import HasWordVectors
from genjax.core.members import explained, spread
from genjax.core.tokens import NUM_SPECIALS
from genjax.data.text.word_vectors import WordVectors
from genjax.engine.compilation_cache import enable_compilation_cache
from genjax.engine.run import prepare
from genjax.evaluation.text.word_similarity import word_similarity

_FILE = "definitions.txt.gz"
_SETS = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}


def main(argv: Sequence[str] | None = None) -> int:
    """Trains and prints; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help=f"folder of {_FILE}")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", default="", help="file for the numbers of every run")
    args = parser.parse_args(argv)
    path = Path(args.data) / _FILE
    if not path.exists():
        parser.error(f"--data={args.data}: has no {_FILE}")
    enable_compilation_cache()
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    runs = []
    for seed in range(args.seeds):
        for name, train in (("genjax", _genjax), ("gensim", _gensim)):
            vectors, words_per_second = train(path, lines, args.epochs, seed)
            runs.append({"side": name, "seed": seed, "words_per_second": words_per_second})
            runs[-1] |= scores(vectors)
            print(runs[-1], file=sys.stderr, flush=True)
    print(report(runs, args.epochs))
    if args.json:
        Path(args.json).write_text(json.dumps(runs, indent=1))
    return 0


def scores(vectors: WordVectors) -> dict[str, float]:
    """Computes Spearman's correlation by data set."""
    from gensim.test.utils import datapath

    return {n: word_similarity(vectors, datapath(f)).spearman for n, f in _SETS.items()}


def report(runs: Sequence[dict[str, Any]], epochs: int) -> str:
    """Writes means with their standard errors, by side, as a table of Markdown."""
    rows = [f"| {epochs} epochs | words/s | WordSim-353 | SimLex-999 |", "|---|---|---|---|"]
    for side in ("genjax", "gensim"):
        of = [run for run in runs if run["side"] == side]
        cells = [f"{np.median([run['words_per_second'] for run in of]):,.0f}"]
        for name in _SETS:
            over = spread([run[name] for run in of])
            error = "" if over.standard_error is None else f" ± {over.standard_error:.3f}"
            cells.append(f"{over.mean:.3f}{error}")
        rows.append(f"| {side} | {' | '.join(cells)} |")
    label = explained([len(of)], "runs")
    return "\n".join([*rows, *(["", label] if label else [])])


def _genjax(
    path: Path, lines: Sequence[Sequence[str]], epochs: int, seed: int
) -> tuple[WordVectors, float]:
    config = recipes.load(str(ROOT / "configs" / "word2vec_definitions.py")).unlock()
    config.seed, config.epochs, config.data.dir = seed, float(epochs), str(path.parent)
    run = prepare(config.lock())
    executor, family = run.executor, run.family
    assert isinstance(family, HasWordVectors)
    state = executor.init()
    state, _ = executor.run(state, 0, 1)  # compiles
    jax.block_until_ready(state)
    start = time.perf_counter()
    for step in range(1, run.total_steps, executor.chunk):
        state, _ = executor.run(state, step, min(executor.chunk, run.total_steps - step))
    jax.block_until_ready(state)
    seconds = time.perf_counter() - start
    table = np.asarray(family.vectors(state))[NUM_SPECIALS:]
    assert run.dataset.codec is not None
    return WordVectors(run.dataset.codec.tokens, table), epochs * _words(lines) / seconds


def _gensim(
    path: Path, lines: Sequence[Sequence[str]], epochs: int, seed: int
) -> tuple[WordVectors, float]:
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=100,
        window=5,
        negative=5,
        sample=1e-3,
        min_count=5,
        sg=1,
        seed=seed + 1,
        workers=machine.cores(),
    )
    model.build_vocab(lines)
    start = time.perf_counter()
    model.train(lines, total_examples=len(lines), epochs=epochs)
    seconds = time.perf_counter() - start
    return WordVectors(model.wv.index_to_key, model.wv.vectors), epochs * _words(lines) / seconds


def _words(lines: Sequence[Sequence[str]]) -> int:
    return sum(map(len, lines))


if __name__ == "__main__":
    sys.exit(main())
