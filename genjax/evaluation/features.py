"""What the layers of a trained model make of a data set, example by example, for other programs.

Features are computed in batches over all devices, and kept in parts beside the file that they are
for: the same command again goes on behind the last part; the file is written once all are there.
"""

import contextlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from genjax.core import tokens
from genjax.core.arrays import read_npz
from genjax.core.config import ConfigError
from genjax.core.files import replacing, write_json
from genjax.core.paths import listed
from genjax.data.source import rows
from genjax.data.text import loading
from genjax.data.text.sentences import padded
from genjax.engine import placement
from genjax.ops.platform import forward_only

Arrays = dict[str, np.ndarray]
SUFFIXES = (".npz", ".safetensors", ".parquet")
POOLS = ("mean", "none", "words")
_PART = 4096  # examples
_IDENTITY = "identity.json"


class Asked(NamedTuple):
    """What is computed.

    Attributes:
      layers: names; empty: all that the family has.
      pool: of texts: "mean" over the tokens of each, "none": all places, "words": a row a word.
      batch_size: examples of a program.
    """

    layers: tuple[str, ...] = ()
    pool: str = "none"
    batch_size: int = 256


def usual_pool(kind: str) -> str:
    """Returns what is asked of data of this kind where nothing is said."""
    return {"image": "none", "point": "none", "tagged": "words"}.get(kind, "mean")


def check(model: Any, asked: Asked) -> None:
    """Raises `ConfigError` unless the model has these layers of its data's kind of examples."""
    kind = model.run.dataset.spec.kind
    if asked.pool != "none" and kind in ("image", "point"):
        raise ConfigError(f"--pool={asked.pool}: is of texts; must be none")
    if asked.pool == "words" and kind != "tagged":
        raise ConfigError(f"--pool=words: is of words with tags; must be mean or none, of {kind}")
    if model.config.model.get("pack", 1) > 1:
        raise ConfigError("--workdir: its critic judges several examples as one (model.pack)")
    known = jax.eval_shape(_function(model, ()), model.state, _example(model))
    if unknown := [name for name in asked.layers if name not in known]:
        raise ConfigError(f"--layers={unknown[0]}: no such layer; there are {listed(known, 40)}")


