import shutil

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from genjax.core.config import ConfigError
from genjax.core.family import DataSpec


def picture(rng, height=12, width=10, mode="RGB"):
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(rng.randint(0, 256, shape).astype(np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Two classes, ten gray PNGs each, and files that are no pictures."""
    rng = np.random.RandomState(0)
    for c in ("cat", "dog"):
        (tmp_path / "set" / c).mkdir(parents=True)
        for i in range(10):
            picture(rng, mode="L").save(tmp_path / "set" / c / f"{i}.png")
    (tmp_path / "set" / "README").write_text("about")
    (tmp_path / "set" / "cat" / ".hidden.png").write_text("not a picture")
    return tmp_path / "set"


def everything(source):
    batch = source.fetch(source.arrays, jnp.arange(source.num_examples))
    return {k: np.asarray(v) for k, v in batch.items()}


def test_classes_are_folders_and_pixels_are_exact(load, folder):
    d = load(folder, test_fraction=0.3)
    assert d.spec == DataSpec("image", (12, 10, 1), 2)
    assert d.train.num_examples + d.test.num_examples == 20 and d.test.num_examples >= 1
    want = {}
    for label, c in enumerate(("cat", "dog")):
        for path in (folder / c).glob("[0-9]*.png"):
            want[np.asarray(Image.open(path)).tobytes()] = label
    got = {}
    for split in (d.train, d.test):
        batch = everything(split)
        assert batch["x"].dtype == np.float32 and batch["x"].max() <= 1
        for x, label in zip(batch["x"], batch["label"]):
            got[np.round(x * 255).astype(np.uint8).tobytes()] = int(label)
    assert got == want


def test_split_depends_on_names_alone(load, folder):
    def test_pixels(**changes):
        return {x.tobytes() for x in load(folder, **changes).test.arrays["x"]}

    before = test_pixels(test_fraction=0.4)
    shutil.copy(folder / "cat" / "0.png", folder / "cat" / "another name.png")
    after = test_pixels(test_fraction=0.4)
    assert before - after == set() and len(after - before) <= 1
    assert test_pixels(test_fraction=0.7) >= after


def test_a_tiny_or_huge_test_fraction_still_leaves_both_splits(load, folder):
    for fraction in (1e-9, 1 - 1e-9):
        d = load(folder, test_fraction=fraction)
        assert d.train.num_examples >= 1 and d.test.num_examples >= 1


def test_resize_keeps_the_center_and_colors(load, tmp_path):
    """Outer thirds red, the middle third green: the center of a 3:1 picture is green."""
    (tmp_path / "set").mkdir()
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[..., 0] = 255
    pixels[:, 20:40] = (0, 255, 0)
    for i in range(3):
        Image.fromarray(pixels).save(tmp_path / "set" / f"{i}.png")
        Image.fromarray(pixels.swapaxes(0, 1)).save(tmp_path / "set" / f"t{i}.png")
    d = load(tmp_path / "set", image_size=8)
    assert d.spec.shape == (8, 8, 3) and d.spec.num_classes == 0
    batch = everything(d.train)
    assert "label" not in batch
    green = np.array([0, 1, 0], np.float32)
    assert np.abs(batch["x"][:, 2:6, 2:6] - green).max() < 0.01
    gray = load(tmp_path / "set", image_size=8, channels=1)
    assert gray.spec.shape == (8, 8, 1)
    assert everything(gray.train)["x"][0, 4, 4, 0] == pytest.approx(0.587, abs=0.003)


@pytest.mark.parametrize("ending", ["pgm", "png", "jpg", "JPEG", "bmp", "tif", "webp", "gif"])
def test_formats(load, tmp_path, ending):
    (tmp_path / "set").mkdir()
    smooth = np.add.outer(np.arange(16), np.arange(16)) * 8
    for i in range(2):
        Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "set" / f"{i}.{ending}")
    x = everything(load(tmp_path / "set", channels=1).train)["x"][0, ..., 0]
    np.testing.assert_allclose(x * 255, smooth, atol=6)  # some formats lose a little


def test_a_changed_picture_is_decoded_again(load, folder):
    first = load(folder)
    again = load(folder)
    np.testing.assert_array_equal(first.train.arrays["x"], again.train.arrays["x"])
    Image.fromarray(np.full((12, 10), 77, np.uint8)).save(folder / "cat" / "0.png")
    changed = load(folder)
    both = np.concatenate([changed.train.arrays["x"], changed.test.arrays["x"]])
    assert (both == 77).all(axis=(1, 2, 3)).sum() == 1


def refused(load, folder, pattern, **changes):
    with pytest.raises(ConfigError, match=pattern) as e:
        load(folder, **changes)
    assert "\n" not in str(e.value)


def test_missing_and_empty_folders_are_refused(load, tmp_path):
    refused(load, tmp_path / "absent", r"config\.data\.name='images:.*absent': no such folder")
    (tmp_path / "empty" / "class").mkdir(parents=True)
    refused(load, tmp_path / "empty", r"empty': holds no pictures")
    (tmp_path / "file").write_text("")
    refused(load, tmp_path / "file", r"file': no such folder")
    refused(load, "~nobody-of-this-name/pictures", r"pictures': no such folder")
    refused(load, "a\0b", r"no such folder")
    refused(load, tmp_path / ("long" * 100), r"File name too long")


def test_one_picture_is_refused(load, tmp_path):
    (tmp_path / "set").mkdir()
    picture(np.random.RandomState(0)).save(tmp_path / "set" / "a.png")
    refused(load, tmp_path / "set", "must be two or more")


def test_pictures_beside_class_folders_are_refused(load, folder):
    shutil.copy(folder / "cat" / "0.png", folder / "loose.png")
    refused(load, folder, r"loose\.png.*class folders \(cat\)")


def test_faces(load, shared_data):
    d = load(shared_data / "orl_faces", image_size=64)
    assert d.spec == DataSpec("image", (64, 64, 1), 40)
    assert d.train.num_examples + d.test.num_examples == 400
    assert 20 <= d.test.num_examples <= 65
    x = everything(d.train)["x"]
    assert 0.3 < x.mean() < 0.6 and 0.1 < x.std() < 0.4


SYMBOL = r"_([0-9a-f]+)(?=[-.])|-(?!1f3f[b-f])([0-9a-f]+)"


@pytest.fixture
def symbols(tmp_path):
    """Twelve symbols, two designs of each in two skin tones and without; a class of six each."""
    rng = np.random.RandomState(0)
    for i in range(12):
        folder = tmp_path / "set" / ("people_body" if i < 6 else "flags")
        folder.mkdir(parents=True, exist_ok=True)
        for design in ("google", "twitter"):
            for tone in ("", "-1f3fb", "-1f3ff"):
                pixels = np.full((4, 4, 3), 20 * i, np.uint8)
                pixels[0] = rng.randint(0, 256, (4, 3))
                name = f"{design}_1f{i:03x}{tone}-200d-1f33e.png"
                Image.fromarray(pixels).save(folder / name)
    return tmp_path / "set"


def test_no_symbol_is_in_two_splits(load, symbols):
    d = load(symbols, test_fraction=0.3, validation_fraction=0.3, split_by=SYMBOL)
    found = [set(s.arrays["x"][:, 2, 2, 0] // 20) for s in (d.train, d.validation, d.test)]
    assert all(found) and sum(map(len, found)) == len(set.union(*found)) == 12
    assert sum(s.num_examples for s in (d.train, d.validation, d.test)) == 72
    assert d.in_training().test is d.validation
    # By file a symbol is in several.
    d = load(symbols, test_fraction=0.3)
    found = [set(s.arrays["x"][:, 2, 2, 0] // 20) for s in (d.train, d.test)]
    assert d.validation is None and found[0] & found[1]


def test_validation_takes_of_the_training_split_alone(load, symbols):
    whole, parted = (load(symbols, validation_fraction=f) for f in (0.0, 0.25))
    rows = [
        {x.tobytes() for s in splits for x in s.arrays["x"]}
        for splits in ([whole.train], [parted.train, parted.validation])
    ]
    assert rows[0] == rows[1]
    np.testing.assert_array_equal(whole.test.arrays["x"], parted.test.arrays["x"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split_by": "("}, "is no regular expression"),
        ({"split_by": "x([0-9]+)"}, "finds no group .. in flags/google_1f006"),
        ({"split_by": "(png)"}, "leaves too few pictures, or groups of them"),
        ({"split_by": "(a)", "name": "digits"}, "is for images:DIR, not digits"),
    ],
)
def test_groups_that_cannot_be_are_refused(load, symbols, changes, message):
    with pytest.raises(ConfigError, match=rf"config.data.split_by=.*{message}"):
        load(symbols, **changes)
