"""Texts that are cut, odd or swapped: told, counted and never learned as what they are not."""

import numpy as np
import pytest

from genjax import data
from genjax.core import fields, tokens
from genjax.core.config import ConfigError, TextData
from genjax.data.text import conll, tsv
from genjax.data.text import files as text_files

LONG = ["the O"] * 66 + ["Rome B-LOC"]  # of which `length` 64 loses the entity


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def load(cache, tmp_path):
    def load(name, folder=tmp_path, **changes):
        folders = {"dir": str(folder), "cache_dir": str(cache)}
        return data.load(fields.section(TextData, name=name, **folders, **changes))

    return load


@pytest.fixture
def section(tmp_path):
    def section(name, **changes):
        return fields.section(TextData, name=name, dir=str(tmp_path), **changes)

    return section


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def x_of(source):
    return np.asarray(source.arrays["x"])


# What data.length cuts.


def test_cut_sentences_and_their_entities_are_counted_cold_and_warm(load, tmp_path):
    write(tmp_path / "a", ["Rome B-LOC", "is O", "", *LONG, ""] * 5)
    write(tmp_path / "b", ["Rome B-LOC", "", *LONG, "", *LONG, "is O"])
    for _ in range(2):  # made, then from the cache
        d = load("conll:a", test="b", tokenizer="word")
        assert d.found["cut"] == {
            "train": {"count": 5, "of": 10, "what": "sentences", "entities": 5},
            "test": {"count": 2, "of": 3, "what": "sentences", "entities": 2},
        }
        assert "unknown" not in d.found


def test_an_entity_that_a_cut_tears_apart_is_lost(load, tmp_path):
    write(tmp_path / "a", ["a O", "b B-X", "c I-X", "d O"])
    assert load("conll:a", test="a", tokenizer="word", length=2).found["cut"]["test"] == {
        "count": 1,
        "of": 1,
        "what": "sentences",
        "entities": 1,
    }
    assert (
        "entities" not in load("conll:a", test="a", tokenizer="word", length=3).found["cut"]["test"]
    )


def test_no_eos_stands_behind_a_cut(load, tmp_path):
    write(tmp_path / "a", ["1 2 3 4 5", "1 2 3", "1 2 3 4"])
    write(tmp_path / "b", ["1", "1 2 3 4 5 6", "1 2"])
    d = load("pairs:a,b", test="a,b", tokenizer="word", length=4)
    x, y = (np.asarray(d.train.arrays[name]) for name in "xy")
    assert (x == tokens.EOS).any(1).tolist() == [False, True, False]
    assert (y == tokens.EOS).any(1).tolist() == [True, False, True]
    assert [d.codec.decode(row) for row in x] == ["1 2 3 4", "1 2 3", "1 2 3 4"]
    assert d.found["cut"]["train"] == {"count": 3, "of": 3, "what": "pairs"}


@pytest.mark.parametrize("packed", [False, True])
def test_cut_sentences_fill_their_row_and_do_not_end(load, tmp_path, packed):
    write(tmp_path / "a", ["1 2 3 4 5", "1", "2"])
    d = load("text:a", test="a", kind="sentence", tokenizer="word", length=4, packed=packed)
    rows = x_of(d.train).tolist()
    full = [row for row in rows if tokens.EOS not in row]
    assert len(full) == 1 and tokens.PAD not in full[0]
    assert len(rows) == (2 if packed else 3)
    segments, _ = tokens.segments(np.array(rows))
    assert np.asarray(segments).max(1).tolist() == ([1, 2] if packed else [1, 1, 1])
    assert d.found["cut"]["train"] == {"count": 1, "of": 3, "what": "sentences"}


def test_nothing_is_told_where_nothing_is_cut_or_unknown(load, tmp_path):
    write(tmp_path / "a", ["1 2 3", "1"])
    d = load("text:a", test="a", kind="sentence", tokenizer="word", length=4)
    assert set(d.found) == {"source", "checksum"} and str(tmp_path / "a") in d.found["source"]
    assert d.warnings == ()


