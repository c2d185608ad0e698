"""Files of a folder: JSON and tensors."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genjax.core import files
from genjax.core.config import ConfigError
from genjax.hf.arrays import Arrays

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
_INDEX = f"{WEIGHTS}.index.json"
_OTHERS = (
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "tf_model.h5",
    "flax_model.msgpack",
)


def read_tensors(folder: Path) -> tuple[str, Arrays]:
    """Reads all tensors in a folder's file or shards; returns its name for errors, too.

    Numbers of any precision become float32; whole numbers stay what they are.
    """
    file, index = folder / WEIGHTS, folder / _INDEX
    if file.is_file():
        return str(file), _tensors(file)
    if not index.is_file():
        raise ConfigError(f"{folder}: has neither {WEIGHTS} nor {_INDEX}{_instead(folder)}")
    shards = files.read_object(index).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(s, str) for s in shards.values()):
        raise ConfigError(f"{index}: must have a weight_map of tensors' names to files")
    tensors: Arrays = {}
    for shard in sorted(set(shards.values())):
        try:
            file = files.inside(folder, shard)
        except ValueError as error:
            raise ConfigError(f"{index}: weight_map: {error}") from error
        found = _tensors(file)
        for name in (name for name in shards if shards[name] == shard):
            if name not in found:
                raise ConfigError(f"{folder / shard}: has no {name}, which {_INDEX} says is there")
        tensors |= found
    return str(index), tensors


def _instead(folder: Path) -> str:
    """Says what to do with weights of another format, if there are any."""
    found = next((name for name in _OTHERS if (folder / name).is_file()), None)
    if found is None:
        return ""
    why = " (a pickle runs what it holds)" if found.startswith("pytorch") else ""
    return (
        f"; {found} is not read{why}: where you trust it, convert it by "
        "transformers: AutoModelForPreTraining.from_pretrained(FOLDER).save_pretrained(NEW)"
    )


def _tensors(file: Path) -> Arrays:
    import ml_dtypes  # noqa: F401 - gives NumPy bfloat16
    from safetensors import safe_open

    try:
        files.opened(file).close()  # a regular file, of which the library compares the sizes
        with safe_open(file, framework="np") as found:
            names = found.keys()
            tensors = {name: _single(found.get_tensor(name)) for name in names}
    except Exception as error:  # it has several types of its own
        raise ConfigError(f"{file}: cannot be read ({files.reason(error)})") from error
    for name, x in tensors.items():
        if not np.isfinite(x).all():
            what = "holds NaN or infinite numbers; these weights are damaged"
            raise ConfigError(f"{file}: {files.shown(name)} {what}")
    return tensors


def _single(x: np.ndarray) -> np.ndarray:
    whole = np.issubdtype(x.dtype, np.integer) or x.dtype == bool
    return x if whole else x.astype(np.float32)


def write(folder: Path, tensors: Arrays, records: Mapping[str, Any]) -> None:
    """Makes `folder`, all of it or nothing.

    Args:
      folder: not there, or empty.
      tensors: of `model.safetensors`.
      records: the JSON of further files, by name.

    Raises:
      ConfigError: it holds something, or cannot be written.
    """
    from safetensors.numpy import save_file

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"--out={folder}: is there already; choose another folder")
    with files.writing(f"--out={folder}"), files.building(folder) as building:
        for name, record in records.items():
            text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
            (building / name).write_text(text, encoding="utf-8")
        # A view would be written in the order of what it is a view of.
        whole = {name: np.ascontiguousarray(x) for name, x in tensors.items()}
        save_file(whole, building / WEIGHTS, metadata={"format": "pt"})
