"""Hostile arrays, weights, tokenizers and Hugging Face folders."""

import io
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from genjax import hf
from genjax.core.arrays import read_npz
from genjax.data import cache
from genjax.evaluation.image import weights
from tests.hf import folders
from tests.hostile.judge import MARKER, refused


class Evil:
    """A pickle that makes the marker where it is opened."""

    def __init__(self, folder):
        self.command = f"touch {folder / MARKER}"

    def __reduce__(self):
        return os.system, (self.command,)


def npy(shape, dtype="<f4", content=b"", head=None):
    head = head or f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    head = head.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + content


def npz(content, how=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as parts:
        parts.writestr("x.npy", content)
    return file.getvalue()


def objects(folder):
    file = io.BytesIO()
    np.save(file, np.array([Evil(folder)], object), allow_pickle=True)
    return file.getvalue()


ARRAYS = {
    "objects": objects,
    "4 TB": lambda _: npy((10**6, 10**6)),
    "10^27 numbers": lambda _: npy((10**9, 10**9, 10**9)),
    "less than nothing": lambda _: npy((-4,), content=bytes(16)),
    "code in its header": lambda at: npy((), head=f"__import__('os').mkdir('{at / MARKER}')"),
    "nesting in its header": lambda _: npy((), head="(" * 5000),
    "cut short": lambda _: npy((4,), content=bytes(15)),
    "no array": lambda _: b"x" * 100,
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("case", ARRAYS)
def test_npz(case, tmp_path):
    (tmp_path / "a.npz").write_bytes(npz(ARRAYS[case](tmp_path)))
    assert "no file of arrays" in refused(tmp_path, lambda: read_npz(tmp_path / "a.npz", "x"))


def test_npz_that_unpacks_to_a_gigabyte(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz(npy((2**24,), content=bytes(2**26)), zipfile.ZIP_DEFLATED))
    assert "packed" in refused(tmp_path, lambda: read_npz(tmp_path / "a.npz", "x"))


@pytest.mark.parametrize("case", ARRAYS)
def test_decoded_data_that_were_tampered_with_are_made_again(case, tmp_path):
    def build(folder):
        np.save(folder / "x.npy", np.arange(4))
        return {}

    identity = {"name": "n", "split": "train"}
    found = cache.entry(tmp_path, identity, build)
    content = ARRAYS[case](tmp_path)
    (found.folder / "x.npy").write_bytes(content)
    meta = json.loads((found.folder / "meta.json").read_text())
    (found.folder / "meta.json").write_text(json.dumps(meta | {"files": {"x.npy": len(content)}}))
    again = cache.entry(tmp_path, identity, build).load(mmap=True)["x"]
    assert again.tolist() == [0, 1, 2, 3]
    assert not (tmp_path / MARKER).exists()


META = {
    "deep": "[" * 10**6,
    "twice": '{"info": {}, "info": {}}',
    "a list": "[]",
    "info that is none": '{"identity": {}, "files": {}, "info": 3}',
}


@pytest.mark.parametrize("case", META)
def test_decoded_data_whose_record_is_rubbish_are_made_again(case, tmp_path):
    def build(folder):
        np.save(folder / "x.npy", np.arange(4))
        return {}

    found = cache.entry(tmp_path, {"name": "n", "split": "train"}, build)
    (found.folder / "meta.json").write_text(META[case])
    again = cache.entry(tmp_path, {"name": "n", "split": "train"}, build)
    assert again.load(mmap=False)["x"].tolist() == [0, 1, 2, 3]


def tensors(**changes):
    head = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes})
    return struct.pack("<Q", len(head)) + head.encode() + bytes(8)


