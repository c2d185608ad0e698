"""GPT-2 as `transformers` lays it out: names of tensors, and fields of its `config.json`.

Its dense layers hold their weights as (in, out), as ours do, and queries, keys and values in one
matrix, so every tensor is one of ours under another name.

Source: `GPT2LMHeadModel` of `transformers`, after the program of Radford et al. 2019.
"""

import re
from typing import Any

from flax.traverse_util import unflatten_dict
from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.core.tokens import BOS, EOS, PAD
from genjax.hf.arrays import Arrays, flattened, stacked, without_copy
from genjax.hf.fields import Fields, activation, check_layers

MODEL_TYPE, FAMILY, NAME = "gpt2", "gpt", "GPT2LMHeadModel"
VOCABULARY = {"network.embedding.tokens": 0, "network.head": 1}  # the axis that tokens count along
EMBEDDING = "transformer.wte.weight"  # of tokens
PLACES = "network.embedding.positions"
ACTIVATIONS = {
    "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu", "relu": "relu",
    "silu": "silu",
}  # fmt: skip

_OUTER = {
    "network.embedding.tokens": EMBEDDING,
    "network.embedding.positions": "transformer.wpe.weight",
    "network.stack.norm.scale": "transformer.ln_f.weight",
    "network.stack.norm.bias": "transformer.ln_f.bias",
}
_LAYERS, _LAYER = "network.stack.layers.", "transformer.h.{}."
_OF_LAYER = {
    "attention_norm.scale": "ln_1.weight",
    "attention_norm.bias": "ln_1.bias",
    "attention.query_key_value.kernel": "attn.c_attn.weight",
    "attention.query_key_value.bias": "attn.c_attn.bias",
    "attention.out.kernel": "attn.c_proj.weight",
    "attention.out.bias": "attn.c_proj.bias",
    "feed_forward_norm.scale": "ln_2.weight",
    "feed_forward_norm.bias": "ln_2.bias",
    "feed_forward.up.kernel": "mlp.c_fc.weight",
    "feed_forward.up.bias": "mlp.c_fc.bias",
    "feed_forward.down.kernel": "mlp.c_proj.weight",
    "feed_forward.down.bias": "mlp.c_proj.bias",
}
_HEAD = "lm_head.weight"
_BUFFER = re.compile(r"\.attn\.(bias|masked_bias)$")  # the causal mask, in older files


def to_tensors(params: Any) -> Arrays:
    """Makes tensors by their Hugging Face names from the parameters of family `gpt`."""
    flat = flattened(params)
    tensors = {theirs: flat[ours] for ours, theirs in _OUTER.items()}
    for ours, theirs in _OF_LAYER.items():
        for i, x in enumerate(flat[_LAYERS + ours]):
            tensors[_LAYER.format(i) + theirs] = x
    return tensors | ({_HEAD: flat["network.head"].T} if "network.head" in flat else {})


def from_tensors(tensors: Arrays) -> Any:
    """Inverts `to_tensors`."""
    flat = {ours: tensors[theirs] for ours, theirs in _OUTER.items()}
    for ours, theirs in _OF_LAYER.items():
        flat[_LAYERS + ours] = stacked(tensors, _LAYER + theirs)
    if _HEAD in tensors:
        flat["network.head"] = tensors[_HEAD].T
    return unflatten_dict(flat, sep=".")


def cleaned(tensors: Arrays, hf: dict[str, Any], message: str) -> Arrays:
    """Renames a file's tensors to what `to_tensors` gives, without masks and tied copies."""
    inner = {
        name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}": x
        for name, x in tensors.items()
        if not _BUFFER.search(name)
    }
    tied = Fields(hf, message, "GPT").flag("tie_word_embeddings", True)
    return without_copy(inner, _HEAD, EMBEDDING, message) if tied else inner


def fields(hf: dict[str, Any], tensors: Arrays, message: str) -> dict[str, Any]:
    """Returns our config's fields, by dotted name, for `config.json`; `ConfigError` if none fit."""
    ask = Fields(hf, message, "GPT")
    ask.only("scale_attn_weights", True)
    ask.only("scale_attn_by_inverse_layer_idx", False)
    ask.only("add_cross_attention", False)
    width = ask.number("n_embd", 768)
    return {
        "model.num_layers": ask.number("n_layer", 12),
        "model.num_heads": ask.number("n_head", 12),
        "model.width": width,
        "model.mlp_dim": ask.number("n_inner", 0) if hf.get("n_inner") is not None else 4 * width,
        "model.activation": ask.choice("activation_function", "gelu_new", ACTIVATIONS),
        "model.norm_epsilon": ask.number("layer_norm_epsilon", 1e-5, 0),
        "model.bias": True,
        "model.tie_embeddings": ask.flag("tie_word_embeddings", True),
        "model.dropout": ask.number("resid_pdrop", 0.1, 0),
        "data.length": ask.number("n_positions", 1024),
    }


def described(config: ConfigDict, params: Any) -> dict[str, Any]:
    """Returns the `config.json` of our model without `vocab_size`; `ConfigError` if none fits."""
    m = config.model
    check_layers(m, "GPT-2")
    if not m.norm_first:
        raise fail("model.norm_first", m.norm_first, "GPT-2 has its norms first")
    return {
        "n_positions": params["network"]["embedding"]["positions"].shape[0],
        "n_embd": m.width,
        "n_layer": m.num_layers,
        "n_head": m.num_heads,
        "n_inner": m.mlp_dim or 4 * m.width,
        "activation_function": activation(m, ACTIVATIONS, "GPT-2"),
        "layer_norm_epsilon": m.norm_epsilon,
        "resid_pdrop": m.dropout,
        "embd_pdrop": m.dropout,
        "attn_pdrop": m.dropout,
        "tie_word_embeddings": m.tie_embeddings,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "architectures": [NAME],
    }
