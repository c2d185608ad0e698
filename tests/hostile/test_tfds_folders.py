"""A TFDS folder names classes and files: neither may be others than TFDS's and its own."""

import json
import shutil
import sys

import pytest

from genjax import data
from genjax.core.config import ConfigError, base
from tests.hostile.judge import MARKER, refused

OURS = "tensorflow_datasets.core.features."
INT = {"pythonClassName": f"{OURS}scalar.Scalar", "tensor": {"shape": {}, "dtype": "int64"}}
LABEL = {"pythonClassName": f"{OURS}class_label_feature.ClassLabel"}
SPLIT = {
    "name": "train",
    "shardLengths": ["10"],
    "numBytes": "1",
    "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
}
IMAGE = {
    "pythonClassName": f"{OURS}image_feature.Image",
    "image": {"shape": {"dimensions": ["8", "8", "1"]}, "dtype": "uint8"},
}


def features(**more):
    inner = {"image": IMAGE} | more
    return {
        "pythonClassName": f"{OURS}features_dict.FeaturesDict",
        "featuresDict": {"features": inner},
    }


def info(*splits, **more):
    return {
        "name": "mine",
        "version": "1.0.0",
        "fileFormat": "array_record",
        "splits": list(splits) or [SPLIT],
    } | more


def packed(value):
    return {
        "pythonClassName": f"{OURS}features_dict.FeaturesDict",
        "jsonFeature": {"json": json.dumps({"x": value})},
    }


EVIL = {"type": "evil.Feature", "content": {}}
CLASSES = {
    "a module beside it": (features(x=INT | {"pythonClassName": "evil.Feature"}), info()),
    "of the standard library": (features(x=INT | {"pythonClassName": "os.system"}), info()),
    "the other spelling": (features(x={"python_class_name": "evil.Feature"}), info()),
    "as TFDS 4.3 wrote it": (EVIL, info()),
    "in JSON within JSON": (features(x=packed(EVIL)), info()),
    "twice in JSON within JSON": (packed(packed(EVIL)), info()),
    "in dataset_info.json": (features(), info(features=features(x=EVIL))),
    "in a sequence": (features(x=INT | {"sequence": {"feature": EVIL}}), info()),
    "TFDS's, but no feature": (features(x=INT | {"pythonClassName": OURS[:-9] + "load.x"}), info()),
    "with a name like TFDS's": (features(x=INT | {"pythonClassName": f"x{OURS}a.B"}), info()),
}
REST = {
    "a template that leads out": (features(), info(SPLIT | {"filepathTemplate": "../{SPLIT}"})),
    "a template of 10 GB": (features(), info(SPLIT | {"filepathTemplate": "{SPLIT:>9999999999}"})),
    "a split that leads out": (features(), info(SPLIT | {"name": "../../train"})),
    "a name that leads out": (features(), info(name="../mine")),
    "10^15 examples": (features(), info(SPLIT | {"shardLengths": ["1000000000000000"]})),
    "less than no examples": (features(), info(SPLIT | {"shardLengths": ["-3"]})),
    "lengths that are none": (features(), info(SPLIT | {"shardLengths": {"a": 1}})),
    "splits that are none": (features(), info() | {"splits": {"train": 3}}),
    "10^12 classes": (
        features(label=LABEL | {"classLabel": {"numClasses": "1000000000000"}}), info(),
    ),
    "a label that leads out": (
        features(**{"../../label": LABEL | {"classLabel": {"numClasses": "3"}}}), info(),
    ),
    "features that are a list": ({"featuresDict": {"features": [1, 2]}}, info()),
    "an image that is none": (features(image=IMAGE | {"image": 3}), info()),
    "no object": ([], info()),
}  # fmt: skip


def write(folder, described, stated):
    folder.mkdir(parents=True)
    (folder / "features.json").write_text(json.dumps(described))
    (folder / "dataset_info.json").write_text(json.dumps(stated))
    (folder / "mine-train.array_record-00000-of-00001").write_bytes(bytes(100))


def load(root, cache):
    c = base()
    c.data.name, c.data.dir, c.data.cache_dir = "tfds:mine", str(root), str(cache)
    data.load(c.data)


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module that can be imported and tells that it was."""
    marker = tmp_path / "tfds" / MARKER
    marker.parent.mkdir()
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "tfds"
    assert "evil" not in sys.modules


@pytest.mark.parametrize("case", CLASSES | REST)
def test_it_is_refused_before_tfds_is_asked(case, evil, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # an import would fail
    described, stated = (CLASSES | REST)[case]
    write(evil / "mine" / "1.0.0", described, stated)
    message = refused(evil, lambda: load(evil, tmp_path / "cache"))
    assert (
        message.startswith("config.data.name='tfds:mine': ") and "no prepared data set" in message
    )
    assert case in REST or "classes must be those of" in message


def test_deep_nesting_is_refused(evil, tmp_path):
    write(evil / "mine" / "1.0.0", features(), info())
    (evil / "mine" / "1.0.0" / "features.json").write_text("[" * 10**6)
    assert "nested too deeply" in refused(evil, lambda: load(evil, tmp_path / "cache"))


def test_a_shard_that_is_a_link_out_of_the_folder_is_refused(evil, tmp_path):
    write(evil / "mine" / "1.0.0", features(), info())
    (tmp_path / "secret").write_bytes(bytes(1000))
    shard = evil / "mine" / "1.0.0" / "mine-train.array_record-00000-of-00001"
    shard.unlink()
    shard.symlink_to(tmp_path / "secret")
    assert "link that leads out" in refused(evil, lambda: load(evil, tmp_path / "cache"))


def test_shards_that_are_rubbish_are_told_in_one_line(evil, tmp_path):
    write(evil / "mine" / "1.0.0", features(), info())
    assert "cannot be read" in refused(evil, lambda: load(evil, tmp_path / "cache"))


def test_a_folder_that_only_tfds_would_find_is_not_read_by_it(evil, tmp_path):
    """Its version is none that we look for, so TFDS is asked to prepare a set of this name."""
    write(evil / "mine" / "1.0.0", EVIL, info())
    shutil.move(evil / "mine" / "1.0.0", evil / "mine" / "1.0.0-evil")
    with pytest.raises(ConfigError, match="not known to TFDS"):
        load(evil, tmp_path / "cache")
    assert not (evil / MARKER).exists()
