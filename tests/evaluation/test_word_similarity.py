"""Similarities and analogies are gensim's, on the data sets that it ships."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.data.text.word_vectors import WordVectors
from genjax.evaluation.text.word_similarity import analogies, scores, word_similarity

SETS = ["wordsim353.tsv", "simlex999.txt"]


def datapath(name):
    return pytest.importorskip("gensim.test.utils").datapath(name)


def lines_of(name):
    return Path(datapath(name)).read_text(encoding="utf-8").splitlines()


def vectors(*names, dim=8):
    """Random vectors for some of the words of files, in two spellings for some."""
    found = dict.fromkeys(
        word
        for name in names
        for line in lines_of(name)
        if not line.startswith(("#", ":"))
        for word in line.split()
        if word.isalpha()
    )
    words = [word for i, word in enumerate(found) if i % 7]
    words += [w.upper() for w in words[::5] if w.upper() not in found]
    rng = np.random.default_rng(0)
    return WordVectors(words, rng.normal(size=(len(words), dim)))


def as_gensim(v):
    keyed = pytest.importorskip("gensim.models").KeyedVectors(v.vectors.shape[1])
    keyed.add_vectors(v.words, v.vectors)
    return keyed


@pytest.mark.parametrize("name", SETS)
def test_correlations_are_gensims(name):
    v = vectors(*SETS)
    (pearson, _), (spearman, _), unknown = as_gensim(v).evaluate_word_pairs(datapath(name))
    got = word_similarity(v, datapath(name))
    assert got.spearman == pytest.approx(spearman, abs=1e-5)
    assert got.pearson == pytest.approx(pearson, abs=1e-5)
    assert 100 * got.unknown / (got.unknown + got.pairs) == pytest.approx(unknown)
    assert got.unknown > 0


def test_accuracy_of_analogies_is_gensims(tmp_path):
    lines = lines_of("questions-words.txt")
    few = tmp_path / "questions.txt"
    chosen = [line for i, line in enumerate(lines) if line.startswith(":") or i % 40 == 0]
    few.write_text("\n".join(chosen), encoding="utf-8")
    v = vectors("questions-words.txt")
    # Some questions answered: the vector of the fourth word is the answer to the other three.
    for line in chosen:
        row = [v.index.get(w) for w in line.split()]
        if len(row) == 4 and None not in row and sum(row) % 3 == 0:
            a, b, c, d = row
            v.vectors[d] = v.unit[b] - v.unit[a] + v.unit[c]
    del v.unit
    accuracy, sections = as_gensim(v).evaluate_word_analogies(str(few))
    got = analogies(v, few)
    assert 0.1 < got.accuracy < 0.9
    assert got.accuracy == pytest.approx(accuracy)
    total = sections.pop()
    assert got.questions == len(total["correct"]) + len(total["incorrect"])
    for section in sections:
        both = len(section["correct"]), len(section["correct"]) + len(section["incorrect"])
        assert got.sections.get(section["section"], (0, 0)) == both


def test_files_of_one_name_are_both_scored(tmp_path):
    paths = [tmp_path / folder / "pairs.txt" for folder in ("a", "b")] + [tmp_path / "other.txt"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("a\tb\t1.0\n")
    found = scores(WordVectors(["a", "b"], np.eye(2)), list(map(str, paths)), [])
    assert list(found) == [str(paths[0]), str(paths[1]), "other"]


def test_too_few_pairs_have_no_correlation(tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("# comment\n\na\tb\t1.0\na\tz\t2.0\n")
    got = word_similarity(WordVectors(["a", "b"], np.eye(2)), pairs)
    assert np.isnan(got.spearman) and (got.pairs, got.unknown) == (1, 1)


@pytest.mark.parametrize("line", ["a\tb", "a\tb\tmuch", "a b 3.0"])
def test_a_line_that_is_no_pair_is_told(line, tmp_path):
    (tmp_path / "pairs.tsv").write_text(f"a\tb\t1.0\n{line}\n")
    with pytest.raises(ConfigError, match=r"pairs.tsv, line 2: must be word"):
        word_similarity(WordVectors(["a", "b"], np.eye(2)), tmp_path / "pairs.tsv")


def test_files_are_read_as_training_files_are(tmp_path):
    vectors = WordVectors(["a", "b", "c\u2028d"], np.array([[1, 0], [2, 1], [0, 1]]))
    text = "a\tb\t1.0\r\na\tc\u2028d\t2.0\r\nb\tc\u2028d\t3.0\r\n"
    (tmp_path / "pairs").write_bytes(gzip.compress(text.encode("utf-8-sig")))
    assert word_similarity(vectors, tmp_path / "pairs").pairs == 3
    (tmp_path / "pairs").write_bytes(b"a\tb\t1.0\n\xff\n")
    with pytest.raises(ConfigError, match=r"pairs: line 2: is not UTF-8"):
        word_similarity(vectors, tmp_path / "pairs")


def test_a_line_that_is_no_analogy_is_told(tmp_path):
    (tmp_path / "q.txt").write_text(": section\na b c\n")
    with pytest.raises(ConfigError, match=r"q.txt, line 2: must be four words"):
        analogies(WordVectors(["a", "b"], np.eye(2)), tmp_path / "q.txt")
    with pytest.raises(ConfigError, match=r"none.txt: cannot be read"):
        analogies(WordVectors(["a", "b"], np.eye(2)), tmp_path / "none.txt")