@pytest.mark.parametrize("kind", ["text", "sentence", "passage"])
def test_the_share_of_unknown_tokens_is_told(load, tmp_path, kind):
    write(tmp_path / "a", ["1 2 3 4"] * 8)
    write(tmp_path / "b", ["1 2 3 9"] * 8)
    for _ in range(2):
        d = load("text:a", test="b", kind=kind, tokenizer="word", length=8)
        assert d.found["unknown"] == {"test": 0.25}


def test_unknown_words_of_pairs_and_of_tagged_sentences_are_told(load, tmp_path):
    write(tmp_path / "a", ["1 2"])
    write(tmp_path / "b", ["1 9"])
    assert load("pairs:a,a", test="a,b", tokenizer="word").found["unknown"] == {"test": 0.25}
    write(tmp_path / "c", ["1 O", "2 O"])
    write(tmp_path / "d", ["1 O", "9 O"])
    assert load("conll:c", test="d", tokenizer="word").found["unknown"] == {"test": 0.5}


# Tables of sentences.


def test_a_header_line_is_left_out_of_either_file_and_told(load, tmp_path):
    rows = [f"a fine film number {i}\t{i % 2}" for i in range(20)]
    write(tmp_path / "with", ["sentence\tlabel", *rows])
    write(tmp_path / "without", rows)
    for train, test in (("with", "without"), ("without", "with"), ("with", "")):
        d = load(f"tsv:{train}", test=test, tokenizer="word")
        assert d.labels == ("0", "1")
        assert d.train.num_examples + d.test.num_examples == (40 if test else 20)
        assert d.warnings == (
            f"{tmp_path}/with: line 1: the header line 'sentence\\tlabel' is left out",
        )


def test_a_header_of_unknown_names_is_asked_for(load, tmp_path):
    rows = [f"a fine film number {i}\t{i % 2}" for i in range(20)]
    write(tmp_path / "odd", ["Satz\tKlasse", *rows])
    write(tmp_path / "good", rows)
    for _ in range(2):
        (message,) = load("tsv:odd", test="good", tokenizer="word").warnings
        assert message.endswith(
            "odd: line 1: class 'Klasse' has no other example; is this a header line?"
        )
    with pytest.raises(ConfigError, match=r"odd: line 1: class 'Klasse' .*: 0, 1; is it a header"):
        load("tsv:good", test="odd", tokenizer="word")


def test_a_header_of_swapped_columns_is_refused(section, tmp_path):
    write(tmp_path / "x", ["label\tsentence", "0\ta film"])
    with pytest.raises(ConfigError, match=r"x: line 1: 'label\\tsentence' names the class first"):
        tsv.texts(section("tsv:x"))


@pytest.mark.parametrize("test", ["", "x"])
def test_swapped_columns_are_told_in_one_short_line(load, tmp_path, test):
    write(tmp_path / "x", [f"{i % 2}\ta fine film number {i}" for i in range(2000)])
    with pytest.raises(
        ConfigError, match=r"classes .* of 2 different sentences .* swapped"
    ) as message:
        load("tsv:x", test=test, tokenizer="word")
    assert len(str(message.value)) < 300 and "a fine film number 1" in str(message.value)


def test_errors_that_list_classes_or_tags_are_bounded(load, tmp_path):
    name = "n" * 1000
    write(tmp_path / "a", [f"text {i}\t{name}{i}" for i in range(500)])
    write(tmp_path / "b", ["text\tother", f"text\t{name}"])
    write(tmp_path / "c", [f"word {name}{i}" for i in range(500)])
    write(tmp_path / "d", [f"word {name}"])
    write(tmp_path / "e", [f"word {name}", f"{name}"])
    for train, test in (("tsv:a", "b"), ("conll:c", "d"), ("conll:e", "e")):
        with pytest.raises(ConfigError) as message:
            load(train, test=test, tokenizer="word")
        assert len(str(message.value)) < 300 + len(str(tmp_path))


# Tags.


