"""Text files: read line by line whatever they are, cut in two; mistakes told with their line."""

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genjax.core import fields
from genjax.core.config import ConfigError, TextData
from genjax.data.text import conll, pairs, tsv
from genjax.data.text import files as text_files

EACH = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
UNICODE = st.text(st.characters(codec="utf-8", exclude_characters="\r\ufeff\0") | st.just("\n"))


def section(name, folder="", **changes):
    return fields.section(TextData, name=name, dir=str(folder), **changes)


def message(match, read):
    with pytest.raises(ConfigError, match=match):
        list(read())


# Lines.


@EACH
@given(UNICODE.filter(str.strip), st.sampled_from([-1, 4, 7, 64]), st.booleans())
def test_any_text_comes_back_from_its_lines(tmp_path, text, longest, packed):
    data = text.encode()
    path = tmp_path / "x.txt"
    path.write_bytes(gzip.compress(data) if packed else data)
    found = list(text_files.lines(path, longest))
    assert "".join(found) == text
    assert all(line.endswith("\n") for line in found[:-1]) or longest > 0
    assert all("\n" not in line[:-1] for line in found)
    if longest > 0:
        assert all(len(line.encode()) <= longest for line in found)


@EACH
@given(UNICODE.filter(bool), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_a_file_that_asks_for_answers_has_as_many_lines_as_an_editor_shows(
    tmp_path, text, end, packed, marked
):
    data = text.replace("\n", end).encode("utf-8-sig" if marked else "utf-8")
    path = tmp_path / "x.txt"
    path.write_bytes(gzip.compress(data) if packed else data)
    expected = text.removesuffix("\n").split("\n")
    assert text_files.whole_lines(path) == expected


def test_line_ends_of_windows_and_a_byte_order_mark_are_left_out(tmp_path):
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n\r\nthree")
    assert list(text_files.lines(tmp_path / "x")) == ["one\n", "two\n", "\n", "three"]


def test_long_lines_are_cut_after_spaces(tmp_path):
    (tmp_path / "x").write_text("aaa bb cccccc d\n")
    assert list(text_files.lines(tmp_path / "x", 7)) == ["aaa bb ", "cccccc ", "d\n"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_byte_that_is_no_text_is_told_with_its_line(tmp_path, packed):
    data = b"good\n" * 4 + b"ab\xffc\n" + b"good\n"
    (tmp_path / "x").write_bytes(gzip.compress(data) if packed else data)
    message(
        r"x: line 5: is not UTF-8 \(byte 0xff at column 3\)",
        lambda: text_files.lines(tmp_path / "x"),
    )


@pytest.mark.parametrize("code", ["utf-16-le", "utf-16-be"])
def test_utf_16_that_is_not_marked_is_told_with_its_line(tmp_path, code):
    (tmp_path / "x").write_bytes(b"good\n" + "two\nlines".encode(code))
    wanted = r"x: line 2: holds a NUL byte; is it UTF-16\? must be UTF-8"
    message(wanted, lambda: text_files.lines(tmp_path / "x"))


@pytest.mark.parametrize("content", [b"", b"\n \n\t\n", gzip.compress(b"", mtime=0)])
def test_empty_files_are_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    message("x: is empty; must hold text", lambda: text_files.lines(tmp_path / "x"))


def test_a_torn_gzip_file_is_refused(tmp_path):
    whole = gzip.compress(b"".join(b"line %d\n" % i for i in range(9999)))
    (tmp_path / "x.gz").write_bytes(whole[:-2000])
    message("x.gz: cannot be read", lambda: text_files.lines(tmp_path / "x.gz"))


# Finding files.


def test_files_are_looked_for_here_and_then_in_the_folder_of_data(tmp_path, monkeypatch):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "both").write_text("x")
    (tmp_path / "there" / "other").write_text("x")
    monkeypatch.chdir(tmp_path / "here")
    found, test = text_files.files(
        section("text:both", tmp_path / "there", test="other"), "text:FILE"
    )
    assert [p.read_text() for p in found] == ["x"] and not found[0].is_absolute()
    assert test == [tmp_path / "there" / "other"]
    for data, what in (
        (section("text:none"), r"data\.name='text:none': none: no such file$"),
        (section("text:none", "there"), "no such file here or in there"),
        (section("text:both", test="gone"), r"data\.test='gone': gone: no such file"),
        (section(f"text:{tmp_path}"), "is a folder; must be a file"),
        (section("text:both,other"), "must be text:FILE"),
        (section("text:both", test="a,b"), r"data\.test='a,b': must be FILE, as in data\.name"),
    ):
        message(what, lambda data=data: text_files.files(data, "text:FILE"))


# Splits.


@EACH
@given(UNICODE.filter(lambda t: len(t) > 20 and t.strip()), st.sampled_from([0.1, 0.35, 0.9]))
def test_characters_are_cut_at_their_share(tmp_path, text, fraction):
    path = tmp_path / "x.txt"
    path.write_bytes(text.encode())
    texts = text_files.texts(section(f"text:{path}", test_fraction=fraction))
    train, test = ("".join(texts.read(split)) for split in ("train", "test"))
    assert train + test == text and not texts.ends
    assert len(train) == int(len(text) * (1 - fraction))


def test_words_are_cut_between_them(tmp_path):
    (tmp_path / "x.txt").write_text("one two three four five six seven eight\n")
    texts = text_files.texts(section("text:x.txt", tmp_path, tokenizer="word", test_fraction=0.5))
    assert list(texts.read("train")) == ["one two three four "]
    assert list(texts.read("test")) == ["five six seven eight\n"]
    assert texts.ends


def test_empty_lines_are_no_texts_of_words(tmp_path):
    (tmp_path / "x.txt").write_text("one\n\n \ntwo\n" * 5)
    texts = text_files.texts(section("text:x.txt", tmp_path, tokenizer="word"))
    assert [t.strip() for t in texts.read("train")] == ["one", "two"] * 4 + ["one"]


def test_sentences_are_held_out_at_random_and_each_is_in_one_split(tmp_path):
    (tmp_path / "x.txt").write_text("".join(f"sentence {i}\n\n" for i in range(100)))
    texts = text_files.texts(section("text:x.txt", tmp_path, kind="sentence"))
    train, test = ([s for s, *_ in texts.read(split)] for split in ("train", "test"))
    assert len(test) == 10 and sorted(train + test) == sorted(f"sentence {i}" for i in range(100))
    assert test != [f"sentence {i}" for i in range(90, 100)]
    assert list(texts.read("test")) == list(texts.read("test"))


def test_a_class_or_tag_that_chance_would_hold_out_is_learned(tmp_path):
    plain = [f"text {i}\tc{i % 3}" for i in range(100)]

    def split(lines):
        (tmp_path / "x").write_text("".join(f"{line}\n" for line in lines))
        texts = tsv.texts(section("tsv:x", tmp_path))
        return [[item[0].split()[-1] for item in texts.read(s)] for s in ("train", "test")]

    before = split(plain)
    rare = [int(i) for i in before[1][:2]]
    for i in rare:
        plain[i] = f"text {i}\trare"
    train, test = split(plain)
    assert sorted(set(train) - set(before[0])) == [str(rare[0])]
    assert test == before[1][1:]  # all others stay where they were

    tagged = [line.replace("text ", "").replace("\t", " ") + "\n" for line in plain]
    (tmp_path / "x").write_text("\n".join(tagged))
    texts = conll.texts(section("conll:x", tmp_path))
    assert [words for words, *_ in texts.read("test")] == [[i] for i in test]


def test_no_test_split_is_left_where_all_lines_are_the_first_of_their_class(tmp_path):
    (tmp_path / "x").write_text("good\t1\nbad\t0\n")
    texts = tsv.texts(section("tsv:x", tmp_path))
    assert len(list(texts.read("train"))) == 2
    message(r"data\.test_fraction=0\.1: holds out what has classes", lambda: texts.read("test"))


def test_a_file_of_its_own_is_the_test_split(tmp_path):
    (tmp_path / "x").write_text("all of\nthis\n")
    (tmp_path / "y").write_text("and that\n")
    texts = text_files.texts(section("text:x", tmp_path, test="y"))
    assert ["".join(texts.read(s)) for s in ("train", "test")] == ["all of\nthis\n", "and that\n"]


def test_too_few_sentences_to_hold_some_out(tmp_path):
    (tmp_path / "x").write_text("only one\n")
    texts = text_files.texts(section("text:x", tmp_path, kind="sentence"))
    message(r"data\.test_fraction=0\.1: leaves none of 1 to train on", lambda: texts.read("train"))


def test_tags_are_not_made_up(tmp_path):
    (tmp_path / "x").write_text("text\n")
    message(
        r"data\.kind='tagged': text:x has no tags",
        lambda: text_files.texts(section("text:x", tmp_path, kind="tagged")),
    )


# Tables.


def test_labeled_sentences(tmp_path):
    (tmp_path / "x.tsv").write_text("good\tfilm\t1\n\nbad film\t0\n" * 5)
    texts = tsv.texts(section("tsv:x.tsv", tmp_path, test="x.tsv"))
    found = list(texts.read("train"))
    assert found[:2] == [
        ("good\tfilm", "1", f"{tmp_path}/x.tsv: line 1"),
        ("bad film", "0", f"{tmp_path}/x.tsv: line 3"),
    ]
    assert texts.kind == "sentence"


@pytest.mark.parametrize("line", ["no label", "sentence\t", "\tlabel"])
def test_a_line_without_a_label_is_told(tmp_path, line):
    (tmp_path / "x.tsv").write_text(f"good film\t1\n{line}\n")
    texts = tsv.texts(section("tsv:x.tsv", tmp_path, test="x.tsv"))
    message(r"x\.tsv: line 2: must be sentence<TAB>label", lambda: texts.read("train"))


def test_pairs_are_lines_of_two_files(tmp_path):
    (tmp_path / "a").write_text("eins\n\nzwei\ndrei\n")
    (tmp_path / "b").write_text("one\n\ntwo\n \n")
    texts = pairs.texts(section("pairs:a,b", tmp_path, test="b,a"))
    assert list(texts.read("train")) == [("eins", "one"), ("zwei", "two")]
    assert list(texts.read("test")) == [("one", "eins"), ("two", "zwei")]


@pytest.mark.parametrize("name", ["pairs:short,long", "pairs:long,short"])
def test_files_of_different_lengths_are_no_pairs(tmp_path, name):
    (tmp_path / "short").write_text("1\n2\n")
    (tmp_path / "long").write_text("1\n2\n3\n4\n5\n")
    message(
        "short: ends after line 2, .*long has 5 lines; must be as many",
        lambda: pairs.texts(section(name, tmp_path)).read("train"),
    )


def test_columns_become_words_and_tags(tmp_path):
    (tmp_path / "x").write_text(
        "-DOCSTART- -X- O\n\nEU NNP B-ORG\n# NN O\n\n\na\u00a0b VB O\n-DOCSTART- -X- O\n"
    )
    texts = conll.texts(section("conll:x", tmp_path, test="x"))
    assert list(texts.read("train")) == [
        (["EU", "#"], ["B-ORG", "O"], f"{tmp_path}/x: line 3"),
        (["a_b"], ["O"], f"{tmp_path}/x: line 7"),  # one word, whatever is in it
    ]


@pytest.mark.parametrize("line", ["EU NNP", "EU", "EU NNP B-ORG x"])
def test_a_line_of_other_columns_is_told(tmp_path, line):
    (tmp_path / "x").write_text(f"The DT O\n{line}\n")
    texts = conll.texts(section("conll:x", tmp_path, test="x"))
    message(r"x: line 2: must have 3 columns as the lines before it", lambda: texts.read("train"))


def test_a_word_without_a_tag_is_told(tmp_path):
    (tmp_path / "x").write_text("\nEU\n")
    texts = conll.texts(section("conll:x", tmp_path, test="x"))
    message(r"x: line 2: must have a word, a tag, not 'EU'", lambda: texts.read("train"))
