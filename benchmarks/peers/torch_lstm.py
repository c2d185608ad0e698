"""The LSTM language model in PyTorch: nn.Embedding, nn.LSTM, nn.Linear; text in memory, indexed."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.child import Timed
from benchmarks.peers.torch_loop import settle, timed_updates

# eager:    nn.Module, autograd, foreach SGD with clipping: the usual loop at its best.
# compiled: the loss (and so its gradient) through torch.compile, which leaves nn.LSTM as it is.


class LanguageModel(nn.Module):
    """Windows (B, T + 1) to the mean cross-entropy of their last T tokens, each from a zero state.

    nn.LSTM has two biases that are only ever added; the second is held at 0 and left untrained.
    """

    def __init__(self, vocab_size: int, units: int, layers: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, units)
        self.lstm = nn.LSTM(units, units, layers, batch_first=True)
        self.head = nn.Linear(units, vocab_size)
        for name, p in self.lstm.named_parameters():
            if name.startswith("bias_hh"):
                nn.init.zeros_(p).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Loss of a batch."""
        h, _ = self.lstm(self.embedding(x[:, :-1]))
        logits = self.head(h)
        return functional.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten())


def training(mode: str, steps: int, *, vocab_size: int, units: int, layers: int, batch_size: int,
             length: int, num_tokens: int, learning_rate: float,
             clip_norm: float) -> Timed:  # fmt: skip
    """The rows `lstm_lm_*`: `steps` updates a run, each of windows at random offsets."""
    settle(mode)
    model = LanguageModel(vocab_size, units, layers)
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(params, learning_rate, foreach=True)
    loss = torch.compile(model) if mode == "compiled" else model
    text = torch.randint(5, vocab_size, (num_tokens,))
    window = torch.arange(length + 1)

    def update() -> None:
        start = torch.randint(0, num_tokens - length, (batch_size, 1))
        optimizer.zero_grad()
        loss(text[start + window]).backward()
        nn.utils.clip_grad_norm_(params, clip_norm)
        optimizer.step()

    return timed_updates(update, steps, mode)
