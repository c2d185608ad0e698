"""The text VAE in PyTorch: nn.Embedding, nn.LSTM, nn.Linear; sentences in memory, indexed."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import adam, drawn, minimizer, settle, timed_updates, with_one_bias

# torch.compile leaves nn.LSTM as it is.

_UNK, _BOS, _SPECIALS = 1, 2, 5


class TextVAE(nn.Module):
    """Sentences (B, T) without padding to minus the bound on log p(x), for each token."""

    def __init__(self, vocab_size: int, embed_dim: int, units: int, latent_dim: int):
        super().__init__()
        self.read = nn.Embedding(vocab_size, embed_dim)
        self.encoder = nn.LSTM(embed_dim, units, batch_first=True, bidirectional=True)
        self.posterior = nn.Linear(2 * units, 2 * latent_dim)
        self.first = nn.Linear(latent_dim, 2 * units)
        self.words = nn.Embedding(vocab_size, embed_dim)
        self.decoder = nn.LSTM(embed_dim + latent_dim, units, batch_first=True)
        self.head = nn.Linear(units, vocab_size)
        with_one_bias(self)

    def forward(self, x: Tensor, noise: Tensor, hidden: Tensor) -> Tensor:
        """Computes the loss of a batch.

        Args:
          x: tokens (B, T).
          noise: standard normal (B, Z).
          hidden: bool (B, T), the words that the decoder reads as UNK.
        """
        pooled = self.encoder(self.read(x))[0].amax(1)
        mean, log_variance = self.posterior(pooled).chunk(2, dim=-1)
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
        z = mean + torch.exp(0.5 * log_variance) * noise
        inputs = functional.pad(x[:, :-1], (1, 0), value=_BOS)
        inputs = torch.where(hidden & (inputs >= _SPECIALS), _UNK, inputs)
        each = z[:, None].expand(-1, x.shape[1], -1)
        states = [s[None].contiguous() for s in torch.tanh(self.first(z)).chunk(2, dim=-1)]
        h, _ = self.decoder(torch.cat([self.words(inputs), each], -1), (states[0], states[1]))
        nll = functional.cross_entropy(self.head(h).flatten(0, 1), x.flatten(), reduction="sum")
        return (nll + kl) / x.numel()


def text_vae(
    mode: str,
    iterations: int,
    *,
    vocab_size: int,
    embed_dim: int,
    units: int,
    latent_dim: int,
    length: int,
    num_examples: int,
    batch_size: int,
    word_dropout: float,
    learning_rate: float,
    clip_norm: float,
) -> Timed:
    """Sets up the row `text_vae`: `iterations` updates a run."""
    settle(mode)
    model = TextVAE(vocab_size, embed_dim, units, latent_dim)
    minimize = minimizer(mode, model, adam(model, learning_rate), clip_norm)
    sentences = torch.randint(_SPECIALS, vocab_size, (num_examples, length))

    def update() -> None:
        noise, u = torch.randn(batch_size, latent_dim), torch.rand(batch_size, length)
        minimize(drawn(sentences, batch_size), noise, u < word_dropout)

    return timed_updates(update, iterations, mode)
