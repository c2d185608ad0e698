"""Word vectors against what people say: similarity of words, and analogies.

Both give the numbers of gensim's `evaluate_word_pairs` and `evaluate_word_analogies`: words are
compared without regard to case, of several spellings the first in the vocabulary counts, words
beyond the first 300,000 do not, and what holds an unknown word is left out.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genjax.core.config import ConfigError
from genjax.data.text import files as text_files
from genjax.data.text.word_vectors import WordVectors

_MOST_WORDS = 300_000
_AT_ONCE = 256  # questions


class Similarity(NamedTuple):
    """How cosines follow the scores of people.

    Attributes:
      spearman, pearson: correlations; nan where less than two pairs are known.
      pairs: known pairs, which they are of.
      unknown: pairs that were left out.
    """

    spearman: float
    pearson: float
    pairs: int
    unknown: int


class Analogies(NamedTuple):
    """How many questions "a is to b as c is to …?" were answered as expected.

    Attributes:
      correct, questions: numbers of known questions.
      unknown: questions that were left out.
      sections: (correct, questions) by the name of each section of the file.
    """

    correct: int
    questions: int
    unknown: int
    sections: dict[str, tuple[int, int]]

    @property
    def accuracy(self) -> float:
        """Share of the known questions; 0 where there are none."""
        return self.correct / max(self.questions, 1)


def word_similarity(vectors: WordVectors, path: str | Path, delimiter: str = "\t") -> Similarity:
    """Correlates cosines with a list of pairs, such as WordSim-353 or SimLex-999.

    Args:
      vectors: the words.
      path: lines `word<TAB>word<TAB>score`; those that begin with # are comments.
      delimiter: instead of the tab.

    Raises:
      ConfigError: the file cannot be read, or a line is no such pair.
    """
    from scipy import stats

    rows, human, cosine, unknown = _first_rows(vectors), [], [], 0
    for number, line in _lines(path):
        parts = line.split(delimiter)
        try:
            a, b, score = parts[0], parts[1], float(parts[2])
            if not math.isfinite(score):
                raise ValueError("not a number")
        except (IndexError, ValueError) as error:
            what = f"must be word{delimiter}word{delimiter}score"
            raise ConfigError(f"{path}, line {number}: {what}") from error
        i, j = rows.get(a.upper()), rows.get(b.upper())
        if i is None or j is None:
            unknown += 1
            continue
        human.append(score)
        cosine.append(float(vectors.unit[i] @ vectors.unit[j]))
    if len(human) < 2:
        return Similarity(float("nan"), float("nan"), len(human), unknown)
    spearman, pearson = stats.spearmanr(human, cosine)[0], stats.pearsonr(human, cosine)[0]
    return Similarity(float(spearman), float(pearson), len(human), unknown)


def analogies(vectors: WordVectors, path: str | Path) -> Analogies:
    """Answers a list of analogies, such as `questions-words.txt` (Mikolov et al. 2013a).

    The answer is the word nearest to b - a + c (of unit vectors), other than a, b and c.

    Args:
      vectors: the words.
      path: lines `a b c expected`, in sections that begin with `: NAME`.

    Raises:
      ConfigError: the file cannot be read, or a line is neither.
    """
    rows, asked, unknown, section = _first_rows(vectors), [], 0, ""
    names: list[str] = []
    for number, line in _lines(path):
        if line.startswith(": "):
            section = line[2:].strip()
            continue
        words = [rows.get(word.upper()) for word in line.split()]
        if len(words) != 4:
            raise ConfigError(f"{path}, line {number}: must be four words, or : and a name")
        if any(row is None for row in words):
            unknown += 1
            continue
        asked.append(words)
        names.append(section)
    right = _answered(vectors, np.array(asked, np.int64).reshape(-1, 4))
    sections: dict[str, tuple[int, int]] = {}
    for name, is_right in zip(names, right):
        correct, questions = sections.get(name, (0, 0))
        sections[name] = correct + int(is_right), questions + 1
    return Analogies(int(right.sum()), len(asked), unknown, sections)


def scores(
    vectors: WordVectors, similarity: Sequence[str], questions: Sequence[str]
) -> dict[str, Any]:
    """Returns numbers by file: correlations with people's scores, accuracy of analogies.

    Files go by their names without folder and ending, or by their paths where two are alike.
    """
    numbers: dict[str, Any] = {}
    stems = [Path(path).stem for path in (*similarity, *questions)]

    def name(path: str) -> str:
        stem = Path(path).stem
        return stem if stems.count(stem) == 1 else path

    for path in similarity:
        found = word_similarity(vectors, path)
        numbers[name(path)] = found._asdict()
    for path in questions:
        answered = analogies(vectors, path)
        counts = {"questions": answered.questions, "unknown": answered.unknown}
        numbers[name(path)] = {"accuracy": answered.accuracy, **counts}
    return numbers


def _answered(vectors: WordVectors, asked_Qx4: np.ndarray) -> np.ndarray:
    """Says of each question whether it is answered as expected, bool (Q,)."""
    words = vectors.words[:_MOST_WORDS]
    unit = vectors.unit[:_MOST_WORDS]
    spellings: dict[str, list[int]] = {}  # all rows of a word
    for i, word in enumerate(words):
        spellings.setdefault(word.upper(), []).append(i)
    right = np.zeros(len(asked_Qx4), bool)
    for start in range(0, len(asked_Qx4), _AT_ONCE):
        a, b, c, expected = asked_Qx4[start : start + _AT_ONCE].T
        cosine_QxV = (unit[b] - unit[a] + unit[c]) @ unit.T
        for q, given in enumerate(zip(a, b, c)):
            for i in given:
                cosine_QxV[q, spellings[words[i].upper()]] = -np.inf
        answers = cosine_QxV.argmax(1)
        right[start : start + len(a)] = [
            words[i].upper() == words[j].upper() for i, j in zip(answers, expected)
        ]
    return right


def _first_rows(vectors: WordVectors) -> dict[str, int]:
    """Returns the row of each word in capitals, the first of several."""
    words = vectors.words[:_MOST_WORDS]
    return {word.upper(): i for i, word in reversed(list(enumerate(words)))}


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yields number and text of the lines that are neither empty nor comments."""
    for number, line in enumerate(text_files.lines(Path(path).expanduser()), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line.removesuffix("\n")
