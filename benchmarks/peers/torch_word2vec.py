"""Skip-gram with negative sampling in PyTorch: pairs made on the device, gradients by hand.

What is quickest there: an epoch's pairs are made at once, without those that the windows' random
radius or the ends of lines leave out; an update reads and writes the rows that its pairs name, and
no others. Autograd would write whole tables.
"""

import numpy as np
import torch
from torch import Tensor

from benchmarks.harness import zipf
from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import captured, compiled, described, settle, waited_for

_TABLE = 10_000_000  # entries of the table that noise is drawn from, as word2vec's program has it


class SkipGram:
    """Two tables of vectors, (V, D), and their updates.

    Args:
      counts: (V,), of each word in the text.
      dim: D.
      num_negatives: words of noise for each pair.
      learning_rate: of plain gradient descent; gradients of pairs are summed.
    """

    def __init__(self, counts: Tensor, dim: int, num_negatives: int, learning_rate: float):
        self.words = (torch.rand(len(counts), dim, device=counts.device) - 0.5) / dim
        self.contexts = torch.zeros_like(self.words)
        share = counts.double() ** 0.75
        entries = (share / share.sum() * _TABLE).round().long()
        self._noise = torch.repeat_interleave(torch.arange(len(counts)).to(entries), entries)
        self._num_negatives, self._rate = num_negatives, learning_rate

    def drawn(self, pairs: int) -> Tensor:
        """Draws words of noise, (P, K)."""
        shape = (pairs, self._num_negatives)
        return self._noise[torch.randint(0, len(self._noise), shape, device=self._noise.device)]

    def update(self, center_P: Tensor, context_P: Tensor, negative_PxK: Tensor) -> None:
        """Moves the rows of a batch of pairs against their gradients."""
        target = torch.cat([context_P[:, None], negative_PxK], 1)  # the true one first
        v_PxD, u_PxSxD = self.words[center_P], self.contexts[target]
        score = torch.einsum("pd,psd->ps", v_PxD, u_PxSxD)
        slope = -torch.sigmoid(score)
        slope[:, 0] += 1
        slope *= self._rate
        moved = slope[:, :, None] * v_PxD[:, None]
        self.words.index_add_(0, center_P, torch.einsum("ps,psd->pd", slope, u_PxSxD))
        self.contexts.index_add_(0, target.flatten(), moved.flatten(0, 1))


def kept_pairs(text: Tensor, line: Tensor, keep: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Makes an epoch's pairs (P,), of a word and one beside it in the same line.

    Frequent words are dropped at random before (`keep`: their chance to stay), and the radius of
    each window is drawn from 1 to `window`.
    """
    stays = torch.rand(len(text), device=text.device) < keep[text]
    text, line = text[stays], line[stays]
    offset = torch.arange(-window, window + 1, device=text.device)
    offset = offset[offset != 0]
    place = torch.arange(len(text), device=text.device)[:, None] + offset
    inside = place.clamp(0, len(text) - 1)
    radius = torch.randint(1, window + 1, (len(text), 1), device=text.device)
    pairs = (place == inside) & (line[inside] == line[:, None]) & (offset.abs() <= radius)
    row, column = pairs.nonzero(as_tuple=True)
    return text[row], text[inside[row, column]]


def training(
    mode: str,
    architecture: str,
    words: int,
    *,
    vocab_size: int,
    dim: int,
    window: int,
    num_negatives: int,
    subsample: float,
    learning_rate: float,
    device: str = "cpu",
    pairs: int = 32_768,
) -> Timed:
    """Sets up the row `word2vec` of the check: an epoch of `words` words a run, skip-gram.

    An update takes `pairs` pairs; those that are left at the end of an epoch are left out.
    """
    if architecture != "skipgram":
        raise ValueError(f"architecture={architecture!r}: must be skipgram")
    settle(mode, device=device)
    lines = zipf.lines(words, vocab_size)
    text = torch.from_numpy(lines.reshape(-1)).long().to(device)
    line = torch.from_numpy(np.repeat(np.arange(len(lines)), lines.shape[1])).to(device)
    counts = torch.bincount(text, minlength=vocab_size)
    share = counts / (subsample * len(text))
    keep = ((share.sqrt() + 1) / share).clamp(max=1)
    model = SkipGram(counts, dim, num_negatives, learning_rate)
    batch = torch.zeros(2, pairs, dtype=torch.long, device=device)
    step = compiled(mode, lambda: model.update(batch[0], batch[1], model.drawn(pairs)))
    if device != "cpu" and mode.endswith("_graph"):
        step = captured(step)

    def run() -> dict[str, int] | None:
        made = torch.stack(kept_pairs(text, line, keep, window))
        for start in range(0, max(made.shape[1] - pairs, 0) + 1, pairs):
            part = made[:, start : start + pairs]
            batch[:, : part.shape[1]] = part
            step()
        return waited_for(device)

    run()
    return Timed(run, info=described(mode, device))
