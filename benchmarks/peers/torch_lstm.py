"""The LSTM language model in PyTorch: nn.Embedding, nn.LSTM, nn.Linear; text in memory, indexed."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import minimizer, settle, timed_updates, trained, with_one_bias

# torch.compile leaves nn.LSTM as it is.


class LanguageModel(nn.Module):
    """Windows (B, T + 1) to the mean cross-entropy of their last T tokens; from zero states."""

    def __init__(self, vocab_size: int, units: int, layers: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, units)
        self.lstm = nn.LSTM(units, units, layers, batch_first=True)
        self.head = nn.Linear(units, vocab_size)
        with_one_bias(self)

    def forward(self, x: Tensor) -> Tensor:
        """Computes the loss of a batch."""
        h, _ = self.lstm(self.embedding(x[:, :-1]))
        logits = self.head(h)
        return functional.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten())


def training(
    mode: str,
    steps: int,
    *,
    vocab_size: int,
    units: int,
    layers: int,
    batch_size: int,
    length: int,
    num_tokens: int,
    learning_rate: float,
    clip_norm: float,
    device: str = "cpu",
) -> Timed:
    """Sets up the rows `lstm_lm_*`: `steps` updates a run, each of windows at random offsets."""
    settle(mode, device=device)
    with torch.device(device):
        model = LanguageModel(vocab_size, units, layers)
        text, window = torch.randint(5, vocab_size, (num_tokens,)), torch.arange(length + 1)
    optimizer = torch.optim.SGD(trained(model), learning_rate, foreach=True)
    minimize = minimizer(mode, model, optimizer, clip_norm)

    def update() -> None:
        starts = torch.randint(0, num_tokens - length, (batch_size, 1), device=device)
        minimize(text[starts + window])

    return timed_updates(update, steps, mode, device=device)
