"""Texts by name: what batches hold, what is learned from which split, what is kept for old runs."""

import gzip
import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from genjax import data
from genjax.core import fields, tokens
from genjax.core.config import ConfigError, TextData, base
from genjax.core.family import DataSpec
from genjax.core.random import data_key
from genjax.data.in_memory import Resident
from genjax.data.source import rows
from genjax.data.streaming import Streamed
from genjax.data.text import tfds as tfds_texts
from genjax.data.text import tokenizers
from genjax.data.text.windows import StreamedWindows, Windows

KEY = data_key(jax.random.key(0))


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def load(cache):
    def load(saved=None, **changes):
        return data.load(fields.section(TextData, cache_dir=str(cache), **changes), saved)

    return load


def first_batch(source, shape=(32,)):
    @jax.jit
    def first(arrays):
        plan = source.plan(KEY, source.cursor(0, shape), 1, shape)
        return source.fetch(arrays, jax.tree.map(lambda a: a[0], plan))

    return jax.tree.map(np.asarray, first(source.arrays))


def held_out(dataset):
    """The texts of the test split."""
    return [dataset.codec.decode(x) for batch in rows(dataset.test, 64) for x in batch["x"]]


def write(path, texts):
    path.write_text("".join(f"{t}\n" for t in texts))
    return path


# The bundled text.


def test_bundled_text_in_windows(load):
    d = load(length=32)
    assert d.spec.kind == "text" and d.spec.shape == (33,)
    assert d.spec.vocab_size == d.codec.vocab_size == len(d.spec.word_parts)
    assert isinstance(d.train, Windows) and d.train.arrays["x"].dtype == np.uint8
    batch = first_batch(d.train)
    assert set(batch) == {"x"} and batch["x"].shape == (32, 33) and batch["x"].dtype == jnp.int32
    assert (batch["x"] != tokens.PAD).all() and (batch["x"] < d.spec.vocab_size).all()
    assert d.train.num_examples > 5000 and d.test.num_examples > 500


@pytest.mark.parametrize("tokenizer", ["char", "bpe"])
def test_topics_end_with_eos_and_paragraphs_do_not_cross_the_split(load, tokenizer):
    d = load(tokenizer=tokenizer, vocab_size=400)
    texts = []
    for split in (d.train, d.test):
        ids = split.arrays["x"]
        ends = np.flatnonzero(ids == tokens.EOS)
        assert len(ends) > 20 and ids[: ends[-1] + 1].all()
        texts.append([d.codec.decode(part) for part in np.split(ids, ends + 1)])
    train, test = ({p for topic in split for p in topic.strip().split("\n\n")} for split in texts)
    assert not {p for p in train & test if p}


def test_paragraphs_as_sentences_have_their_topic(load):
    d = load(kind="sentence", tokenizer="word", length=24)
    assert d.spec.kind == "sentence" and d.spec.shape == (24,)
    assert d.spec.num_classes == len(d.labels) > 50 and "assert" in d.labels
    batch = first_batch(d.train)
    x, label = np.asarray(batch["x"]), np.asarray(batch["label"])
    assert x.shape == (32, 24) and label.dtype == np.int32 and label.max() < d.spec.num_classes
    lengths = np.asarray(tokens.lengths(x))
    for row, n in zip(x, lengths):
        assert (row[: n - 1] > tokens.EOS).all() | (row == 1).any()
        assert row[n - 1] == tokens.EOS or n == 24  # none behind a cut
        assert not row[n:].any()
    assert (lengths == 24).any() and (lengths < 24).any()


def test_quoted_words_are_tagged_as_code(load):
    d = load(kind="tagged", tokenizer="word", length=30, word_length=8)
    assert d.labels == ("O", "B-CODE", "I-CODE") and d.spec.num_classes == 3
    assert d.spec.char_shape == (30, 8)
    batch = first_batch(d.train, (64,))
    assert batch["chars"].shape == (64, 30, 8) and batch["label"].shape == (64, 30)
    x, label, chars = (np.asarray(batch[name]) for name in ("x", "label", "chars"))
    assert not label[x == tokens.PAD].any() and not chars[x == tokens.PAD].any()
    known = x > tokens.UNK
    names = [d.codec.decode([i])[:8] for i in x[known]]
    assert names == [d.char_codec.decode(word) for word in chars[known]]
    code = {d.codec.decode([i]) for i in x[label == 1]}
    assert len(code) > 20 and '"' not in code


def test_passages_cover_the_text_once(load):
    d = load(kind="passage", tokenizer="word", length=50)
    x = d.train.arrays["x"].reshape(-1)
    text = load(tokenizer="word").train.arrays["x"]
    np.testing.assert_array_equal(x[x > 0], text[text > 0])
    assert sum(d.spec.token_counts) == (x > 0).sum()


