"""Looks at the word vectors of a run, judges them and writes them.

    genjax word-vectors --workdir=DIR [--most_similar=king,queen]
        [--similarity=FILE,FILE] [--analogies=FILE] [--out=vectors.bin]

Shows the ten nearest words of each word of `--most_similar`. Words are scored against pairs with a
similarity that people gave (WordSim-353, SimLex-999: `word<TAB>word<TAB>score`) and analogies
(`questions-words.txt`: `a b c expected`). `--out` ends in .bin for the binary format of word2vec's
program, in .txt or .txt.gz for its text format; gensim and others read both.
"""

import functools
from pathlib import Path
from typing import Any

from absl import flags

from genjax import recipes
from genjax.cli import program
from genjax.core import files
from genjax.core.config import ConfigError

_SUFFIXES = (".bin", ".txt", ".txt.gz")


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
    program.checkpoint_step(values.step)
    if values.out and not values.out.endswith(_SUFFIXES):
        raise ConfigError(f"--out={values.out}: must end in {', '.join(_SUFFIXES)}")
    vectors = _vectors(values)
    for word in values.most_similar:
        if word not in vectors.index:
            near = recipes.nearest(word, vectors.words) if len(word) > 1 else "it is too rare"
            raise ConfigError(f"--most_similar={word}: has no vector; {near}")
        nearest = ", ".join(f"{w} {cosine:.2f}" for w, cosine in vectors.most_similar([word]))
        print(f"{word}: {nearest}")
    from genjax.evaluation.report import table
    from genjax.evaluation.text.word_similarity import scores

    if numbers := scores(vectors, values.similarity, values.analogies):
        print(table(numbers, title="Word vectors"))
    if values.out:
        out = Path(values.out).expanduser()
        with files.writing(f"--out={values.out}"):
            out.parent.mkdir(parents=True, exist_ok=True)
            vectors.write(out)
        print(out)
    return program.DONE


def _vectors(values: Any) -> Any:
    """Loads the `WordVectors` of a run, the most frequent word first."""
    model = program.load(values, values.member)
    import numpy as np

    from genjax.core.capabilities import HasWordVectors
    from genjax.core.tokens import NUM_SPECIALS
    from genjax.data.text.word_vectors import WordVectors

    if not isinstance(model.family, HasWordVectors):
        message = f"family {model.config.family} has no word vectors"
        raise ConfigError(f"--workdir={values.workdir}: {message}")
    codec = model.run.dataset.codec
    assert codec is not None  # of whose words the vectors are
    return WordVectors(codec.tokens, np.asarray(model.vectors())[NUM_SPECIALS:])


main = functools.partial(program.run, _word_vectors)
