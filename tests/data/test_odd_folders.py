"""Folders of pictures as people have them: what cannot be read is told, counted, and never moves
another picture."""

import dataclasses
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from genjax.core.config import ConfigError, base
from genjax.data import cache, found, stored
from genjax.data.image import listing, pictures
from tests.data import odd_pictures as odd


@pytest.fixture
def refused(load):
    def refused(folder, pattern, **changes):
        with pytest.raises(ConfigError, match=pattern) as e:
            load(folder, **changes)
        assert "\n" not in str(e.value) and str(e.value).isprintable()
        assert len(str(e.value)) - len(str(folder)) < 260

    return refused


def pixels(source):
    return {x.tobytes() for x in source.arrays["x"]}


def spoil(folder):
    """A folder of 20 pictures with three bad ones among 22."""
    odd.cut_in_half(folder / "0003.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "page.jpg").write_text("<html>404</html>")
    return folder


def test_bad_pictures_are_counted_and_named_with_pillows_reasons(refused, tmp_path):
    folder = spoil(odd.folder(tmp_path / "set"))
    every = (
        r"3 of 22 pictures cannot be read: (?=.*0003\.png \(.*truncated)(?=.*empty\.png \(empty "
        r"file\))(?=.*page\.jpg \(cannot identify image file\)).*; config\.data\.on_bad=skip leaves"
    )
    refused(folder, every)
    refused(folder, every)  # from what the cache knows


def test_skipped_pictures_move_no_other(load, tmp_path):
    good, spoiled = odd.folder(tmp_path / "good"), spoil(odd.folder(tmp_path / "spoiled"))
    want = load(good, test_fraction=0.4)
    lost = np.asarray(Image.open(good / "0003.png")).tobytes()
    for _ in range(2):  # decoded, and from the cache
        d = load(spoiled, test_fraction=0.4, on_bad="skip")
        assert pixels(d.train) == pixels(want.train) - {lost}
        assert pixels(d.test) == pixels(want.test) - {lost}
        assert d.train.num_examples + d.test.num_examples == 19
        assert d.found["skipped"]["count"] == 3
        message = sorted(d.found["skipped"]["first"])
        assert re.fullmatch(r"0003\.png \(.*truncated.*\)", message[0])
        assert message[1:] == [
            "empty.png (empty file)",
            "page.jpg (cannot identify image file)",
        ]
        assert "3 files skipped (" in found.line(d, "images")


def test_labels_stay_with_their_pictures_when_some_are_skipped(load, tmp_path):
    folder = odd.folder(tmp_path / "set", n=30, classes=3)
    want = {np.asarray(Image.open(p)).tobytes(): int(p.parent.name[1]) for p in folder.glob("*/*")}
    for name in ("c0/0000.png", "c0/0015.png", "c2/0014.png"):
        want.pop(np.asarray(Image.open(folder / name)).tobytes())
        odd.cut_in_half(folder / name)
    d = load(folder, test_fraction=0.3, on_bad="skip")
    got = {}
    for split in (d.train, d.test):
        got |= {x.tobytes(): int(c) for x, c in zip(split.arrays["x"], split.arrays["label"])}
    assert got == want and d.labels == ("c0", "c1", "c2")


def test_a_set_of_bad_pictures_alone_is_refused(refused, tmp_path):
    (tmp_path / "set").mkdir()
    for i in range(5):
        (tmp_path / "set" / f"{i}.png").write_text("none")
    refused(tmp_path / "set", r"5 of 5 pictures cannot be read")
    refused(tmp_path / "set", r"5 of 5 .*no training and no test picture is left", on_bad="skip")


def test_on_bad_is_stop_or_skip():
    from genjax.core import config

    c = config.base()
    c.epochs, c.data.on_bad = 1, "ignore"
    with pytest.raises(ConfigError, match=r"data\.on_bad='ignore': must be one of stop, skip"):
        config.validate(c)


def test_a_decompression_bomb_is_a_bad_picture(load, refused, tmp_path):
    folder = odd.folder(tmp_path / "set")
    (folder / "huge.png").write_bytes(odd.zip_bomb())
    refused(folder, r"1 of 21 .*huge\.png \(Image size \(182250000 pixels\) exceeds limit")
    assert load(folder, on_bad="skip").found["skipped"]["count"] == 1


def test_dead_links_and_rings_of_links_are_told(load, refused, tmp_path):
    folder = odd.folder(tmp_path / "set")
    (folder / "dead.png").symlink_to("/nowhere.png")
    (folder / "ring.png").symlink_to("ring.png")
    (folder / "dead").symlink_to("/nowhere")  # no picture by its name
    refused(folder, r"2 of 22 .*dead\.png \(No such file.*ring\.png \(Too many levels of symbolic")
    d = load(folder, on_bad="skip")
    assert d.found["skipped"]["count"] == 2 and d.found["left_alone"]["first"] == ["dead"]


def test_a_pipe_is_no_picture(refused, tmp_path):
    folder = odd.folder(tmp_path / "set")
    os.mkfifo(folder / "pipe.png")  # to read it would never end
    refused(folder, r"1 of 21 .*pipe\.png \(no regular file\)")


def test_a_loop_is_not_followed_twice(load, tmp_path):
    folder = odd.folder(tmp_path / "set", classes=2)
    (folder / "c0" / "up").symlink_to("..")
    (folder / "c1" / "self").symlink_to(folder / "c1")
    d = load(folder)
    assert d.train.num_examples + d.test.num_examples == 20
    assert d.found["left_alone"] == {
        "count": 2,
        "first": ["c0/up/ (a link back)", "c1/self/ (a link back)"],
    }


def test_links_to_other_folders_are_followed(load, tmp_path):
    odd.folder(tmp_path / "elsewhere", n=6)
    folder = odd.folder(tmp_path / "set", n=6, classes=1)
    (folder / "c1").symlink_to(tmp_path / "elsewhere")
    (folder / "c2").symlink_to(tmp_path / "elsewhere")
    d = load(folder)
    assert d.train.num_examples + d.test.num_examples == 18 and d.labels == ("c0", "c1", "c2")


def test_unreadable_folders_and_files_are_told(load, refused, tmp_path, monkeypatch):
    folder = odd.folder(tmp_path / "set", classes=2)
    (folder / "c0" / "locked").mkdir()
    forbidden = [str(folder / "c0" / "locked"), str(folder / "c1" / "0001.png")]
    listdir, access = os.listdir, os.access

    def no_listdir(path):
        if str(path) in forbidden:
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    # Root may read everything, so the system's answers are played.
    monkeypatch.setattr(listing.os, "listdir", no_listdir)
    monkeypatch.setattr(
        listing.os, "access", lambda path, mode: str(path) not in forbidden and access(path, mode)
    )
    refused(folder, r"cannot read c0/locked/: Permission denied; config\.data\.on_bad=skip")
    d = load(folder, on_bad="skip")
    assert d.train.num_examples + d.test.num_examples == 19
    assert d.found["skipped"]["first"] == [
        "c0/locked/ (Permission denied)",
        "c1/0001.png (Permission denied)",
    ]
    (folder / "c0" / "locked").rmdir()
    refused(folder, r"1 of 20 .*c1/0001\.png \(Permission denied\)")


def test_files_that_are_no_pictures_are_left_alone_and_told(load, tmp_path):
    folder = odd.folder(tmp_path / "set")
    for name in ("README", "Thumbs.db", "pic.heic", "photo.AVIF", ".DS_Store", "._0001.png"):
        (folder / name).write_bytes(b"x")
    for hidden in (".ipynb_checkpoints", "__MACOSX"):
        (folder / hidden).mkdir()
    shutil.copy(folder / "0001.png", folder / ".ipynb_checkpoints" / "0001-checkpoint.png")
    (folder / "__MACOSX" / "._0001.png").write_bytes(b"x")
    d = load(folder)
    assert d.train.num_examples + d.test.num_examples == 20 and d.spec.num_classes == 0
    assert d.found["left_alone"] == {
        "count": 4,
        "first": ["photo.AVIF", "pic.heic", "README"],
    }
    (warning,) = d.warnings
    assert "not read (.avif, .heic: 2) are left alone" in warning


def test_a_folder_of_nothing_but_heic_is_refused_with_their_names(refused, tmp_path):
    (tmp_path / "set").mkdir()
    for name in ("a.heic", "b.avif"):
        (tmp_path / "set" / name).write_bytes(b"x")
    refused(tmp_path / "set", r"holds no pictures \(.*\); left alone: a\.heic, b\.avif")


def test_names_in_any_bytes(load, refused, tmp_path):
    folder = odd.folder(tmp_path / "set")
    os.rename(folder / "0001.png", folder / "ünï 図 😀.PNG")
    os.rename(os.fsencode(folder / "0002.png"), os.fsencode(folder) + b"/bad\xff.png")
    assert load(folder).train.num_examples + load(folder).test.num_examples == 20
    with open(os.fsencode(folder) + b"/\xfe\n\x1b[2J.png", "wb"):
        pass
    refused(folder, r"1 of 21 .*: \ufffd\ufffd\ufffd\[2J\.png \(empty file\)")
    line = found.line(load(folder, on_bad="skip"), "images")
    assert line.isprintable() and "1 file skipped" in line


def test_class_names_are_told_whatever_their_bytes(load, tmp_path):
    folder = odd.folder(tmp_path / "set", classes=2)
    os.rename(os.fsencode(folder / "c1"), os.fsencode(folder) + b"/dog\xff")
    assert load(folder).labels == ("c0", "dog\ufffd")


def test_a_stray_picture_of_another_size_or_color_needs_a_size(load, refused, tmp_path):
    for name, stray in (("size", ("RGB", (50, 20))), ("color", ("L", (8, 8)))):
        folder = odd.folder(tmp_path / name)
        Image.new(*stray).save(folder / "stray.png")
        refused(folder, r"shape .* differs from .*config\.data\.image_size and config\.data\.chan")
        d = load(folder, image_size=8, channels=3)
        assert d.train.num_examples + d.test.num_examples == 21


def test_splits_of_different_shape_are_refused(refused, tmp_path, monkeypatch):
    folder = odd.folder(tmp_path / "set", n=6)
    Image.new("RGB", (50, 20)).save(folder / "stray.png")
    from genjax.data.image import images

    def splits(_, paths):
        return ["test" if "stray" in p else "train" for p in paths]

    monkeypatch.setattr(images, "_splits", splits)
    refused(folder, r"stray\.png: shape \(20, 50, 3\) differs from \(8, 8, 3\) of .*0000\.png")


def test_one_picture_a_class_and_empty_folders_are_told(load, tmp_path):
    folder = odd.folder(tmp_path / "set", n=12, classes=12)
    (folder / "d0").mkdir()
    (folder / "d1" / "deep").mkdir(parents=True)
    d = load(folder)
    assert d.spec.num_classes == 12 and "no pictures in d0, d1: not a class" in d.warnings
    assert any("the test split has no example of class" in w for w in found.warnings(d))


@pytest.mark.parametrize(
    ("names", "warns"),
    [
        (("train", "test"), True),
        (("Training", "valid", "TEST"), True),
        (("train",), True),
        (("bus", "car", "train"), False),
        (("bus", "train", "test"), True),
    ],
)
def test_folders_named_like_splits_are_told(load, tmp_path, names, warns):
    for i, name in enumerate(names):
        odd.folder(tmp_path / "set" / name, n=6 + i, classes=2)
    message = [w for w in load(tmp_path / "set").warnings if "read as classes" in w]
    assert bool(message) == warns
    if warns:
        assert re.search(r"alone add /[Tt]rain(ing)? to config\.data\.name$", message[0])


def test_where_the_splits_come_from_is_told(load, tmp_path):
    folder = odd.folder(tmp_path / "set", classes=2)
    d = load(folder, test_fraction=0.25)
    assert d.found["source"] == "test split by a hash of the path (25 %)"
    same = load(shutil.copytree(folder, tmp_path / "copy"), test_fraction=0.25)
    assert same.found["checksum"] == d.found["checksum"]  # of what the pictures show
    Image.new("RGB", (8, 8)).save(folder / "c0" / "0000.png")
    assert load(folder, test_fraction=0.25).found["checksum"] != d.found["checksum"]


def test_several_frames_are_told(load, tmp_path):
    folder = odd.folder(tmp_path / "set", n=4)
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "green", "blue")]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:])
    assert "of pictures with several frames (1) the first frame is taken" in load(folder).warnings


