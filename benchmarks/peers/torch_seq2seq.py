"""The LSTM encoder-decoder with Bahdanau's attention and input feeding in PyTorch.

nn.LSTM reads the source; the decoder is the usual loop of nn.LSTMCell and attention over its steps.
Pairs in memory, indexed.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import adam, drawn, minimizer, settle, timed_updates, with_one_bias

# torch.compile unrolls the decoder's loop.

BOS = 2


class Seq2Seq(nn.Module):
    """Pairs (B, 2, T) of sentences of T tokens each to their mean cross-entropy."""

    def __init__(self, vocab_size: int, embed_dim: int, units: int):
        super().__init__()
        self.source = nn.Embedding(vocab_size, embed_dim)
        self.target = nn.Embedding(vocab_size, embed_dim)
        self.encoder = nn.LSTM(embed_dim, units // 2, bidirectional=True, batch_first=True)
        self.cell = nn.LSTMCell(2 * embed_dim, units)
        self.key = nn.Linear(units, units, bias=False)
        self.query = nn.Linear(units, units, bias=False)
        self.score = nn.Linear(units, 1, bias=False)
        self.out = nn.Linear(2 * units, embed_dim)
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        with_one_bias(self)

    def forward(self, pairs: Tensor) -> Tensor:
        """Computes the loss of a batch."""
        x, y = pairs.unbind(1)
        value, (h, c) = self.encoder(self.source(x))
        h, c = (s.transpose(0, 1).flatten(1) for s in (h, c))
        key = self.key(value)
        inputs = self.target(functional.pad(y[:, :-1], (1, 0), value=BOS))
        vector = torch.zeros_like(inputs[:, 0])
        vectors = []
        for t in range(y.shape[1]):
            h, c = self.cell(torch.cat([inputs[:, t], vector], -1), (h, c))
            scores = self.score(torch.tanh(self.query(h)[:, None] + key))
            context = (scores.softmax(1) * value).sum(1)
            vector = torch.tanh(self.out(torch.cat([context, h], -1)))
            vectors.append(vector)
        logits = functional.linear(torch.stack(vectors, 1), self.target.weight, self.bias)
        return functional.cross_entropy(logits.flatten(0, 1), y.flatten())


def attention(
    mode: str,
    iterations: int,
    *,
    vocab_size: int,
    embed_dim: int,
    units: int,
    batch_size: int,
    length: int,
    num_examples: int,
    learning_rate: float,
    clip_norm: float,
) -> Timed:
    """Sets up the row `seq2seq_attention`: `iterations` updates a run, of pairs at random."""
    settle(mode)
    model = Seq2Seq(vocab_size, embed_dim, units)
    optimizer = adam(model, learning_rate)
    pairs = torch.randint(5, vocab_size, (num_examples, 2, length))
    update = minimizer(mode, model, optimizer, clip_norm)
    return timed_updates(lambda: update(drawn(pairs, batch_size)), iterations, mode)
