"""Config fields that had other names once, so that the runs that recorded them go on.

A recorded config is read with today's names; a config that is given today must have them.
"""

from collections.abc import Mapping
from typing import Any

_FIELDS = {  # the end of a dotted name: the end of today's
    "data.num_labelled": "data.num_labeled",
    "loss.binarise": "loss.binarize",
    "loss.chunk": "loss.logits_chunk",
    "loss.unprompted": "loss.bos_rate",
    "model.tied": "model.tie_embeddings",
    "model.num_groups": "model.num_kv_heads",
    "model.unpredicted": "model.banned_tokens",
    "model.bert.num_groups": "model.bert.num_kv_heads",
    "model.bert.hidden": "model.bert.mlp_dim",
    "optimizer.encoder_factor": "optimizer.encoder_lr_scale",
    "pretrained": "start",
    "pretrained.workdir": "start.workdir",
    "pretrained.networks": "start.networks",
}
_MLP_DIM = {"model.hidden": "model.mlp_dim"}  # of these families:
_TRANSFORMERS = ("bert", "gpt", "transformer")
_VALUES = {  # field: old value: today's
    "family": {"text_classifier": "classifier"},
    "loss.formulation": {"forward": "forward_over_reverse", "reverse": "reverse_over_reverse"},
    "loss.likelihood": {"discretised_logistic": "discretized_logistic"},
}


def renamed_field(name: str, family: Any = None) -> str:
    """Returns today's dotted name of a field of `family`; its own where it has not changed."""
    of_family = _MLP_DIM if family in _TRANSFORMERS else {}
    return _FIELDS.get(name) or of_family.get(name, name)


def renamed(config: Any, section: str = "", family: Any = None) -> Any:
    """Returns a recorded config, nested mappings, with today's names and values."""
    if not isinstance(config, Mapping):
        return config
    if not section:
        family = config.get("family")
        if family == "text_classifier" and config.get("best_metric") == "cross_entropy":
            config = {**config, "best_metric": "nll"}
    found = {}
    for name, value in config.items():
        field = f"{section}{name}"
        if isinstance(value, Mapping):
            value = renamed(value, f"{field}.", family)
        elif isinstance(value, str):
            value = _VALUES.get(field, {}).get(value, value)
        today = renamed_field(field, family)
        found[name if today == field else today.rpartition(".")[2]] = value
    return found
