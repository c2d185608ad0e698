"""Looks at the word vectors of a run, judges them and writes them.

    genjax word-vectors --workdir=DIR [--most_similar=king,queen]
        [--similarity=FILE,FILE] [--analogies=FILE] [--out=vectors.bin]

Shows the ten nearest words of each word of `--most_similar`. Words are scored against pairs with a
similarity that people gave (WordSim-353, SimLex-999: `word<TAB>word<TAB>score`) and analogies
(`questions-words.txt`: `a b c expected`). `--out` ends in .bin for the binary format of word2vec's
program, in .txt or .txt.gz for its text format; gensim and others read both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from genjax import recipes
from genjax.cli import program
from genjax.core import files
from genjax.core.config import ConfigError

_SUFFIXES = (".bin", ".txt", ".txt.gz")


def main(argv: Sequence[str] | None = None) -> int:
    """Looks at word vectors; returns the exit status."""
    return program.run(_word_vectors, argv)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run.", **text)
    flags.DEFINE_list("most_similar", [], "Words whose nearest are shown.", **text)
    flags.DEFINE_list("similarity", [], "Files of pairs of words with scores.", **text)
    flags.DEFINE_list("analogies", [], "Files of analogies.", **text)
    flags.DEFINE_string("out", "", "Where to write the vectors, if anywhere.", **text)
    flags.DEFINE_string("step", "", "Of the checkpoint, or best; by default the newest.", **text)
    flags.DEFINE_integer("member", 0, "Of a population.", 0, **text)


def _word_vectors(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    step = program.checkpoint_step(values.step)
    if values.out and not values.out.endswith(_SUFFIXES):
        raise ConfigError(f"--out={values.out}: must end in {', '.join(_SUFFIXES)}")
    vectors = load(values.workdir, step, values.member)
    for word in values.most_similar:
        if word not in vectors.index:
            near = recipes.nearest(word, vectors.words) if len(word) > 1 else "it is too rare"
            raise ConfigError(f"--most_similar={word}: has no vector; {near}")
        nearest = ", ".join(f"{w} {cosine:.2f}" for w, cosine in vectors.most_similar([word]))
        print(f"{word}: {nearest}")
    numbers = scores(vectors, values.similarity, values.analogies)
    if numbers:
        from genjax.evaluation.report import table

        print(table(numbers, title="Word vectors"))
    if values.out:
        out = Path(values.out).expanduser()
        with files.writing(f"--out={values.out}"):
            out.parent.mkdir(parents=True, exist_ok=True)
            vectors.write(out)
        print(out)
    return program.DONE


def load(workdir: str, step: Any = None, member: int = 0) -> Any:
    """The `WordVectors` of a run, the most frequent word first.

    Args:
      workdir: of the run.
      step: of the checkpoint, see `genjax.load`.
      member: of a population.

    Raises:
      ConfigError: no such run, or its family has no vectors of words.
    """
    from genjax.engine.workdir import read_config

    read_config(workdir)  # before JAX is given time to start
    import numpy as np

    from genjax.core.capabilities import HasWordVectors
    from genjax.core.tokens import NUM_SPECIALS
    from genjax.engine.compilation_cache import enable_compilation_cache
    from genjax.evaluation.text.word_vectors import WordVectors
    from genjax.trained import loading

    enable_compilation_cache()
    model = loading.load(workdir, step)
    if not isinstance(model.family, HasWordVectors):
        raise ConfigError(f"--workdir={workdir}: family {model.config.family} has no word vectors")
    program.check_member(member, model.num_members)
    model = model.member(member) if model.num_members else model
    codec = model.run.dataset.codec
    assert codec is not None  # of whose words the vectors are
    return WordVectors(codec.tokens, np.asarray(model.vectors())[NUM_SPECIALS:])


def scores(vectors: Any, similarity: Sequence[str], analogies: Sequence[str]) -> dict[str, Any]:
    """Numbers by file: correlations with people's scores, accuracy of analogies."""
    from genjax.evaluation.text import word_similarity

    numbers: dict[str, Any] = {}
    for path in similarity:
        found = word_similarity.word_similarity(vectors, path)
        numbers[Path(path).stem] = found._asdict()
    for path in analogies:
        answered = word_similarity.analogies(vectors, path)
        counts = {"questions": answered.questions, "unknown": answered.unknown}
        numbers[Path(path).stem] = {"accuracy": answered.accuracy, **counts}
    return numbers