SAFETENSORS = {
    "a header of 2^62 bytes": struct.pack("<Q", 2**62) + b"{}",
    "a header of 90 MB that is not there": struct.pack("<Q", 90 * 10**6) + b"{}",
    "a header of brackets": struct.pack("<Q", 2**20) + b"[" * 2**20,
    "offsets beyond the file": tensors(data_offsets=[0, 2**40], shape=[2**38]),
    "offsets in front of it": tensors(data_offsets=[-8, 0]),
    "a shape of 2^66": tensors(shape=[2**33, 2**33]),
    "a kind that is none": tensors(dtype="pickle"),
    "nothing": b"",
    "NaN": save({"a": np.array([1, np.nan], np.float32)}),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_safetensors(case, tmp_path):
    folder = tmp_path / "hf"
    folders.make(folder, "gpt2")
    (folder / "model.safetensors").write_bytes(SAFETENSORS[case])
    assert "model.safetensors" in refused(folder, lambda: hf.read(folder))
    (tmp_path / "w.safetensors").write_bytes(SAFETENSORS[case])
    message = refused(tmp_path, lambda: weights.read(tmp_path / "w.safetensors"))
    assert "w.safetensors" in message


def pth(how=zipfile.ZIP_STORED, size=10):
    def write(folder):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", how) as parts:
            parts.writestr("archive/data.pkl", pickle.dumps({"fc.weight": Evil(folder)}))
            parts.writestr("archive/data/0", bytes(size))
        return file.getvalue()

    return write


PTH = {
    "a pickle": lambda at: pickle.dumps({"fc.weight": Evil(at)}),
    "a pickle as torch packs it": pth(),
    "packed": pth(zipfile.ZIP_DEFLATED, 2**26),
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("case", PTH)
def test_pth(case, tmp_path):
    (tmp_path / "w.pth").write_bytes(PTH[case](tmp_path))
    message = refused(tmp_path, lambda: weights.read(tmp_path / "w.pth"))
    assert "w.pth" in message and ("packed" in message) == (case == "packed")


def shards(name):
    """A folder with an index that names `name`."""

    def change(folder):
        found = folder / "model.safetensors"
        found.rename(folder / "part.safetensors")
        index = json.dumps({"weight_map": {"a": name}})
        (folder / "model.safetensors.index.json").write_text(index)

    return change


def link(folder):
    shards("linked.safetensors")(folder)
    save_file({"a": np.zeros(2, np.float32)}, folder.parent / "secret.safetensors")
    (folder / "linked.safetensors").symlink_to(folder.parent / "secret.safetensors")


def loop(folder):
    shards("loop.safetensors")(folder)
    (folder / "loop.safetensors").symlink_to("loop.safetensors")


def config(**changes):
    def change(folder):
        found = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(found | changes))

    return change


def text(file, content):
    return lambda folder: (folder / file).write_bytes(content)


def large(folder):
    with (folder / "config.json").open("wb") as file:
        file.truncate(2**33)


def pipe(folder):
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")


def tokenizer(*keys, value):
    def change(folder):
        found = part = json.loads((folder / "tokenizer.json").read_text())
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value
        (folder / "tokenizer.json").write_text(json.dumps(found))

    return change


FOLDERS = {
    "config: deep": (text("config.json", b'{"a":' * 10**6), "nested too deeply"),
    "config: twice": (text("config.json", b'{"n_layer": 1, "n_layer": 2}'), "'n_layer' twice"),
    "config: NaN": (text("config.json", b'{"layer_norm_epsilon": NaN}'), "holds NaN"),
    "config: 1e999": (text("config.json", b'{"layer_norm_epsilon": 1e999}'), "too large"),
    "config: 10^6 digits": (text("config.json", b'{"n": ' + b"9" * 10**6 + b"}"), "cannot be read"),
    "config: not UTF-8": (text("config.json", b'{"n": "\xff"}'), "cannot be read"),
    "config: a list": (text("config.json", b"[]"), "must hold a JSON object"),
    "config: empty": (text("config.json", b""), "cannot be read"),
    "config: 8 GB": (large, "has more than"),
    "config: a pipe": (pipe, "is no regular file"),
    "config: 10^9 layers": (config(n_layer=10**7), "10,000,000 layers"),
    "config: 2^40 wide": (config(n_embd=2**40, n_head=1), "n_embd"),
    "config: text for a number": (config(n_embd="8"), "n_embd='8'"),
    "config: a kind without end": (config(model_type="x" * 10**6), "model_type"),
    "index: leads out": (shards("../secret.safetensors"), "leads out of the folder"),
    "index: absolute": (shards("/etc/passwd"), "leads out of the folder"),
    "index: a link out": (link, "a link that leads out"),
    "index: a link to itself": (loop, "loop.safetensors"),
    "index: NUL": (shards("a\0b"), "is no name of a file"),
    "index: no name": (shards(3), "weight_map"),
    "tokenizer: deep": (text("tokenizer.json", b"[" * 10**6), "nested too deeply"),
    "tokenizer: no object": (text("tokenizer.json", b"3"), "must hold a JSON object"),
    "tokenizer: ids of 10^12": (
        tokenizer("model", "vocab", value={"a": 10**12, "b": -1}), "must number its",
    ),
    "tokenizer: a kind that is none": (tokenizer("model", "type", value="os"), "tokenizer.json"),
    "tokenizer: merges of none": (
        tokenizer("model", "merges", value=["zzz yyy", "q"]), "tokenizer.json",
    ),
    "tokenizer: no vocabulary": (tokenizer("model", "vocab", value=3), "tokenizer.json"),
    "tokenizer: a map that is none": (
        tokenizer("normalizer", value={"type": "Precompiled", "precompiled_charsmap": "/////w=="}),
        "tokenizer.json",
    ),
    "tokenizer: a pattern that is none": (
        tokenizer(
            "pre_tokenizer",
            value={
                "type": "Split", "pattern": {"Regex": "((("}, "behavior": "Removed",
                "invert": False,
            },
        ),
        "tokenizer.json",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FOLDERS)
def test_folders_of_hugging_face(case, tmp_path):
    change, message = FOLDERS[case]
    folder = tmp_path / "hf"
    folders.make(folder, "gpt2")
    change(folder)
    assert message in refused(folder, lambda: hf.read(folder))


def test_the_links_of_hugging_faces_cache_are_followed(tmp_path):
    made, cached = tmp_path / "made", tmp_path / "models--x"
    folders.make(made, "gpt2")
    shard = made / "model.safetensors"
    (cached / "blobs").mkdir(parents=True)
    (cached / "snapshots" / "1").mkdir(parents=True)
    for path in [*made.iterdir()]:
        path.rename(cached / "blobs" / path.stem)
        name = "part.safetensors" if path == shard else path.name
        (cached / "snapshots" / "1" / name).symlink_to(f"../../blobs/{path.stem}")
    from safetensors import safe_open

    with safe_open(cached / "blobs" / "model", "np") as found:
        index = dict.fromkeys(found.keys(), "part.safetensors")
    folder = cached / "snapshots" / "1"
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    assert hf.read(folder).config.family == "gpt"