# What is learned from which split.


def test_the_tokenizer_sees_the_training_split_alone(load, tmp_path):
    path = write(tmp_path / "x", ["abc abd"] * 90 + ["xyz"] * 10)
    d = load(name=f"text:{path}")
    assert set(d.codec.tokens) == set("abcd \n")
    assert set(held_out(d)[0]) <= set("abcd \n\ufffd")
    train, test = write(tmp_path / "a", ["good\t1", "bad\t0"]), write(tmp_path / "b", ["fair\t1"])
    d = load(name=f"tsv:{train}", test=str(test), tokenizer="word")
    assert d.codec.tokens == ["bad", "good"] and held_out(d) == ["<unk>"]
    assert d.labels == ("0", "1")


def test_classes_that_training_lacks_are_told_with_their_line(load, tmp_path):
    train = write(tmp_path / "a", ["good\t1", "bad\t0"])
    test = write(tmp_path / "b", ["fair\t1", "odd\t2"])
    with pytest.raises(
        ConfigError, match="b: line 2: class '2' is none of the training split's: 0"
    ):
        load(name=f"tsv:{train}", test=str(test))
    train = write(tmp_path / "c", ["EU B-ORG", "is O"])
    test = write(tmp_path / "d", ["EU O", "", "he O", "Bo B-PER"])
    with pytest.raises(ConfigError, match=r"d: line 3: tag 'B-PER' .* O, B-ORG"):
        load(name=f"conll:{train}", test=str(test), tokenizer="word")


def test_pairs_have_a_vocabulary_for_each_side(load, tmp_path):
    a, b = (
        write(tmp_path / "a", ["eins zwei", "drei"] * 10),
        write(tmp_path / "b", ["one two", "three"] * 10),
    )
    d = load(name=f"pairs:{a},{b}", tokenizer="word", length=3)
    sides = {"vocab_size": 8, "target_shape": (3,), "target_vocab_size": 8}
    assert d.spec == DataSpec("pair", (3,), **sides)
    batch = first_batch(d.train, (18,))
    found = {(d.codec.decode(x), d.target_codec.decode(y)) for x, y in zip(batch["x"], batch["y"])}
    assert found == {("eins zwei", "one two"), ("drei", "three")}


def test_pairs_may_have_one_vocabulary_and_lengths_of_their_own(load, tmp_path):
    a = write(tmp_path / "a", ["eins zwei drei", "drei"] * 10)
    b = write(tmp_path / "b", ["zwei two", "eins"] * 10)
    both = {"shared_vocabulary": True, "tokenizer": "word"}
    d = load(name=f"pairs:{a},{b}", length=4, target_length=2, **both)
    sides = {"vocab_size": 9, "target_shape": (2,), "target_vocab_size": 9}
    assert d.spec == DataSpec("pair", (4,), **sides, shared_vocabulary=True)
    assert d.codec.encode("zwei two") == d.target_codec.encode("zwei two") and d.found["cut"]
    batch = first_batch(d.train, (18,))
    found = {(d.codec.decode(x), d.target_codec.decode(y)) for x, y in zip(batch["x"], batch["y"])}
    assert found == {("eins zwei drei", "zwei two"), ("drei", "eins")}


def test_drawn_pairs_are_strings_and_their_reverse(load):
    d = load(name="reverse")
    assert d.spec.shape == d.spec.target_shape == (16,) and d.train.num_examples == 0
    for batch, longest in (
        (first_batch(d.train, (2, 500)), 10),
        (d.test.fetch(d.test.arrays, jnp.arange(1000)), 15),
    ):
        x, y = (np.asarray(batch[name]).reshape(1000, 16) for name in ("x", "y"))
        lengths = np.asarray(tokens.lengths(x)) - 1
        assert set(lengths) == set(range(1, longest + 1))
        for a, b, n in zip(x, y, lengths):
            np.testing.assert_array_equal(a[:n], b[:n][::-1])
            assert a[n] == b[n] == tokens.EOS and not a[n + 1 :].any() and not b[n + 1 :].any()
        assert set(x[x > tokens.EOS] - tokens.NUM_SPECIALS) == set(range(10))
    assert d.codec.decode(x[0]).split() == d.target_codec.decode(y[0]).split()[::-1]


