"""BERT of `transformers`, trained by the same loop as `torch_bert`."""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import BertConfig, BertForMaskedLM

from benchmarks.harness.child import Timed
from benchmarks.peers import torch_bert
from benchmarks.peers.torch_loop import settle

# eager:    its own loss: all places are projected to the vocabulary, of most nothing is asked.
# gathered: its encoder, and its head at the hidden places alone.
# compiled: gathered, through torch.compile.
MODES = ("eager", "gathered", "compiled")
_IGNORED = -100


def training(
    mode: str,
    steps: int,
    *,
    vocab_size: int,
    length: int,
    num_layers: int,
    num_heads: int,
    width: int,
    **loop: Any,
) -> Timed:
    """Sets up the row `bert_transformers`: `steps` updates a run."""
    settle(mode, MODES)
    config = BertConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        intermediate_size=4 * width,
        max_position_embeddings=length,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        layer_norm_eps=1e-5,
    )
    network = BertForMaskedLM(config)
    loss = functools.partial(whole if mode == "eager" else gathered, network)
    return torch_bert.train(
        mode, network, loss, steps, vocab_size=vocab_size, length=length, **loop
    )


def whole(network: BertForMaskedLM, inputs: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
    """Computes the loss as its documentation does."""
    labels = torch.full_like(inputs, _IGNORED).scatter(1, positions, targets)
    return network(input_ids=inputs, labels=labels).loss


def gathered(
    network: BertForMaskedLM, inputs: Tensor, positions: Tensor, targets: Tensor
) -> Tensor:
    """Computes the same loss with less work."""
    h = network.bert(input_ids=inputs).last_hidden_state
    h = h.gather(1, positions[..., None].expand(-1, -1, h.shape[-1]))
    return functional.cross_entropy(network.cls(h).flatten(0, 1), targets.flatten())
