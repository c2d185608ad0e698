"""Real data sets, as TFDS prepared them; where it must prepare one, that needs tensorflow-cpu."""

import importlib.util
import json
import shutil
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.core import fields
from genjax.core.config import ConfigError, TextData, base
from genjax.core.family import DataSpec
from genjax.data import tfds
from genjax.data.text import tfds as tfds_texts

NO_TENSORFLOW = importlib.util.find_spec("tensorflow") is None


def section(name, folder, cache, **changes):
    c = base().data
    c.update({"name": name, "dir": str(folder), "cache_dir": str(cache)} | changes)
    return c


@pytest.fixture(scope="session")
def small(shared_data, tmp_path_factory):
    """Fashion-MNIST's 10,000 test images as a prepared data set that has a train split only."""
    source = shared_data / "tfds" / "fashion_mnist" / "3.0.1"
    folder = tmp_path_factory.mktemp("tfds") / "fashion_mnist" / "3.0.1"
    folder.mkdir(parents=True)
    shutil.copy(source / "features.json", folder)
    info = json.loads((source / "dataset_info.json").read_text())
    (test,) = (s for s in info["splits"] if s["name"] == "test")
    info["splits"] = [test | {"name": "train"}]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    records = "fashion_mnist-{}.array_record-00000-of-00001"
    shutil.copy(source / records.format("test"), folder / records.format("train"))
    return folder.parent.parent


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("decoded")


def test_a_set_with_one_split_is_cut_in_two(small, cache):
    d = data.load(section("tfds:fashion_mnist", small, cache, test_fraction=0.2))
    assert d.spec == DataSpec("image", (28, 28, 1), 10)
    assert (d.train.num_examples, d.test.num_examples) == (8000, 2000)
    batch = d.train.fetch(d.train.arrays, jnp.arange(8000))
    assert batch["x"].dtype == jnp.float32 and batch["label"].dtype == jnp.int32
    assert float(batch["x"].min()) == 0 and float(batch["x"].max()) == 1
    assert set(np.unique(batch["label"])) == set(range(10))
    images = {x.tobytes() for s in (d.train, d.test) for x in s.arrays["x"]}
    assert len(images) > 9990  # the two parts do not overlap; a few images are there twice


def test_pixels_and_labels_equal_what_tfds_decodes(small, cache):
    import tensorflow_datasets

    d = data.load(section("tfds:fashion_mnist", small, cache, test_fraction=0.2))
    got = {
        (x.tobytes(), int(label))
        for s in (d.train, d.test)
        for x, label in zip(s.arrays["x"], s.arrays["label"])
    }
    builder = tensorflow_datasets.builder_from_directory(small / "fashion_mnist" / "3.0.1")
    source = builder.as_data_source("train")
    for i in range(0, 10_000, 97):
        assert (source[i]["image"].tobytes(), int(source[i]["label"])) in got