# Where it is kept.


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"length": 16}, (Windows, StreamedWindows)),
        ({"kind": "sentence", "bucketed": True}, (Resident, Streamed)),
        ({"kind": "tagged", "tokenizer": "word"}, (Resident, Streamed)),
    ],
)
def test_texts_above_the_limit_are_streamed_with_the_same_batches(load, changes, kinds):
    small, large = load(**changes), load(device_limit_mb=0, **changes)
    assert type(small.train) is kinds[0] and type(large.train) is kinds[1]
    assert small.spec == large.spec and small.train.num_examples == large.train.num_examples
    at = small.train.cursor(70, (12,))
    plan = jax.jit(lambda: small.train.plan(KEY, at, 3, (12,)))()
    stream = large.train.stream(np.asarray(jax.random.key_data(KEY)), 70, 73, (12,))
    fetches = [jax.jit(split.train.fetch) for split in (small, large)]
    for x, element in zip(plan, stream, strict=True):
        want, got = fetches[0](small.train.arrays, x), fetches[1]({}, element)
        assert set(want) == set(got)
        for name in want:
            np.testing.assert_array_equal(want[name], got[name])


def test_packed_sentences_share_rows(load):
    alone, packed = (
        load(kind="sentence", tokenizer="word", length=64, packed=p) for p in (False, True)
    )
    assert packed.train.num_examples < 0.8 * alone.train.num_examples
    assert packed.spec.num_classes == 0 and set(packed.train.arrays) == {"x"}
    for name in ("train", "test"):
        a, b = (getattr(d, name).arrays["x"] for d in (alone, packed))
        np.testing.assert_array_equal(np.sort(a[a > 0]), np.sort(b[b > 0]))
    assert (packed.train.arrays["x"] > 0).mean() > 0.95


def test_gzip_and_plain_files_are_the_same_text(load, tmp_path):
    path = write(tmp_path / "x", [f"line {i}" for i in range(50)])
    (tmp_path / "y").write_bytes(gzip.compress(path.read_bytes()))
    a, b = (load(name=f"text:{tmp_path}/{name}", length=8) for name in "xy")
    np.testing.assert_array_equal(a.train.arrays["x"], b.train.arrays["x"])


def test_a_changed_file_is_read_anew(load, tmp_path):
    path = write(tmp_path / "x", ["aaaa"] * 20)
    before = load(name=f"text:{path}", length=8)
    write(path, ["bbbb"] * 21)
    assert load(name=f"text:{path}", length=8).codec.tokens == ["b", "\n"] != before.codec.tokens


def test_a_tokenizer_is_trained_once_for_all_lengths(load, monkeypatch):
    changes = {"kind": "sentence", "tokenizer": "word", "vocab_size": 123}
    first = load(length=20, **changes)
    monkeypatch.setattr(tokenizers, "train", None)
    assert load(length=21, **changes).codec.tokens == first.codec.tokens


# What is kept for the run.


def test_an_old_run_keeps_its_tokens_when_its_text_changes(load, tmp_path):
    path = write(tmp_path / "x", ["abab"] * 20)
    before = load(name=f"text:{path}", length=8)
    data.save(before, tmp_path / "tokenizer")
    write(path, ["bcbc"] * 30)
    again = load(tmp_path / "tokenizer", name=f"text:{path}", length=8)
    assert again.codec.tokens == before.codec.tokens and again.spec == before.spec
    assert "\ufffd" in held_out(again)[0]
    data.save(load(name=f"text:{path}", length=8), tmp_path / "tokenizer")  # stays as it is
    assert load(tmp_path / "tokenizer", name=f"text:{path}", length=8).spec == before.spec


@pytest.mark.parametrize(
    "changes",
    [
        {"tokenizer": "bpe", "vocab_size": 300},
        {"kind": "sentence", "tokenizer": "word"},
        {"kind": "tagged", "tokenizer": "word"},
        {"name": "reverse"},
    ],
)
def test_all_that_made_tokens_comes_back(load, tmp_path, changes):
    d = load(**changes)
    data.save(d, tmp_path / "tokenizer")
    again = load(tmp_path / "tokenizer", **changes)
    assert again.spec == d.spec and again.labels == d.labels
    for codec in ("codec", "target_codec", "char_codec"):
        one, other = getattr(d, codec), getattr(again, codec)
        assert (one and one.to_json()) == (other and other.to_json())


def test_data_that_are_no_texts_keep_nothing(tmp_path):
    data.save(data.load(base().data), tmp_path / "tokenizer")
    assert not list(tmp_path.iterdir())


def test_a_vocabulary_of_another_kind_is_not_taken_and_a_broken_one_told(load, tmp_path):
    data.save(load(), tmp_path / "t")
    assert load(tmp_path / "t", kind="sentence", tokenizer="word").labels
    (tmp_path / "t" / "vocabulary.json").write_text(json.dumps({"kind": "text", "x": {}}))
    with pytest.raises(ConfigError, match=r"vocabulary\.json: cannot be read"):
        load(tmp_path / "t")


