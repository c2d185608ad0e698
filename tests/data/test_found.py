"""The line that says what was found, and the warnings beside it."""

import numpy as np
import pytest
from PIL import Image

from genjax import data, recipes
from genjax.core.family import DataSpec
from genjax.data import found
from genjax.data.image.stacked_digits import Stacked
from genjax.data.in_memory import Resident
from genjax.data.labeled import Labeled
from genjax.data.multitask import Mixed
from genjax.data.source import Dataset
from genjax.data.taught import Taught


def images(x, labels=(), train=None, test=None):
    """A data set of pictures `x`, the first half of them for training."""
    half = len(x) // 2
    parts = [x[:half], x[half:]]
    numbers = [train, test] if labels else [None, None]
    splits = [
        Resident({"x": p} | ({} if n is None else {"label": np.array(n, np.int32)}))
        for p, n in zip(parts, numbers)
    ]
    return Dataset(DataSpec("image", x.shape[1:], len(labels)), *splits, labels=tuple(labels))


NOISE = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1)).astype(np.uint8)


def test_the_line_tells_examples_classes_files_cuts_and_unknown_tokens():
    d = images(NOISE, ["cat", "dog"], [0, 1, 0, 1], [0, 1, 0, 1])._replace(
        found={
            "source": "test by a hash of the path",
            "left_alone": {"count": 3, "first": ["a.heic", "b.txt"]},
            "skipped": {"count": 1, "first": ["c.png: truncated"]},
            "cut": {"train": {"count": 2, "of": 9, "what": "sentences", "entities": 4}},
            "unknown": {"train": 0.0, "test": 0.0123},
        }
    )
    assert found.line(d, "images:D") == (
        "images:D: 4 training and 4 test examples, images 4x4x1; 2 classes (cat, dog); "
        "test by a hash of the path; 3 files left alone (a.heic; b.txt); "
        "1 file skipped (c.png: truncated); 2 of 9 sentences of the train split cut at "
        "data.length, which costs 4 entities; unknown tokens 1.23% (test)"
    )


def test_a_class_that_a_split_lacks_is_named():
    d = images(NOISE, ["cat", "dog", "eel"], [0, 1, 0, 2], [0, 0, 0, 2])
    assert found.warnings(d) == ["the test split has no example of class dog"]


def test_padding_is_no_tag():
    x = np.array([[7, 8, 0], [9, 0, 0]], np.uint8)
    tags = {"x": x, "label": np.array([[1, 2, 0], [1, 0, 0]], np.int32)}
    spec = DataSpec("tagged", (3,), 3)
    d = Dataset(spec, Resident(tags, 0), Resident(tags, 0), labels=("O", "B", "I"))
    assert found.warnings(d) == [
        f"the {split} split has no example of tag O" for split in ("training", "test")
    ]


@pytest.mark.parametrize(
    "labels", [["Cat", "cat"], ['"a"', "a"], ["1", "1.0", "01"], ["a b", "a  b "], ["ﬁ", "fi"]]
)
def test_spellings_of_one_name_are_told(labels):
    (message,) = found._alike([*labels, "something else"])
    assert all(repr(label) in message for label in labels)


def test_names_that_differ_are_not_told():
    assert found._alike(["cat", "cats", "1", "10", "B-PER", "I-PER", "+", "-", "1e", "nan"]) == []


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((8, 4, 4, 1), 128, np.uint8), "the same"),
        (
            np.broadcast_to(np.arange(8, dtype=np.uint8)[:, None, None, None] * 30, (8, 4, 4, 3)),
            "of one color",
        ),
        (NOISE // 20, "nearly black"),
        (NOISE.astype(np.float32) / 255 / 20, "nearly black"),
    ],
)
def test_dull_pictures_are_told(x, message):
    (warning,) = found.warnings(images(x))
    assert message in warning


def test_sparse_strokes_and_dark_pictures_are_no_mistake():
    strokes = np.zeros((8, 20, 20, 1), np.uint8)
    strokes[:, 3, 4:9] = 255
    strokes[0, 5] = 255
    assert found.warnings(images(strokes)) == []
    assert found.warnings(images(NOISE // 4)) == []


@pytest.mark.parametrize("recipe", ["vae", "stacked_autoencoder", "wgan_gp_mixture", "seq2seq"])
def test_bundled_data_give_no_warning(recipe):
    config = recipes.load(recipe)
    d = data.load(config.data)
    assert found.warnings(d) == []
    assert found.line(d, config.data.name).startswith(f"{config.data.name}: ")


def test_white_is_that_of_the_split_within():
    d = data.load(recipes.load("vae").data)
    wrapped = [Taught(d.train, lambda params, batch: {}, {}), Labeled(d.train, 100)]
    wrapped += [Mixed(d.train, [np.arange(9)]), Stacked(d.train)]
    for split in wrapped:
        assert found.warnings(d._replace(train=split)) == [], type(split)


def test_the_line_stays_short_whatever_the_names(tmp_path):
    names = [f"class {'x' * 200} {i}" for i in range(500)]
    d = images(NOISE, names, [0, 1, 2, 3], [0, 1, 2, 3])
    assert len(found.line(d, "images:D")) < 700
    assert all(len(w) < 700 for w in found.warnings(d))


def test_a_run_begins_with_the_line(tmp_path, caplog):
    from tests.cli.helpers import TINY, main

    for i in range(30):
        folder = tmp_path / "D" / f"c{i // 15}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 128, np.uint8)).save(folder / f"{i}.png")
    name = f"images:{tmp_path / 'D'}"
    arguments = (f"--config.data.name={name}", f"--config.data.cache_dir={tmp_path / 'cache'}")
    assert (
        main("train", *TINY, *arguments, f"--workdir={tmp_path / 'run'}", "--config.steps=2") == 0
    )
    lines = [message for message in caplog.messages if name in message]
    assert "images 8x8x1; 2 classes" in lines[0] and lines[0].endswith("on cpu, float32")
    assert lines[-1].endswith("all training pictures are the same")