def test_warm_start_imports_no_reader(small, cache):
    data.load(section("tfds:fashion_mnist", small, cache, test_fraction=0.2))
    code = (
        "import sys; from genjax import data; from genjax.core.config import base\n"
        "c = base().data\n"
        f"c.name, c.dir, c.cache_dir = 'tfds:fashion_mnist', {str(small)!r}, {str(cache)!r}\n"
        "c.test_fraction = 0.2\n"
        "print(data.load(c).train.num_examples)\n"
        "heavy = ('tensorflow', 'tensorflow_datasets', 'PIL', 'grain', 'array_record')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[:2] == ["8000", "[]"], done.stderr


def test_size_and_color(small, tmp_path):
    d = data.load(section("tfds:fashion_mnist", small, tmp_path, image_size=16, channels=3))
    assert d.spec.shape == (16, 16, 3)
    assert d.train.arrays["x"].shape == (9000, 16, 16, 3)


def test_folder_comes_from_the_environment(small, cache, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(small))
    assert tfds.find(section("tfds:fashion_mnist", "", cache)).splits == {"train": 10_000}
    assert tfds.find(section("tfds:fashion_mnist:3.0.1", "", cache)).splits == {"train": 10_000}


def test_newest_version_and_only_config_are_found(small, cache, tmp_path):
    versions = small / "fashion_mnist"
    for to in ("plain/9.0.0", "plain/10.0.0", "other/one/1.0.0", "many/a/1.0.0", "many/b/1.0.0"):
        shutil.copytree(versions / "3.0.1", tmp_path / to)

    def found(name):
        return str(tfds.find(section(name, tmp_path, cache)).folder.relative_to(tmp_path))

    assert found("tfds:plain") == "plain/10.0.0"
    assert found("tfds:plain:9.0.0") == "plain/9.0.0"
    assert found("tfds:other") == found("tfds:other/one:1.0.0") == "other/one/1.0.0"
    assert found("tfds:many/b") == "many/b/1.0.0"
    with pytest.raises(ConfigError, match="must be many/ and one of a, b"):
        found("tfds:many")


def test_texts_are_read(shared_data, cache):
    text = section("tfds:tiny_shakespeare", shared_data / "tfds", cache)
    ((where, train),) = tfds.examples(text, tfds.find(text), "train", None)
    assert where == "tfds:tiny_shakespeare train[0]" and set(train) == {"text"}
    assert len(train["text"]) == 1_003_854 and train["text"].startswith(b"First Citizen:\n")


def test_a_text_that_is_not_utf_8_is_told_with_its_place(monkeypatch, tmp_path):
    kinds = {"text": {"pythonClassName": "tfds.Text"}}
    prepared = tfds.Prepared(tmp_path, {"train": 2, "test": 2}, kinds)
    found = [("tfds:x train[0]", {"text": b"good"}), ("tfds:x train[1]", {"text": b"caf\xe9 bad"})]
    monkeypatch.setattr(tfds, "find", lambda data: prepared)
    monkeypatch.setattr(tfds, "examples", lambda *args: iter(found))
    for kind in ("sentence", "text"):
        texts = tfds_texts.texts(fields.section(TextData, name="tfds:x", kind=kind))
        wanted = r"^tfds:x train\[1\]: is not UTF-8 \(byte 0xe9 at column 4\)$"
        with pytest.raises(ConfigError, match=wanted):
            list(texts.read("train"))


def test_names_of_classes_have_no_byte_order_mark_and_texts_need_different_ones(
    monkeypatch, tmp_path
):
    kinds = {
        "text": {"pythonClassName": "tfds.Text"},
        "label": {"pythonClassName": "tfds.ClassLabel", "classLabel": {"numClasses": "2"}},
    }
    prepared = tfds.Prepared(tmp_path, {"train": 2, "test": 2}, kinds)
    names = tmp_path / "label.labels.txt"
    names.write_text("bad\r\ngood\r\n", encoding="utf-8-sig")
    assert tfds.class_names(prepared, "label") == ["bad", "good"]
    names.write_text("same\nsame\n")
    monkeypatch.setattr(tfds, "find", lambda data: prepared)
    with pytest.raises(ConfigError, match="several classes of label are called same; must differ"):
        tfds_texts.texts(fields.section(TextData, name="tfds:x", kind="sentence"))


@pytest.fixture
def faces(tmp_path):
    """A prepared data set with the features of TFDS's `celeb_a`: three splits of few faces."""
    import io

    import tensorflow_datasets as tfds_library
    from array_record.python.array_record_module import ArrayRecordWriter
    from PIL import Image

    of = tfds_library.features
    features = of.FeaturesDict(
        {
            "image": of.Image(shape=(218, 178, 3), encoding_format="jpeg"),
            "landmarks": {"lefteye_x": np.int64, "lefteye_y": np.int64},
            "attributes": {"Young": np.bool_, "Eyeglasses": np.bool_, "Smiling": np.bool_},
            "identity": {"Identity_No": np.int64},
        }
    )
    folder = tmp_path / "tfds" / "celeb_a" / "2.1.0"
    folder.mkdir(parents=True)
    features.save_config(folder)
    lengths = {"train": 7, "validation": 2, "test": 3}
    for split, number in lengths.items():
        name = f"celeb_a-{split}.array_record-00000-of-00001"
        writer = ArrayRecordWriter(str(folder / name), "group_size:1")
        for i in range(number):
            pixels = np.zeros((218, 178, 3), np.uint8)
            pixels[20:198] = (40 * i, 128, 255 - 40 * i)  # the central square has one color
            encoded = io.BytesIO()
            Image.fromarray(pixels).save(encoded, "JPEG", quality=95)
            encoded.seek(0)
            writer.write(
                features.serialize_example(
                    {
                        "image": encoded,
                        "landmarks": {"lefteye_x": i, "lefteye_y": i},
                        "attributes": {"Young": i % 2 == 0, "Eyeglasses": i == 1, "Smiling": i > 2},
                        "identity": {"Identity_No": i},
                    }
                )
            )
        writer.close()
    splits = [
        {
            "name": split,
            "shardLengths": [str(number)],
            "numBytes": "1",
            "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
        }
        for split, number in lengths.items()
    ]
    info = {"name": "celeb_a", "version": "2.1.0", "fileFormat": "array_record", "splits": splits}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return tmp_path / "tfds"


def test_celeb_a_gives_its_central_square_and_its_attributes(faces, tmp_path):
    d = data.load(section("tfds:celeb_a", faces, tmp_path / "cache", image_size=64, channels=3))
    assert d.spec == DataSpec("image", (64, 64, 3), 0)
    assert (d.train.num_examples, d.test.num_examples) == (7, 3)
    assert d.attributes == ("Eyeglasses", "Smiling", "Young")
    batch = d.train.fetch(d.train.arrays, jnp.arange(7))
    assert sorted(batch) == ["attributes", "x"]
    expected = [[i == 1, i > 2, i % 2 == 0] for i in range(7)]
    np.testing.assert_array_equal(batch["attributes"], np.array(expected, np.uint8))
    colors = np.array([[40 * i, 128, 255 - 40 * i] for i in range(7)]) / 255
    # Of the black bands above and below only what smoothing takes into the outer rows is left.
    inner = batch["x"][:, 2:-2]
    np.testing.assert_allclose(inner, np.zeros_like(inner) + colors[:, None, None], atol=0.03)


def rewrite(folder, pictures):
    """The train split of `faces` holds these encoded pictures instead."""
    import io

    import tensorflow_datasets as tfds_library
    from array_record.python.array_record_module import ArrayRecordWriter

    folder = folder / "celeb_a" / "2.1.0"
    features = tfds_library.features.FeaturesDict.from_config(folder)
    name = "celeb_a-train.array_record-00000-of-00001"
    writer = ArrayRecordWriter(str(folder / name), "group_size:1")
    for i, encoded in enumerate(pictures):
        writer.write(
            features.serialize_example(
                {
                    "image": io.BytesIO(encoded),
                    "landmarks": {"lefteye_x": i, "lefteye_y": i},
                    "attributes": {"Young": i % 2 == 0, "Eyeglasses": i == 1, "Smiling": i > 2},
                    "identity": {"Identity_No": i},
                }
            )
        )
    writer.close()


def test_bad_pictures_of_a_set_are_counted_or_skipped(faces, tmp_path):
    from tests.data import odd_pictures as odd

    good = odd.png(odd.picture())
    rewrite(faces, [good, good[: len(good) // 2], good, b"", good, good, good])
    changes = {"image_size": 32, "channels": 3}
    c = section("tfds:celeb_a", faces, tmp_path / "cache", **changes)
    refused(
        c, r"2 of 10 pictures cannot be read: tfds:celeb_a train\[1\] \(.*train\[3\] \(empty file"
    )
    c.on_bad = "skip"
    d = data.load(c)
    assert (d.train.num_examples, d.test.num_examples) == (5, 3)
    assert d.found["skipped"]["count"] == 2
    rows = d.train.arrays["attributes"]
    np.testing.assert_array_equal(rows[:, 2], [i % 2 == 0 for i in (0, 2, 4, 5, 6)])


def test_transparency_of_a_set_shows_the_background(faces, tmp_path):
    from tests.data import odd_pictures as odd

    hidden = odd.encoded(odd.TRANSPARENT["rgba_hidden_magenta.png"], tmp_path)
    rewrite(faces, [hidden] * 7)
    d = data.load(section("tfds:celeb_a", faces, tmp_path / "cache", image_size=32, channels=3))
    assert (d.train.arrays["x"][:, : odd.HIDDEN] == 255).all()


def test_class_names_and_splits_are_told(small, cache):
    d = data.load(section("tfds:fashion_mnist", small, cache, test_fraction=0.2))
    assert d.found["source"] == "version 3.0.1, test split a fixed random 20 % of train"
    assert d.labels == tuple(str(i) for i in range(10))  # copied without its file of names
    named = small / "fashion_mnist" / "3.0.1" / "label.labels.txt"
    named.write_text("\n".join("abcdefghij") + "\n")
    try:
        d = data.load(section("tfds:fashion_mnist", small, cache, test_fraction=0.2))
        assert d.labels == tuple("abcdefghij")
        named.write_text("a\nb\n")
        refused(
            section("tfds:fashion_mnist", small, cache, test_fraction=0.2),
            r"label\.labels\.txt: names 2 classes; features\.json has 10",
        )
    finally:
        named.unlink()


def test_attributes_are_streamed_like_the_images(faces, tmp_path):
    changes = {"image_size": 8, "device_limit_mb": 0}
    d = data.load(section("tfds:celeb_a", faces, tmp_path / "cache", **changes))
    assert d.train.streamed
    element = next(iter(d.train.evaluation(4)))
    assert element["attributes"].shape == (4, 3) and element["x"].shape == (4, 8, 8, 3)


def refused(c, pattern):
    with pytest.raises(ConfigError, match=pattern) as e:
        data.load(c)
    assert "\n" not in str(e.value)


def test_text_is_no_image_set(shared_data, cache):
    c = section("tfds:tiny_shakespeare", shared_data / "tfds", cache)
    refused(c, r"config\.data\.name='tfds:tiny_shakespeare': has no image feature.*text")


def test_unknown_names_are_refused(tmp_path, cache):
    refused(section("tfds:no_such_set", tmp_path, cache), "no_such_set.*not known to TFDS")
    refused(section("tfds:a b", tmp_path, cache), "must be tfds:NAME")
    refused(section("tfds:mnist:9.9.9", tmp_path, cache), r"9\.9\.9")
    assert not list(tmp_path.iterdir())


def test_missing_folders_are_refused(tmp_path, cache):
    absent = tmp_path / "absent"
    refused(section("tfds:mnist", absent, cache), r"config\.data\.dir='.*absent': no such folder")
    for odd in ("~nobody-of-this-name/sets", "long" * 100):
        refused(section("tfds:mnist", odd, cache), r"config\.data\.dir='.*': no such folder")
    c = section("tfds:mnist", tmp_path, cache, manual_dir=str(absent))
    refused(c, r"config\.data\.manual_dir='.*absent': no such folder")


@pytest.mark.skipif(not NO_TENSORFLOW, reason="tensorflow is installed: it would prepare the set")
def test_preparing_without_tensorflow_names_the_extra(tmp_path, cache):
    c = section("tfds:mnist", tmp_path, cache)
    refused(c, r"config\.data\.name='tfds:mnist'.*pip install tensorflow-cpu")


@pytest.mark.parametrize("damage", ["records", "records_gone", "info", "format"])
def test_damaged_sets_are_refused(small, tmp_path, damage):
    shutil.copytree(small, tmp_path / "tfds")
    folder = tmp_path / "tfds" / "fashion_mnist" / "3.0.1"
    (records,) = folder.glob("*array_record*")
    info = folder / "dataset_info.json"
    if damage == "records":
        records.write_bytes(records.read_bytes()[:100_000])
    elif damage == "records_gone":
        records.unlink()
    elif damage == "info":
        info.write_text(info.read_text()[:200])
    else:
        info.write_text(info.read_text().replace('"array_record"', '"tfrecord"'))
    c = section("tfds:fashion_mnist", tmp_path / "tfds", tmp_path / "cache")
    refused(c, r"config\.data\.name='tfds:fashion_mnist'")


@pytest.mark.slow
def test_fashion_mnist_is_whole(shared_data, cache):
    d = data.load(section("tfds:fashion_mnist", shared_data / "tfds", cache))
    assert (d.train.num_examples, d.test.num_examples) == (60_000, 10_000)
    np.testing.assert_array_equal(np.bincount(d.train.arrays["label"]), [6000] * 10)
    # Mean and deviation of the training pixels that the literature quotes.
    x = d.train.arrays["x"] / np.float32(255)
    assert x.mean() == pytest.approx(0.2860, abs=1e-4) and x.std() == pytest.approx(
        0.3530, abs=1e-4
    )


@pytest.mark.slow
@pytest.mark.skipif(NO_TENSORFLOW, reason="needs tensorflow-cpu: pip install tensorflow-cpu")
def test_preparing_through_tfds_own_download_manager(shared_data, tmp_path, cache):
    prepared = section(
        "tfds:tiny_shakespeare", tmp_path, cache, manual_dir=str(shared_data / "manual")
    )
    given = section("tfds:tiny_shakespeare", shared_data / "tfds", cache)
    for split in ("train", "validation", "test"):
        both = [list(tfds.examples(c, tfds.find(c), split, None)) for c in (prepared, given)]
        assert both[0] == both[1]
    assert (tmp_path / "tiny_shakespeare" / "1.0.0" / "dataset_info.json").exists()

    import tensorflow as tf

    assert tf.config.get_visible_devices("GPU") == []