def test_what_is_white_holds_for_the_whole_set(load, refused, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for i in range(8):  # the greatest value of each differs
        Image.fromarray(np.full((4, 4), 30.0 * i, np.float32)).save(folder / f"{i}.tif")
    refused(folder, r"\.tif: floats up to .*config\.data\.max_value")
    refused(folder, r"\.tif: floats up to .*config\.data\.max_value", on_bad="skip")
    d = load(folder, max_value=255.0)
    x = np.concatenate([d.train.arrays["x"], d.test.arrays["x"]])[:, 0, 0, 0]
    assert sorted(x) == [30 * i for i in range(8)]


def test_a_picture_of_another_white_than_the_set_is_told(load, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for i in range(6):
        Image.fromarray(odd.GRAY.astype(np.float32)).save(folder / f"{i}.tif")
    assert not load(folder, max_value=255.0).warnings
    Image.fromarray(odd.GRAY.astype(np.float32) / 255).save(folder / "unit.tif")
    (warning,) = load(folder, max_value=255.0).warnings
    assert "all but black: 1, as unit.tif" in warning and "config.data.max_value" in warning


def test_labels_that_are_no_class_are_told(tmp_path):
    """Some TFDS sets give -1 to a test split without labels."""

    def split(name, label):
        def build(to):
            rows = {"x": np.arange(4, dtype=np.uint8).reshape(2, 2, 1, 1), "label": label}
            cache.write_rows(to, 2, [rows], name)
            return dataclasses.asdict(pictures.Facts(count=2))

        return cache.entry(tmp_path, {"name": "set", "split": name}, build)

    train = split("train", np.array([0, 1], np.int32))
    test = split("test", np.array([-1, -1], np.int32))
    d = stored.dataset(base().data, train, test, num_classes=2, labels=("a", "b"))
    assert found.warnings(d)[0].startswith("2 labels of the test split are none of 0 … 1, as -1")
    assert not stored.dataset(base().data, train, train, num_classes=2).warnings
