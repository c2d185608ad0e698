"""What a prepared TFDS folder says of itself, checked before TFDS reads it.

TFDS imports the modules of the classes that `features.json` and `dataset_info.json` name, and makes
names of files from templates in the latter. A folder may come from anywhere, so classes must be
TFDS's own, and names must stay in the folder.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

from genjax.core import files

INFO, FEATURES = "dataset_info.json", "features.json"
_CLASS = re.compile(r"tensorflow_datasets\.core\.features(\.[A-Za-z]\w*)+", re.ASCII)
# As protocol buffers spell the field in JSON, and as TFDS 4.3 and earlier called it.
_NAMES_A_CLASS = ("pythonClassName", "python_class_name", "type")
_HOLDS_JSON = ("json", "content")  # strings whose content TFDS reads in the same way
_TEMPLATE = re.compile(
    r"(\{(DATASET|SPLIT|FILEFORMAT|SHARD_INDEX|NUM_SHARDS|SHARD_X_OF_Y)\}|[\w.-])+"
)
_WORD = re.compile(r"\w[\w.+-]*", re.ASCII)
_MOST_CLASSES = 2**20
_MOST_SHARDS = 2**17
# An example of any use takes more, however well a file is packed. The arrays of what is announced
# are made before it is read.
_EXAMPLES_A_BYTE = 16


class Described(NamedTuple):
    """Number of examples by split, `features` as TFDS describes them, and the `format` of files."""

    splits: dict[str, int]
    features: dict[str, Any]
    format: str


def read(folder: Path) -> Described:
    """Reads the two JSON files of a prepared data set, and checks each word of them.

    Raises:
      OSError: one of them cannot be read.
      ValueError: it is no prepared data set, or one that must not be handed to TFDS.
    """
    info, features = (_object(folder / name) for name in (INFO, FEATURES))
    _check_classes(features, FEATURES)
    _check_classes(info.get("features", {}), INFO)
    _check_word(info.get("name"), "name")
    found = _dict(_dict(features.get("featuresDict", {}), "featuresDict").get("features", {}), "")
    for name, feature in found.items():
        _check_feature(folder, name, _dict(feature, name))
    files_format = str(info.get("fileFormat", "unknown"))[:40]
    stated = info.get("splits")
    if not isinstance(stated, list) or not all(isinstance(s, dict) for s in stated):
        raise ValueError(f"{INFO}: splits: must be a list of objects")
    splits = {_check_split(s): _number_of_examples(s) for s in stated}
    if files_format == "array_record":  # another one is refused, whatever it holds
        for name, number in splits.items():
            _check_size(folder, name, number)
    return Described(splits, found, files_format)


def _object(path: Path) -> dict[str, Any]:
    try:
        found = files.read_json(path, finite=False)
    except ValueError as error:
        raise ValueError(f"{path.name}: {files.reason(error)}") from error
    return _dict(found, path.name)


def _dict(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name or 'features'}: must be an object")
    return value


def _check_classes(value: Any, file: str) -> None:
    """Raises `ValueError` if there is the name of a class anywhere that is not TFDS's own."""
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo += value
        elif isinstance(value, dict):
            for key, inner in value.items():
                if not isinstance(inner, str):
                    todo.append(inner)
                elif key in _NAMES_A_CLASS and not _CLASS.fullmatch(inner):
                    message = "classes must be those of tensorflow_datasets.core.features"
                    raise ValueError(f"{file}: {key} {files.shown(inner)}: {message}")
                elif key in _HOLDS_JSON:
                    todo.append(files.parse_json(inner or "null", finite=False))


def _check_feature(folder: Path, name: str, feature: dict[str, Any]) -> None:
    """Checks what is read of a feature here, and the file that TFDS and `class_names` look for."""
    files.inside(folder, f"{name}.labels.txt")
    kind = feature.get("pythonClassName")
    if not isinstance(kind, str):
        raise ValueError(f"{FEATURES}: {files.shown(name)} has no pythonClassName")
    if kind.endswith(".ClassLabel"):
        number = _dict(feature.get("classLabel"), f"{name}.classLabel").get("numClasses")
        if _whole(number, "numClasses") > _MOST_CLASSES:
            message = f"must be at most {_MOST_CLASSES:,}"
            raise ValueError(f"{FEATURES}: numClasses {files.shown(number)}: {message}")
    if kind.endswith(".Image"):
        _dict(feature.get("image"), f"{name}.image")
    inner = _dict(feature.get("featuresDict", {}), f"{name}.featuresDict").get("features", {})
    for of, part in _dict(inner, f"{name}.features").items():
        _dict(_dict(part, of).get("tensor", {}), f"{of}.tensor")


def _check_split(split: dict[str, Any]) -> str:
    """Returns the name of a split, whose files have names in the folder."""
    name = _check_word(split.get("name"), "the name of a split")
    template = split.get("filepathTemplate", split.get("filepath_template", ""))
    if not isinstance(template, str) or (template and not _TEMPLATE.fullmatch(template)):
        message = "must be a file name of {DATASET}, {SPLIT}, {FILEFORMAT} and {SHARD_X_OF_Y}"
        raise ValueError(f"{INFO}: filepathTemplate {files.shown(template)}: {message}")
    return name


def _check_word(name: Any, what: str) -> str:
    if not isinstance(name, str) or not _WORD.fullmatch(name) or len(name) > 200:
        raise ValueError(f"{INFO}: {what} {files.shown(name)}: must be letters and digits")
    return name


def _number_of_examples(split: dict[str, Any]) -> int:
    lengths = split.get("shardLengths", split.get("shard_lengths"))
    if not isinstance(lengths, list) or len(lengths) > _MOST_SHARDS:
        raise ValueError(f"{INFO}: shardLengths: must be a list of numbers")
    return sum(_whole(n, "shardLengths") for n in lengths)


def _whole(value: Any, name: str) -> int:
    text = str(value)
    if not isinstance(value, int | str) or not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"{name} {files.shown(value)}: must be a whole number")
    return int(text)


def _check_size(folder: Path, split: str, number: int) -> None:
    """Raises `ValueError` if the files of a split lie elsewhere or cannot hold so much."""
    shards = [p.name for p in folder.iterdir() if f"-{split}.array_record" in p.name]
    size = sum(files.inside(folder, name).stat().st_size for name in shards)
    if number > _EXAMPLES_A_BYTE * size:
        raise ValueError(
            f"{number:,} examples of {split} are announced, its files have {size:,} bytes"
        )
