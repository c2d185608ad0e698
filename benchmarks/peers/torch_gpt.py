"""nanoGPT's architecture in PyTorch: training, and its way to generate, which keeps no cache.

Pre-norm layers without biases, exact GELU, learned positions, tied vectors; attention by
`scaled_dot_product_attention`. Training as there: random windows of a text in memory, AdamW with
decay of matrices alone, gradients clipped.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import adamw, described, minimizer, settle, timed_updates


class GPT(nn.Module):
    """Tokens (B, T) to logits (B, T, V), or to the mean loss where targets are given."""

    def __init__(self, vocab_size: int, length: int, num_layers: int, num_heads: int, width: int):
        super().__init__()
        self.length = length
        self.tokens = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, num_heads) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width, bias=False)
        for name, p in self.named_parameters():
            if p.ndim == 2:
                residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=0.02 / (2 * num_layers) ** 0.5 if residual else 0.02)

    def forward(self, x: Tensor, target: Tensor | None = None) -> Tensor:
        """Computes the loss of all places, or the logits of the last one."""
        h = self.tokens(x) + self.positions.weight[: x.shape[1]]
        for block in self.blocks:
            h = block(h)
        h = self.norm(h)
        if target is None:
            return functional.linear(h[:, -1], self.tokens.weight)
        logits = functional.linear(h, self.tokens.weight)
        return functional.cross_entropy(logits.flatten(0, 1), target.flatten())

    @torch.no_grad()
    def generate(self, x: Tensor, size: int) -> Tensor:
        """Draws `size` tokens behind the prompt, each from the logits of the whole text so far."""
        for _ in range(size):
            logits = self(x[:, -self.length :])
            token = torch.multinomial(functional.softmax(logits, -1), 1)
            x = torch.cat([x, token], 1)
        return x


class Block(nn.Module):
    """Attention, then two dense layers, each behind a norm and beside x."""

    def __init__(self, width: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = nn.LayerNorm(width, bias=False)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.feed_forward_norm = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, T, D) to (B, T, D)."""
        parts = self.query_key_value(self.attention_norm(x))
        x = x + self.out(attend(parts, self.num_heads, causal=True))
        return x + self.down(functional.gelu(self.up(self.feed_forward_norm(x))))


def attend(query_key_value: Tensor, num_heads: int, causal: bool = False) -> Tensor:
    """Computes attention (B, T, D) of heads with queries, keys and values (B, T, 3 D)."""
    parts = query_key_value.chunk(3, -1)
    query, key, value = (a.unflatten(-1, (num_heads, -1)).transpose(1, 2) for a in parts)
    answers = functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
    return answers.transpose(1, 2).flatten(2)


def training(
    mode: str,
    steps: int,
    *,
    batch_size: int,
    num_tokens: int,
    learning_rate: float,
    weight_decay: float,
    clip_norm: float,
    precision: str = "float32",
    device: str = "cpu",
    **model: int,
) -> Timed:
    """Sets up the row `gpt`: `steps` updates a run."""
    settle(mode, device=device)
    length = model["length"]
    with torch.device(device):
        network, place = GPT(**model), torch.arange(length + 1)
        data = torch.randint(5, model["vocab_size"], (num_tokens,))
    optimizer = adamw(network, learning_rate, (0.9, 0.99), weight_decay)
    minimize = minimizer(mode, network, optimizer, clip_norm, precision=precision)

    def update() -> None:
        starts = torch.randint(num_tokens - length, (batch_size, 1), device=device)
        windows = data[starts + place]
        minimize(windows[:, :-1], windows[:, 1:])

    return timed_updates(update, steps, mode, device=device)


def decoding(batch_size: int, size: int, **model: int) -> Timed:
    """Sets up the rows `gpt_decode_*`: `size` tokens after prompts of one token.

    Eager: the text grows with every token, and so would the programs that a compiler makes.
    """
    settle()
    network = GPT(**model).eval()
    prompt = torch.full((batch_size, 1), 5)

    def run() -> None:
        network.generate(prompt, size)

    run()
    return Timed(run, info=described("eager"))
