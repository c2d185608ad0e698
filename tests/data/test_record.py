"""What a run records of its data stands for them."""

import json
import os
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from genjax import data
from genjax.core import fields
from genjax.core.config import ConfigError, Data, TextData
from genjax.data import record


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def pictures(folder, **grays):
    """A folder a class, 12 pictures of about that gray each."""
    rng = np.random.default_rng(0)
    for name, gray in grays.items():
        (folder / name).mkdir(parents=True)
        for i in range(12):
            x = gray + rng.integers(-9, 10, (6, 6))
            Image.fromarray(x.astype(np.uint8)).save(folder / name / f"{i}.png")
    return folder


def section(name, folder, **changes):
    of_text = not name.startswith(("images:", "digits", "ring", "stacked"))
    found = fields.section(TextData, tokenizer="word") if of_text else fields.section(Data)
    found.update({"name": name, "cache_dir": str(folder / "cache")} | changes)
    return found


def kept(dataset, folder):
    """What a run keeps of it: its record as JSON reads it back, and its vocabulary."""
    data.save(dataset, folder / "kept")
    return json.loads(json.dumps(record.of(dataset)))


WORDS = (["a", "b", "c", "d", "e", "f", "g", "h"], ["i", "b", "a", "h", "g", "c", "e", "d"])
KINDS = {
    "digits": {}, "ring": {}, "stacked_digits": {}, "images:DIR/pictures": {}, "reverse": {},
    "text:DIR/text": {"tokenizer": "char"}, "text:DIR/text+bpe": {"tokenizer": "bpe"},
    "text:DIR/text+sentence": {"kind": "sentence"}, "text:DIR/text+passage": {"kind": "passage"},
    "text:DIR/text+packed": {"kind": "sentence", "packed": True},
    "text:DIR/text+streamed": {"device_limit_mb": 0},
    "tsv:DIR/tsv": {}, "pairs:DIR/x,DIR/y": {},
    "pairs:DIR/x,DIR/y+shared": {"shared_vocabulary": True, "target_length": 3},
    "conll:DIR/conll": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    d = tmp_path_factory.mktemp("data")
    pictures(d / "pictures", b=60, c=200)
    text = [" ".join(WORDS[i % 2][i % 5 :]) for i in range(60)]
    write(d / "text", *text), write(d / "x", *text), write(d / "y", *reversed(text))
    write(d / "tsv", *(f"{t}\t{'no' if i % 3 else 'yes'}" for i, t in enumerate(text)))
    words = [f"{w} {'B-X' if w == 'a' else 'O'}" for t in text for w in [*t.split(), ""] if w]
    write(d / "conll", *("\n".join(words[i : i + 6]) + "\n" for i in range(0, 240, 6)))
    return d


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_stands_for_every_kind_of_data(kind, folder, tmp_path, monkeypatch):
    name = kind.partition("+")[0].replace("DIR", str(folder))
    changes = {"length": 5, "vocab_size": 300} if KINDS[kind] or ":" in kind[:6] else {}
    changes = changes if not kind.startswith("images") else {}
    c = section(name, folder, **changes | KINDS[kind])
    real = data.load(c)
    kept_record = kept(real, tmp_path)
    monkeypatch.setattr(data, "load", None)  # nothing is read
    found = data.recorded(c, kept_record, tmp_path / "kept")
    assert found.spec == real.spec
    assert (found.labels, found.attributes) == (tuple(real.labels), tuple(real.attributes))
    for codec in ("codec", "target_codec", "char_codec"):
        there, here = getattr(real, codec), getattr(found, codec)
        assert (there and there.to_json()) == (here and here.to_json())
    for split in ("train", "test"):
        there, here = getattr(real, split), getattr(found, split)
        assert (here.num_examples, here.streamed) == (there.num_examples, there.streamed)
    assert found.found == real.found and found.found["checksum"]


def test_a_split_is_read_when_an_example_is_asked_for(folder, tmp_path):
    c = section(f"images:{folder}/pictures", folder)
    real = data.load(c)
    found = data.recorded(c, kept(real, tmp_path), tmp_path / "kept")
    for split in ("train", "test"):
        arrays = (getattr(d, split).arrays for d in (real, found))
        jax.tree.map(np.testing.assert_array_equal, *arrays)


def test_data_that_are_gone_are_told_in_one_line(folder, tmp_path):
    pictures(tmp_path / "D", b=60, c=200)
    c = section(f"images:{tmp_path}/D", tmp_path)
    found = data.recorded(c, kept(data.load(c), tmp_path), tmp_path / "kept")
    (tmp_path / "D").rename(tmp_path / "E")
    with pytest.raises(record.DataMissing, match=r"no such folder \(this needs the data") as e:
        found.test.evaluation(4)
    assert "\n" not in str(e.value)
    (tmp_path / "E").rename(tmp_path / "D")
    found.test.evaluation(4)


def test_other_classes_of_the_same_number_are_refused_with_both_lists(tmp_path):
    pictures(tmp_path / "D", b=60, c=200)
    c = section(f"images:{tmp_path}/D", tmp_path)
    kept_record = kept(data.load(c), tmp_path)
    shutil.rmtree(tmp_path / "D" / "b")
    pictures(tmp_path / "D", d=60)
    found = data.recorded(c, kept_record, tmp_path / "kept")
    with pytest.raises(ConfigError, match=r"classes b, c there, c, d here .without b and with d"):
        found.test.evaluation(4)


def test_lists_of_many_names_stay_one_short_line():
    there = [f"a class with a long name and number {i}" for i in range(1000)]
    error = record.others("here", "classes", there, there[:-1])
    assert "1,000 in all" in str(error) and "without a class with" in str(error)
    assert len(str(error)) < 400


def test_another_shape_or_attribute_is_refused(folder):
    now = data.load(section(f"images:{folder}/pictures", folder))
    then = record.of(now._replace(spec=now.spec._replace(shape=(28, 28, 1))))
    with pytest.raises(ConfigError, match=r"shape is \(28, 28, 1\) there, \(6, 6, 1\) here"):
        record.check(then, now, "x")
    then = record.of(now._replace(attributes=("Hat", "Smile")))
    with pytest.raises(ConfigError, match=r"attributes Hat, Smile there, none here"):
        record.check(then, now, "x")


@pytest.mark.parametrize(
    ("form", "more", "message"),
    [
        ("tsv", "a b\tmaybe", "classes no, yes there, maybe, no, yes here"),
        ("conll", "a B-NEW", "tags O, B-X there, B-NEW, B-X, O here"),
    ],
)
def test_other_classes_of_texts_are_refused_with_both_lists(folder, tmp_path, form, more, message):
    path = tmp_path / "file"
    path.write_bytes((folder / form).read_bytes())
    test = f"{folder}/{form}"
    c = section(f"{form}:{path}", tmp_path, test=test, length=5)
    data.save(data.load(c), tmp_path / "kept")
    with path.open("a") as f:
        f.write(f"{more}\n")
    with pytest.raises(ConfigError, match=message):
        data.load(c, tmp_path / "kept")
    data.load(c)  # by themselves they are as good as any


def warned(then, now, capture):
    capture.clear()
    record.check(then, now, "x")
    return [r.getMessage() for r in capture.records if "other content" in r.getMessage()]


def test_other_pictures_of_the_same_classes_are_warned_of(tmp_path, caplog):
    pictures(tmp_path / "D", b=60, c=200)
    c = section(f"images:{tmp_path}/D", tmp_path)
    then = kept(data.load(c), tmp_path)
    assert not warned(then, data.load(c), caplog)
    Image.new("L", (6, 6)).save(tmp_path / "D" / "b" / "3.png")
    (line,) = warned(then, data.load(c), caplog)
    assert "examples there" in line and "\n" not in line


def test_a_copied_folder_has_the_same_content(tmp_path, caplog):
    pictures(tmp_path / "D", b=60, c=200)
    c = section(f"images:{tmp_path}/D", tmp_path)
    then = kept(data.load(c), tmp_path)
    shutil.copytree(tmp_path / "D", tmp_path / "E")
    for path in (tmp_path / "E").rglob("*"):
        os.utime(path, (0, 0))
    assert not warned(then, data.load(section(f"images:{tmp_path}/E", tmp_path)), caplog)
    with c.unlocked():
        c.cache_dir = str(tmp_path / "other_cache")
    assert not warned(then, data.load(c), caplog)


def test_other_texts_are_warned_of(tmp_path, caplog):
    path = write(tmp_path / "text", *["one two three four"] * 20)
    c = section(f"text:{path}", tmp_path, length=4)
    then = kept(data.load(c), tmp_path)
    write(path, *["two one four three"] * 20)
    assert len(warned(then, data.load(c, tmp_path / "kept"), caplog)) == 1


def test_an_entry_from_before_there_were_checksums_gets_one(folder, tmp_path):
    c = section(f"images:{folder}/pictures", tmp_path)
    wanted = data.load(c).found["checksum"]
    for path in (tmp_path / "cache").glob("*/meta.json"):
        meta = json.loads(path.read_text())
        del meta["checksum"]
        path.write_text(json.dumps(meta))
    assert data.load(c).found["checksum"] == wanted
    assert all("checksum" in p.read_text() for p in (tmp_path / "cache").glob("*/meta.json"))


@pytest.mark.parametrize(
    "damage",
    [
        {"spec": {}},
        {"spec": {"kind": "image", "shape": []}},
        {"spec": {"kind": 3, "shape": [1]}},
        {"spec": {"kind": "image", "shape": ["x"]}},
        {"splits": {}},
        {"splits": {"train": 3}},
        {"classes": None},
        {"spec": {"kind": "text", "shape": [5]}},
    ],
)
def test_a_damaged_record_is_one_line(damage, tmp_path):
    c = section("digits", tmp_path)
    then = kept(data.load(c), tmp_path)
    with pytest.raises(ConfigError) as e:
        data.recorded(c, then | damage, tmp_path / "kept")
    assert "\n" not in str(e.value) and len(str(e.value)) < 300
