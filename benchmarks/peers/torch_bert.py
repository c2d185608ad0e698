"""BERT's masked language model in PyTorch: post-norm layers, exact GELU, tied vectors.

Attention by `scaled_dot_product_attention`; only the hidden places are projected to the vocabulary.
Texts are in memory and cut at random; what is hidden is drawn anew for each batch, 80/10/10.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_gpt import attend
from benchmarks.peers.torch_loop import adamw, minimizer, settle, timed_updates

SPECIALS, BOS, MASK = 5, 2, 4


class BERT(nn.Module):
    """Tokens (B, T), places (B, M) and the tokens there (B, M) to the mean cross-entropy."""

    def __init__(self, vocab_size: int, length: int, num_layers: int, num_heads: int, width: int):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(length, width)
        self.types = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Layer(width, num_heads) for _ in range(num_layers))
        self.transform, self.transform_norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        for p in self.parameters():
            if p.ndim == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, inputs: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
        """Computes the loss; attention sees all places, as rows have no padding."""
        h = self.tokens(inputs) + self.positions.weight[: inputs.shape[1]] + self.types.weight[0]
        h = self.norm(h)
        for layer in self.layers:
            h = layer(h)
        h = h.gather(1, positions[..., None].expand(-1, -1, h.shape[-1]))
        h = self.transform_norm(functional.gelu(self.transform(h)))
        logits = functional.linear(h, self.tokens.weight, self.bias)
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


class Layer(nn.Module):
    """Attention, then two dense layers, each in front of a norm of the sum."""

    def __init__(self, width: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out, self.attention_norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.feed_forward_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, T, D) to (B, T, D)."""
        answers = attend(self.query_key_value(x), self.num_heads)
        x = self.attention_norm(x + self.out(answers))
        return self.feed_forward_norm(x + self.down(functional.gelu(self.up(x))))


def hide(x: Tensor, number: int, vocab_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Hides `number` tokens of each row: inputs (B, T), positions and targets (B, number)."""
    order = torch.rand(x.shape).masked_fill(x < SPECIALS, 2.0).argsort(-1)
    positions = order[:, :number].sort(-1).values
    targets, how = x.gather(1, positions), torch.rand(positions.shape)
    other = torch.randint(SPECIALS, vocab_size, positions.shape)
    shown = torch.where(how < 0.9, other, targets)
    shown = torch.where(how < 0.8, torch.full_like(targets, MASK), shown)
    return x.scatter(1, positions, shown), positions, targets


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
    """Sets up the row `bert`: `steps` updates a run."""
    settle(mode)
    network = BERT(vocab_size, length, num_layers, num_heads, width)
    return train(mode, network, network, steps, vocab_size=vocab_size, length=length, **loop)


def train(
    mode: str,
    network: nn.Module,
    loss: Callable[..., Tensor],
    steps: int,
    *,
    vocab_size: int,
    length: int,
    batch_size: int,
    mask_rate: float,
    num_tokens: int,
    learning_rate: float,
    weight_decay: float,
    clip_norm: float,
) -> Timed:
    """Minimizes `loss(inputs, positions, targets)` of rows of `length` tokens, BOS the first."""
    text = torch.randint(SPECIALS, vocab_size, (num_tokens,))
    window, begin = torch.arange(length - 1), torch.full((batch_size, 1), BOS)
    number = round(mask_rate * (length - 1))
    optimizer = adamw(network, learning_rate, (0.9, 0.98), weight_decay)

    minimize = minimizer(mode, loss, optimizer, clip_norm)

    def update() -> None:
        at = torch.randint(0, num_tokens - length, (batch_size, 1)) + window
        minimize(*hide(torch.cat([begin, text[at]], 1), number, vocab_size))

    return timed_updates(update, steps, mode)