# Mistakes.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 0}, "data.length=0: must be at least 1"),
        ({"length": 10**6}, "data.length=1000000: must be below the number of tokens"),
        ({"kind": "pair"}, "data.kind='pair': must be one of text, sentence, passage, tagged"),
        ({"packed": True}, "data.packed=True: packs sentences; python_docs is read as text"),
        ({"bucketed": True}, "data.bucketed=True: is for sentences and pairs"),
        ({"kind": "sentence", "bucketed": True, "packed": True}, "packed have one length"),
        ({"kind": "tagged"}, "data.tokenizer='char': python_docs is words; must be word"),
        ({"test_fraction": 1e-6}, "data.test_fraction=1e-06: leaves no text to test on"),
        ({"name": "text:"}, "must be digits, .* or of texts python_docs, reverse, text:FILE"),
    ],
)
def test_mistakes_are_told(load, changes, message):
    with pytest.raises(ConfigError, match=message.replace(".", r"\.").replace(r"\.*", ".*")):
        load(**changes)


def test_families_of_images_do_not_learn_from_text():
    c = base()
    c.data.name = "python_docs"
    with pytest.raises(ConfigError, match="'python_docs': is text; this family does not"):
        data.load(c.data)


# Real texts.


def test_shakespeare_is_cut_as_nanogpt_cuts_it(load, shared_data):
    d = load(name="text:manual/input.txt", dir=str(shared_data))
    assert d.spec.vocab_size == tokens.NUM_SPECIALS + 65
    train = d.train.arrays["x"]
    assert len(train) - 64 == 1_003_854 and len(d.test.arrays["x"]) - 64 == 111_540
    assert d.codec.decode(train[:14]) == "First Citizen:"


def test_shakespeare_by_tfds(load, shared_data):
    d = load(name="tfds:tiny_shakespeare", dir=str(shared_data / "tfds"))
    assert len(d.train.arrays["x"]) - 64 == 1_003_854 + 1  # and EOS
    validation = load(
        name="tfds:tiny_shakespeare", dir=str(shared_data / "tfds"), test="validation"
    )
    assert validation.test.num_examples == -(-55_770 // 64)
    with pytest.raises(ConfigError, match=r"data\.test='dev': must be one of train, validation"):
        load(name="tfds:tiny_shakespeare", dir=str(shared_data / "tfds"), test="dev")
    with pytest.raises(ConfigError, match="has no text feature"):
        load(name="tfds:fashion_mnist", dir=str(shared_data / "tfds"))


def test_real_tables(load, shared_data):
    where = {"dir": str(shared_data), "tokenizer": "word"}
    sst = load(name="tsv:sst2/train.tsv", test="sst2/test.tsv", **where)
    assert (sst.train.num_examples, sst.test.num_examples) == (6920, 1821)
    wnut = load(name="conll:wnut17/train.conll", test="wnut17/dev.conll", **where)
    assert wnut.train.num_examples == 3394 and "B-person" in wnut.labels and len(wnut.labels) == 13
    m30k = load(
        name="pairs:multi30k/val.de.gz,multi30k/val.en.gz",
        lowercase=True,
        test="multi30k/test_2016_flickr.de.gz,multi30k/test_2016_flickr.en.gz",
        **where,
    )
    assert (m30k.train.num_examples, m30k.test.num_examples) == (1014, 1000)


def test_a_split_of_tfds_without_labels_is_refused(monkeypatch, tmp_path):
    """TFDS has -1 for a label that is not known, as those of GLUE's test splits."""
    prepared = SimpleNamespace(
        first=lambda kind, name: name, splits={"train": 1, "test": 1}, folder="there", features={}
    )

    def examples(data, prepared, name, part):
        yield f"{name}, row 0", {"text": b"a text", "label": -1 if name == "test" else 1}

    fake = SimpleNamespace(
        find=lambda data: prepared,
        class_names=lambda prepared, label: ["bad", "good"],
        splits=lambda data, prepared: (("train", None), ("test", None)),
        stamps=lambda prepared: {},
        examples=examples,
    )
    monkeypatch.setattr(tfds_texts, "tfds", fake)
    data = ConfigDict(
        {"kind": "sentence", "name": "tfds:glue/sst2", "test": "", "tokenizer": "word"}
    )
    texts = tfds_texts.texts(data)
    assert list(texts.read("train")) == [("a text", "good", "train, row 0")]
    with pytest.raises(ConfigError, match=r"data.test=.*with labels; test, row 0 has -1"):
        list(texts.read("test"))
