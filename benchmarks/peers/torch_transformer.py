"""The encoder-decoder Transformer in PyTorch: nn.Transformer with the paper's embeddings around it.

Pairs in memory, indexed.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import adam, drawn, minimizer, settle, timed_updates

BOS = 2


class Translator(nn.Module):
    """Pairs (B, 2, T) of sentences of T tokens each to their mean cross-entropy."""

    def __init__(
        self,
        vocab_size: int,
        width: int,
        heads: int,
        layers: int,
        inner: int,
        length: int,
        dropout: float,
    ):
        super().__init__()
        self.source = nn.Embedding(vocab_size, width)
        self.target = nn.Embedding(vocab_size, width)
        self.stacks = nn.Transformer(width, heads, layers, layers, inner, dropout, batch_first=True)
        # The paper's stacks end without a norm, behind the last sum's own.
        self.stacks.encoder.norm = self.stacks.decoder.norm = None
        self.drop = nn.Dropout(dropout)
        self.scale = math.sqrt(width)
        angles = torch.arange(length)[:, None] * torch.exp(
            torch.arange(0, width, 2) * (-math.log(10_000.0) / width)
        )
        self.register_buffer("places", torch.stack([angles.sin(), angles.cos()], -1).flatten(1))
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length))

    def forward(self, pairs: Tensor) -> Tensor:
        """Computes the loss of a batch."""
        x, y = pairs.unbind(1)
        inputs = functional.pad(y[:, :-1], (1, 0), value=BOS)
        found = self.stacks(
            self.drop(self.scale * self.source(x) + self.places),
            self.drop(self.scale * self.target(inputs) + self.places),
            tgt_mask=self.mask,
            tgt_is_causal=True,
        )
        logits = functional.linear(found, self.target.weight)
        return functional.cross_entropy(logits.flatten(0, 1), y.flatten())


def transformer(
    mode: str,
    iterations: int,
    *,
    vocab_size: int,
    width: int,
    num_heads: int,
    layers: int,
    inner: int,
    batch_size: int,
    length: int,
    num_examples: int,
    learning_rate: float,
    dropout: float,
) -> Timed:
    """Sets up the row `transformer`: `iterations` updates a run, of pairs at random."""
    settle(mode)
    model = Translator(vocab_size, width, num_heads, layers, inner, length, dropout)
    update = minimizer(mode, model, adam(model, learning_rate))
    pairs = torch.randint(5, vocab_size, (num_examples, 2, length))
    return timed_updates(lambda: update(drawn(pairs, batch_size)), iterations, mode)
