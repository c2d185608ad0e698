"""BERT as `transformers` lays it out: names of tensors, and fields of its `config.json`.

Its dense layers hold their weights as (out, in), ours as (in, out), and queries, keys and values
apart. Of its two logits for the next sentence only the difference counts, which is our one logit:
written, the second is 0.

Source: `BertForPreTraining` and `BertForMaskedLM` of `transformers`, after the program of Devlin et
al. 2019.
"""

import re
from typing import Any

import numpy as np
from absl import logging
from flax.traverse_util import unflatten_dict
from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.core.tokens import PAD
from genjax.hf.arrays import Arrays, flattened, stacked, without_copy
from genjax.hf.fields import Fields, activation, check_layers

MODEL_TYPE, FAMILY, NAME = "bert", "bert", "BERT with the head of its masked language model"
VOCABULARY = {"encoder.embedding.tokens": 0, "heads.bias": 0}  # the axis that tokens count along
EMBEDDING = "bert.embeddings.word_embeddings.weight"  # of tokens
PLACES = "encoder.embedding.positions"
ACTIVATIONS = {
    "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu",
    "silu": "silu",
}  # fmt: skip

_TABLES = {
    "encoder.embedding.tokens": EMBEDDING,
    "encoder.embedding.positions": "bert.embeddings.position_embeddings.weight",
    "encoder.types": "bert.embeddings.token_type_embeddings.weight",
    "heads.bias": "cls.predictions.bias",
}
_OUTER = {
    "encoder.embedding_norm": "bert.embeddings.LayerNorm",
    "heads.transform": "cls.predictions.transform.dense",
    "heads.norm": "cls.predictions.transform.LayerNorm",
}
_POOLER = {"heads.pooler": "bert.pooler.dense"}
_LAYERS, _LAYER = "encoder.stack.layers.", "bert.encoder.layer.{}."
_OF_LAYER = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_forward.up": "intermediate.dense",
    "feed_forward.down": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}
_FUSED, _PARTS = "attention.query_key_value.", ("query", "key", "value")
_SQUARE = _LAYER.format(0) + "attention.self.query.weight"
_PAIRS = "cls.seq_relationship."
_PARTS_ALONE = ("embeddings.", "encoder.", "pooler.")  # of `BertModel`, which has no prefix
_OLD = re.compile(r"LayerNorm\.(gamma|beta)$")  # names of the first checkpoints
_NEW = {"gamma": "weight", "beta": "bias"}


def to_tensors(params: Any) -> Arrays:
    """Makes tensors by their Hugging Face names from the parameters of family `bert`."""
    flat = flattened(params)
    for leaf in ("kernel", "bias"):
        parts = np.split(flat[f"{_LAYERS}{_FUSED}{leaf}"], 3, axis=-1)
        for part, x in zip(_PARTS, parts):
            flat[f"{_LAYERS}attention.{part}.{leaf}"] = x
    tensors = {theirs: flat[ours] for ours, theirs in _TABLES.items()}
    paired = "heads.pooler.kernel" in flat
    for ours, theirs in (_OUTER | (_POOLER if paired else {})).items():
        weight, bias = _module(flat, ours)
        tensors |= {f"{theirs}.weight": weight, f"{theirs}.bias": bias}
    for ours, theirs in _OF_LAYER.items():
        for i, (weight, bias) in enumerate(zip(*_module(flat, _LAYERS + ours))):
            name = _LAYER.format(i) + theirs
            tensors |= {f"{name}.weight": weight, f"{name}.bias": bias}
    if paired:
        kernel_1xD, bias = flat["heads.follows.kernel"].T, flat["heads.follows.bias"]
        tensors[f"{_PAIRS}weight"] = np.concatenate([kernel_1xD, np.zeros_like(kernel_1xD)])
        tensors[f"{_PAIRS}bias"] = np.concatenate([bias, np.zeros_like(bias)])
    return tensors


def from_tensors(tensors: Arrays) -> Any:
    """Inverts `to_tensors`."""
    flat = {ours: tensors[theirs] for ours, theirs in _TABLES.items()}
    paired = f"{_PAIRS}weight" in tensors
    for ours, theirs in (_OUTER | (_POOLER if paired else {})).items():
        flat |= _leaves(ours, tensors[f"{theirs}.weight"], tensors[f"{theirs}.bias"])
    for ours, theirs in _OF_LAYER.items():
        weight, bias = (stacked(tensors, f"{_LAYER}{theirs}.{of}") for of in ("weight", "bias"))
        flat |= _leaves(_LAYERS + ours, weight, bias)
    for leaf in ("kernel", "bias"):
        parts = [flat.pop(f"{_LAYERS}attention.{part}.{leaf}") for part in _PARTS]
        flat[f"{_LAYERS}{_FUSED}{leaf}"] = np.concatenate(parts, axis=-1)
    if paired:
        (first, second), (a, b) = tensors[f"{_PAIRS}weight"], tensors[f"{_PAIRS}bias"]
        flat["heads.follows.kernel"] = (first - second)[:, None]
        flat["heads.follows.bias"] = np.reshape(a - b, 1)
    return unflatten_dict(flat, sep=".")


