"""Folders as models: what is in them, checked and put under our names and ids."""

import os
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from genjax import families
from genjax.core.config import ConfigError, fail
from genjax.core.family import DataSpec
from genjax.core.files import read_object, reason, shown
from genjax.core.tokens import BOS, EOS, MASK, PAD, SPECIALS, UNK
from genjax.data.source import Codec
from genjax.data.text import tokenizers
from genjax.hf import bert, files, gpt2
from genjax.hf.arrays import Arrays, check
from genjax.hf.special import Finder
from genjax.hf.vocabulary import renumbered, special_names, tokenizer_json

_LAYOUTS: dict[str, ModuleType] = {layout.MODEL_TYPE: layout for layout in (gpt2, bert)}


class Pretrained(NamedTuple):
    """A model with its tokenizer.

    Attributes:
      config: of family `gpt` or `bert`, unlocked.
      params: as in the family's state, NumPy arrays.
      codec: of its texts.
    """

    config: ConfigDict
    params: Any
    codec: Codec


def read(folder: str | os.PathLike[str]) -> Pretrained:
    """Reads the GPT-2 or BERT of a Hugging Face folder, under our names and ids; see the package.

    The config's fields beyond the model's are those of fine-tuning on the bundled texts.

    Raises:
      ConfigError: a file is missing, broken or of another architecture; it and what is wrong in it
        (field, tensor) are named, with what is needed.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise ConfigError(f"{folder}: no such folder; must hold {files.CONFIG}, {files.WEIGHTS}")
    record, message = read_object(path / files.CONFIG), str(path / files.CONFIG)
    layout = _LAYOUTS.get(str(record.get("model_type")))
    if layout is None:
        kind, known = record.get("model_type"), ", ".join(_LAYOUTS)
        raise ConfigError(f"{message}: model_type={shown(kind)}: must be one of {known}")
    source_V, codec = _codec(path, record, layout)
    weights, tensors = files.read_tensors(path)
    tensors = layout.cleaned(tensors, record, weights)
    size = _rows(layout, tensors, record, int((source_V >= 0).sum()), message)
    config = families.default_config(layout.FAMILY)
    config.update_from_flattened_dict(layout.fields(record, tensors, message))
    if config.model.num_layers > len(tensors):
        layers = f"{config.model.num_layers:,} layers"
        raise ConfigError(f"{message}: {layers}, and {weights} has {len(tensors)} tensors")
    needed = layout.to_tensors(_zeros(config, size))
    check(tensors, {name: x.shape for name, x in needed.items()}, layout.NAME, weights)
    config.data.tokenizer, config.data.vocab_size = tokenizers.STORED, codec.vocab_size
    absent = tuple(int(i) for i in (PAD, UNK, BOS, MASK) if source_V[i] < 0)
    if layout is gpt2:
        config.model.banned_tokens = absent
    config.steps, config.batch_size, config.optimizer.learning_rate = 1000, 8, 5e-5
    return Pretrained(config, _moved(layout, layout.from_tensors(tensors), source_V), codec)


def write(folder: str | os.PathLike[str], model: Pretrained) -> None:
    """Writes a model as a Hugging Face folder; see the package.

    Raises:
      ConfigError: neither GPT-2 nor BERT can be such a model; the folder holds something already,
        or cannot be written.
    """
    config, params, codec = model
    layout = next((of for of in _LAYOUTS.values() if config.family == of.FAMILY), None)
    if layout is None:
        known = ", ".join(of.FAMILY for of in _LAYOUTS.values())
        raise fail("family", config.family, f"Hugging Face's layout is known of {known} alone")
    record = {"model_type": layout.MODEL_TYPE, "vocab_size": codec.vocab_size, "dtype": "float32"}
    record |= layout.described(config, params)
    ended = config.data.kind == "sentence"
    front = "" if layout is gpt2 and not ended else "BOS"
    around = "BOS EOS" if ended and layout is bert else front
    tokenizer = tokenizer_json(codec, around)
    names = special_names(tokenizer)
    roles = dict(zip(("pad_token", "unk_token", "bos_token", "eos_token", "mask_token"), names))
    if layout is bert:
        roles |= {"cls_token": names[BOS], "sep_token": names[EOS]}
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if layout is bert else [])]
    records = {
        files.CONFIG: record,
        files.TOKENIZER: tokenizer,
        "tokenizer_config.json": roles
        | {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_input_names": inputs,
        },
    }
    if layout is gpt2:
        never = sorted({PAD, BOS, MASK, *config.model.banned_tokens})
        ends = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}
        records["generation_config.json"] = ends | {"suppress_tokens": never}
    files.write(Path(folder).expanduser(), layout.to_tensors(params), records)


def _codec(folder: Path, record: dict[str, Any], layout: ModuleType) -> tuple[np.ndarray, Codec]:
    """Returns the folder's id of each of our tokens, -1 where there is none; and the tokenizer."""
    file, encoder = folder / files.TOKENIZER, layout is bert
    if not file.is_file():
        raise ConfigError(
            f"{folder}: has no {files.TOKENIZER}; where transformers is installed, "
            f"AutoTokenizer.from_pretrained({str(folder)!r}).save_pretrained(…) writes it"
        )
    found = read_object(file)
    try:
        finder = Finder(folder, record, found, encoder)
        model, source_V = renumbered(found, str(file), finder)
        codec = tokenizers.Stored(model)
    except (ConfigError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the library has no error type of its own; a panic is no other
        message = f"{type(error).__name__}: {reason(error)}"
        raise ConfigError(f"{file}: is not the JSON of a tokenizer ({message})") from error
    for i in (PAD, UNK, BOS, EOS, MASK) if encoder else (EOS,):
        if source_V[i] < 0:
            message = f"has no {SPECIALS[i]} under any name that is known"
            raise ConfigError("; ".join([*filter(None, [finder.odd.get(i)]), f"{file}: {message}"]))
    return source_V, codec


def _rows(
    layout: ModuleType, tensors: Arrays, record: dict[str, Any], there: int, message: str
) -> int:
    """Counts the tokens that the weights are of: all of the tokenizer's, or more.

    Some folders have more rows, so that their number is a multiple of 64, say. These rows are no
    tokens', and left out.
    """
    size: Any = record.get("vocab_size")
    name: str = layout.EMBEDDING
    table = tensors.get(name)
    rows: Any = len(table) if table is not None and table.ndim else size
    known = isinstance(size, int) and not isinstance(size, bool)
    if not known or not there <= size or size > rows:
        what = f"{files.TOKENIZER} has {there} tokens"
        what += f", {name} {rows} rows" if rows not in (size, there) else ""
        raise ConfigError(f"{message}: vocab_size={size!r}: {what}")
    if rows > there:
        what = f"{rows - there} rows beyond the {there} tokens of {files.TOKENIZER} are left out"
        logging.warning("warning: %s: %s: %s", message, name, what)
    return int(rows)


def _zeros(config: ConfigDict, vocab_size: int) -> Any:
    """Makes parameters of the family as it reads a folder, of zeros that take no memory."""
    spec = DataSpec("text", (config.data.length + 1,), vocab_size=vocab_size)
    init = families.build(config, spec, 1).init
    params = jax.eval_shape(init, jax.random.key(0)).params
    return jax.tree.map(lambda x: np.broadcast_to(np.float32(0), x.shape), params)


def _moved(layout: ModuleType, params: Any, source_V: np.ndarray) -> Any:
    """Moves what belongs to tokens to our ids."""
    flat = flatten_dict(params, sep=".")
    for name, axis in layout.VOCABULARY.items():
        if name in flat:
            x = np.take(flat[name], source_V, axis)  # of absent ones the last row, for now
            rows = np.moveaxis(x, axis, 0)
            rows[source_V < 0] = 0
            if source_V[BOS] < 0:
                rows[BOS] = rows[EOS]
            flat[name] = x
    return unflatten_dict(flat, sep=".")