def test_comments_are_left_out_of_tagged_words(section, tmp_path):
    write(
        tmp_path / "x",
        [
            "# sent_id = 1",
            "# text = EU rejects",
            "EU NNP B-ORG",
            "rejects VB O",
            "",
            "# newpar",
            "# NN O",
            "# = O",
            "Peter NNP B-PER",
            "# NN O",
            "",
        ],
    )
    found = [
        (words, tags) for words, tags, _ in conll.texts(section("conll:x", test="x")).read("train")
    ]
    assert found == [
        (["EU", "rejects"], ["B-ORG", "O"]),
        (["#", "#", "Peter", "#"], ["O", "O", "B-PER", "O"]),
    ]
    write(tmp_path / "y", ["# text\tis this", "# global = 1", "EU\tNNP\tO", "#\tNN\tO"])
    found = list(conll.texts(section("conll:y", test="y")).read("train"))
    assert [words for words, *_ in found] == [["EU", "#"]]


def test_a_tab_at_the_end_is_told_for_what_it_is(section, tmp_path):
    write(tmp_path / "x", ["EU\tNNP\tB-ORG\t", "rejects\tVB\tO\t", "\t"])
    with pytest.raises(ConfigError, match="x: line 1: ends in a tab, so its last column"):
        list(conll.texts(section("conll:x", test="x")).read("train"))


def test_conll_u_is_refused_and_a_table_as_wide_is_not(section, tmp_path):
    def rows(first, *more):
        return ["# text = They buy", *(f"{n}\t" + "_\t" * 8 + "_" for n in first), "", *more]

    for numbers in ("123", "1", ["1-2", "1", "2", "2.1", "3"]):
        write(tmp_path / "x", rows(numbers))
        with pytest.raises(ConfigError, match=r"x: is CoNLL-U, .* the word first and its tag last"):
            list(conll.texts(section("conll:x", test="x")).read("train"))
    for first in (["They", "2"], ["1", "They"], ["1", "2", "They"]):
        write(tmp_path / "x", rows("1", *rows(first)))
        assert len(list(conll.texts(section("conll:x", test="x")).read("train"))) == 2


@pytest.mark.parametrize(
    "tags, message",
    [
        ("O B-PER I-PER", ""),
        ("O U-PER B-LOC L-LOC", ""),
        ("B M E S", ""),
        ("NN VB O", ""),
        ("O PER-B PER-I", "tags like PER-B have their letter last; read as BIO"),
        ("o b-per i-per", "tags like b-per mark entities with small letters"),
        ("O B-PER I-PER X", "tags X mark no entities, as B-PER does: entities are not scored"),
        ("B-A M-A L-A U-A", "letters of several schemes: B, L, M, U"),
    ],
)
def test_odd_tags_are_told_by_name(load, tmp_path, tags, message):
    write(tmp_path / "x", [f"word {tag}" for tag in tags.split()])
    warnings = load("conll:x", test="x", tokenizer="word").warnings
    assert [message in w for w in warnings] == ([True] if message else [])


# Running text.


@pytest.mark.parametrize("text", ["水" * 2000, "水\u3000" + "火" * 3000, "ab cd\n" + "x" * 5000])
def test_a_text_without_spaces_is_split_anywhere(section, tmp_path, text):
    (tmp_path / "x").write_text(text, encoding="utf-8")
    texts = text_files.texts(section("text:x", tokenizer="bpe"))
    train, test = ("".join(texts.read(split)) for split in ("train", "test"))
    assert train + test == text and len(test) == pytest.approx(0.1 * len(text), abs=1)


def test_white_space_of_any_kind_is_where_words_are_parted(section, tmp_path):
    (tmp_path / "x").write_text("aa\u3000bb\u2003cc\tdddd", encoding="utf-8")
    texts = text_files.texts(section("text:x", tokenizer="bpe", test_fraction=0.3))
    assert "".join(texts.read("test")) == "dddd"


def test_a_text_that_no_unigrams_can_be_learned_from_is_told_in_one_line(load, tmp_path):
    (tmp_path / "x").write_text("\x01" * 50)
    with pytest.raises(ConfigError, match=r"tokenizer='unigram': cannot be learned from the"):
        load("text:x", tokenizer="unigram")