def write(
    model: Any,
    batches: Callable[[int], Iterator[Mapping[str, np.ndarray]]],
    asked: Asked,
    out: Path,
    identity: Mapping[str, Any],
    labels: tuple[str, ...] = (),
) -> dict[str, tuple[int, ...]]:
    """Writes the features of all examples, with their labels, into `out`.

    Args:
      model: of `genjax.load`, a single one that has features.
      batches: of a batch size: host batches of the examples in order, `x` in the range of the data,
        and what there is of `label` and `chars`.
      asked: see `Asked`.
      out: `.npz` and `.safetensors` hold an array a layer, (N, …), and `label`; `.parquet` a column
        each, whose rows are flat. Names of the classes are in `label_names` of npz, and in the
        metadata of the others.
      identity: all that the features depend on, as JSON; parts of another one are computed anew.
      labels: names of the classes.

    Returns:
      The shape of each array.
    """
    parts = out.with_name(f"{out.name}.parts")
    identity = json.loads(json.dumps(dict(identity) | asked._asdict()))
    if _identity(parts) != identity:
        shutil.rmtree(parts, ignore_errors=True)
        parts.mkdir(parents=True)
        write_json(parts / _IDENTITY, identity)
    compute = Program(model, asked)
    per_part = max(1, _PART // compute.size)
    found = batches(compute.size)
    for i in itertools.count():
        group = list(itertools.islice(found, per_part))
        if not group:
            break
        path = parts / f"{i:06d}.npz"
        if not path.exists():
            arrays = _joined([compute(batch) for batch in group])
            with replacing(path) as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
    if not i:
        raise ConfigError(f"--out={out}: there are no examples")
    arrays = _joined([_kept(parts, k) for k in range(i)])
    _WRITERS[out.suffix](out, arrays, labels)
    shutil.rmtree(parts)
    return {name: x.shape for name, x in arrays.items()}


class Program:
    """Computes the features of host batches on all devices, each with its rows of a batch.

    Args:
      model: its `family`, `state` and `config` count.
      asked: see `Asked`.

    Attributes:
      size: examples that it takes at a time; fewer are filled up.
    """

    def __init__(self, model: Any, asked: Asked):
        mesh = placement.make_mesh(jax.local_devices())
        self.size = -(-asked.batch_size // mesh.size) * mesh.size
        self._rows = placement.batch_sharding(mesh, 0)
        whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
        self._state = placement.put(model.state, whole)
        self._compute = jax.jit(_function(model, asked.layers, asked.pool))
        self._words = asked.pool == "words"

    def __call__(self, batch: Mapping[str, np.ndarray]) -> Arrays:
        """Computes arrays by name of at most `size` examples; labels are handed through."""
        number = len(batch["x"])
        filled = {
            name: np.concatenate([a, a[:1].repeat(self.size - number, 0)])
            for name, a in batch.items()
            if name in ("x", "label", "chars")
        }
        found = jax.device_get(self._compute(self._state, placement.put(filled, self._rows)))
        arrays = {name: np.asarray(x[:number], np.float32) for name, x in found.items()}
        if "label" in batch:
            arrays["label"] = np.asarray(batch["label"], np.int32)
        if not self._words:
            return arrays
        real = np.asarray(batch["x"]) != tokens.PAD
        return {name: x[real] for name, x in arrays.items()} | {"example": np.nonzero(real)[0]}


def _function(model: Any, layers: tuple[str, ...], pool: str = "none") -> Any:
    """Makes the pure function of a state and a batch."""
    conditional = bool(model.config.model.get("conditional", False))

    def features(state: Any, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        more = [batch["label"]] if conditional else [batch["chars"]] if "chars" in batch else []
        with forward_only():
            found = model.family.features(state, batch["x"], *more)
        found = {name: x for name, x in found.items() if not layers or name in layers}
        if pool != "mean":
            return found
        real = tokens.is_token(batch["x"])
        return {name: _mean(x, real) if x.ndim == 3 else x for name, x in found.items()}

    return features


def _mean(h_BxTxD: jax.Array, real_BxT: jax.Array) -> jax.Array:
    """Averages over tokens; a model that predicts sees all but the last place of running text."""
    mask_BxTx1 = real_BxT[:, : h_BxTxD.shape[1], None].astype(h_BxTxD.dtype)
    return (h_BxTxD * mask_BxTx1).sum(1) / mask_BxTx1.sum(1).clip(1)


def _example(model: Any) -> dict[str, Any]:
    spec = model.run.dataset.spec
    kind = np.float32 if spec.kind in ("image", "point") else np.int32
    shapes = {"x": (spec.shape, kind)}
    if model.config.model.get("conditional", False):
        shapes["label"] = ((), np.int32)
    if spec.char_shape:
        shapes["chars"] = (spec.char_shape, np.int32)
    return {name: jax.ShapeDtypeStruct((1, *shape), kind) for name, (shape, kind) in shapes.items()}


def _joined(parts: list[Arrays]) -> Arrays:
    """Joins parts; examples of words are numbered on from part to part."""
    first = 0
    for part in parts:
        if "example" in part:
            part["example"] = part["example"] + first
            first = int(part["example"].max(initial=first - 1)) + 1
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _identity(parts: Path) -> Any:
    with contextlib.suppress(OSError, ValueError):
        return json.loads((parts / _IDENTITY).read_text())
    return None


def _kept(parts: Path, number: int) -> Arrays:
    path = parts / f"{number:06d}.npz"
    return read_npz(path, str(path))


def _write_npz(out: Path, arrays: Arrays, labels: tuple[str, ...]) -> None:
    names = {"label_names": np.array(labels)} if labels else {}
    with replacing(out) as file:
        np.savez(file, **(arrays | names))  # type: ignore[arg-type]


def _write_safetensors(out: Path, arrays: Arrays, labels: tuple[str, ...]) -> None:
    from safetensors.numpy import save

    with replacing(out) as file:
        file.write(save(arrays, {"label_names": json.dumps(labels)}))


def _write_parquet(out: Path, arrays: Arrays, labels: tuple[str, ...]) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError(f"--out={out}: needs pyarrow; pip install pyarrow") from error

    def column(x: np.ndarray) -> Any:
        flat = pa.array(x.reshape(-1))
        width = int(np.prod(x.shape[1:]))
        return flat if x.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, width)

    table = pa.table({name: column(x) for name, x in arrays.items()})
    table = table.replace_schema_metadata({"label_names": json.dumps(labels)})
    with replacing(out) as file:
        parquet.write_table(table, file)


_WRITERS: dict[str, Callable[[Path, Arrays, tuple[str, ...]], None]] = {
    ".npz": _write_npz,
    ".safetensors": _write_safetensors,
    ".parquet": _write_parquet,
}


Batches = Callable[[int], Iterator[Mapping[str, np.ndarray]]]


def numbered(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    """Numbers the labels of other data as those that the model knows, if they are among these.

    Returns:
      The names in the order of their numbers, and the number of each of `names`.
    """
    if not names or not set(names) <= set(known):
        return names, np.arange(len(names))
    return known, np.array([known.index(name) for name in names], np.int32)


def of_split(source: Any, number: np.ndarray) -> Batches:
    """Makes the batches of a split of a data set, whose labels get other numbers, if there are."""

    def batches(size: int) -> Iterator[Mapping[str, np.ndarray]]:
        for batch in rows(source, size):
            more = {"label": number[batch["label"]]} if "label" in batch and len(number) else {}
            yield {**batch, **more}

    return batches


def of_texts(model: Any, data: Any, split: str) -> tuple[Batches, tuple[str, ...], Any]:
    """Makes batches of texts that may have labels, whatever kind of texts the model was trained on.

    A text is cut where the model sees no further. Labels are numbered as the model's own, or in the
    order of their names in the training split.

    Args:
      model: see `write`.
      data: the section of a config; `kind` is sentence.
      split: train or test.

    Returns:
      The batches, the names of the labels, and what changes with the texts.

    Raises:
      ConfigError: a text has a label that none of the training split has.
    """
    dataset = model.run.dataset
    found_names = tuple(sorted({label for _, label, _ in loading.read(data, "train")} - {""}))
    names, numbers = numbered(found_names, dataset.labels)
    number = dict(zip(found_names, numbers.tolist(), strict=True))
    codec, length = dataset.codec, dataset.spec.shape[0]

    def batches(size: int) -> Iterator[Mapping[str, np.ndarray]]:
        found = loading.read(data, split)
        while block := list(itertools.islice(found, size)):
            texts, given, places = zip(*block, strict=True)
            ids = codec.encode_all(texts)
            if dataset.spec.kind == "text":  # no EOS, as within a running text
                x = np.full((len(texts), length), tokens.PAD, np.int32)
                for row, found_ids in zip(x, ids, strict=True):
                    row[: len(found_ids)] = found_ids[:length]
            else:
                x = padded(ids, length, codec).astype(np.int32)
            batch = {"x": x}
            if number:
                for label, place in zip(given, places, strict=True):
                    if label not in number:
                        what = f"{label!r} is no label of the training split"
                        raise ConfigError(f"{place}: {what}, which has {listed(number, 4)}")
                batch["label"] = np.array([number[label] for label in given], np.int32)
            yield batch

    return batches, names, loading.identity(data)