def _module(flat: Arrays, ours: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns weight and bias of a dense layer or norm, or of all layers', as PyTorch has them."""
    bias = flat[f"{ours}.bias"]
    if f"{ours}.scale" in flat:
        return flat[f"{ours}.scale"], bias
    return flat[f"{ours}.kernel"].swapaxes(-1, -2), bias


def _leaves(ours: str, weight: np.ndarray, bias: np.ndarray) -> Arrays:
    if ours.endswith("norm"):
        return {f"{ours}.scale": weight, f"{ours}.bias": bias}
    return {f"{ours}.kernel": weight.swapaxes(-1, -2), f"{ours}.bias": bias}


def cleaned(tensors: Arrays, hf: dict[str, Any], message: str) -> Arrays:
    """Renames a file's tensors to what `to_tensors` gives, without what says nothing.

    That is numbers of places, tied copies, and the pooler where nothing judges what it says. Where
    there is no head (`BertModel`), a new one is added.
    """
    found = {}
    for name, x in tensors.items():
        name = _OLD.sub(lambda old: f"LayerNorm.{_NEW[old[1]]}", name)
        name = f"bert.{name}" if name.startswith(_PARTS_ALONE) else name
        idle = name.startswith("bert.pooler.") and f"{_PAIRS}weight" not in tensors
        if not idle and not name.endswith("position_ids"):
            found[name] = x
    for copy, of in (("decoder.weight", EMBEDDING), ("decoder.bias", "cls.predictions.bias")):
        found = without_copy(found, f"cls.predictions.{copy}", of, message)
    table, square = (found.get(name, np.zeros(0)) for name in (EMBEDDING, _SQUARE))
    headless = not any(name.startswith("cls.predictions.") for name in found)
    # Its size is that of a tensor which is there, and not what a file claims.
    if headless and square.shape == 2 * table.shape[1:]:
        what = "has no head of a masked language model; a new one says nothing until it is trained"
        logging.warning("warning: %s: %s (encode, embed and fine-tuning need none)", message, what)
        found |= _new_head(*table.shape)
    return found


def _new_head(size: int, width: int) -> Arrays:
    """Makes a head that hands vectors on, of no bias to any token."""
    at = "cls.predictions.transform."
    return {
        "cls.predictions.bias": np.zeros(size, np.float32),
        f"{at}dense.weight": np.eye(width, dtype=np.float32),
        f"{at}dense.bias": np.zeros(width, np.float32),
        f"{at}LayerNorm.weight": np.ones(width, np.float32),
        f"{at}LayerNorm.bias": np.zeros(width, np.float32),
    }


def fields(hf: dict[str, Any], tensors: Arrays, message: str) -> dict[str, Any]:
    """Returns our config's fields, by dotted name, for `config.json`; `ConfigError` if none fit."""
    ask = Fields(hf, message, "BERT")
    ask.only("position_embedding_type", "absolute")
    ask.only("is_decoder", False)
    ask.only("add_cross_attention", False)
    ask.only("type_vocab_size", 2)
    ask.only("tie_word_embeddings", True)
    paired = f"{_PAIRS}weight" in tensors
    around = 4 if paired else 2  # places for BOS and EOS, and for a window's last token
    return {
        "model.num_layers": ask.number("num_hidden_layers", 12),
        "model.num_heads": ask.number("num_attention_heads", 12),
        "model.width": ask.number("hidden_size", 768),
        "model.mlp_dim": ask.number("intermediate_size", 3072),
        "model.activation": ask.choice("hidden_act", "gelu", ACTIVATIONS),
        "model.norm_epsilon": ask.number("layer_norm_eps", 1e-12, 0),
        "model.bias": True,
        "model.dropout": ask.number("hidden_dropout_prob", 0.1, 0),
        "loss.next_sentence": paired,
        "data.length": ask.number("max_position_embeddings", 512, 6) - around,
    }


def described(config: ConfigDict, params: Any) -> dict[str, Any]:
    """Returns the `config.json` of our model without `vocab_size`; `ConfigError` if none fits."""
    m = config.model
    check_layers(m, "BERT")
    if m.norm_first:
        raise fail("model.norm_first", m.norm_first, "BERT has its norms behind each sum")
    paired = "pooler" in params["heads"]
    return {
        "max_position_embeddings": params["encoder"]["embedding"]["positions"].shape[0],
        "hidden_size": m.width,
        "num_hidden_layers": m.num_layers,
        "num_attention_heads": m.num_heads,
        "intermediate_size": m.mlp_dim or 4 * m.width,
        "hidden_act": activation(m, ACTIVATIONS, "BERT"),
        "layer_norm_eps": m.norm_epsilon,
        "hidden_dropout_prob": m.dropout,
        "attention_probs_dropout_prob": m.dropout,
        "type_vocab_size": 2,
        "position_embedding_type": "absolute",
        "tie_word_embeddings": True,
        "pad_token_id": PAD,
        "architectures": ["BertForPreTraining" if paired else "BertForMaskedLM"],
    }
