"""Word vectors are read and written as gensim does, and ranked as it ranks them."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genjax.core.config import ConfigError
from genjax.data.text.word_vectors import WordVectors, read

FORMATS = ["v.bin", "v.txt", "v.txt.gz"]
words = st.lists(
    st.text(min_size=1, max_size=8).filter(lambda w: w.split() == [w] and w.isprintable()),
    min_size=1,
    max_size=6,
    unique=True,
)


def vectors(size=40, dim=7, seed=0):
    rng = np.random.default_rng(seed)
    return WordVectors([f"w{i}" for i in range(size)], rng.normal(size=(size, dim)))


def as_gensim(v):
    keyed = pytest.importorskip("gensim.models").KeyedVectors(v.vectors.shape[1])
    keyed.add_vectors(v.words, v.vectors)
    return keyed


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=30)
@given(names=words, seed=st.integers(0, 99))
def test_what_is_written_is_read_again_bit_for_bit(name, names, seed, tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors") / name
    table = np.float32(10.0) ** np.random.default_rng(seed).uniform(-30, 30, (len(names), 3))
    WordVectors(names, table * [1, -1, 0]).write(path)
    got = read(path)
    assert got.words == names
    np.testing.assert_array_equal(got.vectors, (table * [1, -1, 0]).astype(np.float32))


@pytest.mark.parametrize("name", FORMATS)
def test_gensim_reads_what_is_written(name, tmp_path):
    models, v = pytest.importorskip("gensim.models"), vectors()
    v.words[3] = "naïve_日本"
    v.write(tmp_path / name)
    got = models.KeyedVectors.load_word2vec_format(tmp_path / name, binary=name.endswith("bin"))
    assert got.index_to_key == v.words
    np.testing.assert_array_equal(got.vectors, v.vectors)


@pytest.mark.parametrize("name", FORMATS)
def test_what_gensim_writes_is_read(name, tmp_path):
    v = vectors()
    as_gensim(v).save_word2vec_format(str(tmp_path / name), binary=name.endswith("bin"))
    got = read(tmp_path / name)
    assert got.words == v.words
    np.testing.assert_array_equal(got.vectors, v.vectors)


@pytest.mark.parametrize(("positive", "negative"), [(["w3"], []), (["w1", "w2", "w9"], ["w4"])])
def test_the_most_similar_are_gensims(positive, negative):
    v = vectors()
    expected = as_gensim(v).most_similar(positive, negative, topn=5)
    got = v.most_similar(positive, negative, 5)
    assert [word for word, _ in got] == [word for word, _ in expected]
    np.testing.assert_allclose([c for _, c in got], [c for _, c in expected], rtol=1e-5)
    a, b = positive[0], "w7"
    assert v.similarity(a, b) == pytest.approx(float(as_gensim(v).similarity(a, b)), rel=1e-5)


def test_a_vector_of_zeros_is_near_to_nothing():
    v = WordVectors(["a", "b", "c"], np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]))
    assert v.similarity("a", "b") == 0
    assert v.most_similar(["b"], n=9) == [("c", pytest.approx(np.sqrt(0.5))), ("a", 0.0)]
    with pytest.raises(KeyError):
        v.most_similar(["d"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.txt", b"2 x\n", "line 1: must be two numbers"),
        ("v.txt", b"2 2\na 1 2\nb 1\n", "line 3: must be a word and 2 numbers"),
        ("v.txt", b"2 2\na 1 2\n", "line 3: must be a word and 2 numbers"),
        ("v.txt", b"1 1\n\xff 1\n", "cannot be read"),
        ("v.bin", b"2 2\na 12345678\nb 1234", "ends within vector 2 of 2"),
        ("v.bin", b"", "line 1: must be two numbers"),
    ],
)
def test_what_is_no_file_of_vectors_is_told(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read(tmp_path / name)
    assert message in str(error.value) and name in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"none.txt: cannot be read"):
        read(tmp_path / "none.txt")


def test_words_with_white_space_are_refused(tmp_path):
    with pytest.raises(ValueError, match="white space"):
        WordVectors(["a b"], np.zeros((1, 2))).write(tmp_path / "v.txt")
    assert not (tmp_path / "v.txt").exists()


@pytest.mark.parametrize("head", ["3 1\n", ""])
def test_of_a_word_that_stands_twice_the_first_vector_counts(head, tmp_path):
    path = tmp_path / "vectors.txt"
    numbers = ("1", "2", "3") if head else ("1 0", "2 0", "3 0")
    path.write_text(head + "".join(f"{w} {n}\n" for w, n in zip("aba", numbers)))
    found = read(path)
    assert found.vectors[found.index["a"]][0] == 1 and found.vectors[found.index["b"]][0] == 2


@pytest.mark.parametrize("name", FORMATS)
def test_vectors_beyond_the_number_announced_are_told(name, tmp_path):
    path, packed = tmp_path / name, name.endswith(".gz")
    vectors(3).write(path)
    content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    content = content.replace(b"3 7", b"2 7", 1)
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ConfigError, match=r"more than the 2 vectors that line 1 announces$"):
        read(path)
    path.write_bytes(gzip.compress(b"1 1\na 1\n\n") if packed else content.replace(b"2", b"3", 1))
    assert len(read(path).words) == (1 if packed else 3)


@pytest.mark.parametrize("header", ["", "2 2\n"])
def test_a_byte_order_mark_is_part_of_no_word(header, tmp_path):
    (tmp_path / "v.txt").write_text(f"{header}a 1 2\nb 3 4\n", encoding="utf-8-sig")
    assert read(tmp_path / "v.txt").words == ["a", "b"]
