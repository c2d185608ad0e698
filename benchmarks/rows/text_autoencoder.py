"""Row of text autoencoders: sizes of the recipe on definitions, sentences without padding."""

from typing import Any

import numpy as np

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers
from genjax.core.family import DataSpec
from genjax.core.tokens import NUM_SPECIALS

_VAE: dict[str, Any] = {
    "vocab_size": 10_000, "embed_dim": 128, "units": 256, "latent_dim": 32, "length": 24,
    "num_examples": 20_000, "batch_size": 64, "word_dropout": 0.3, "learning_rate": 1e-3,
    "clip_norm": 5.0,
}  # fmt: skip


def rows() -> list[Row]:
    """Makes the row `text_vae`."""
    run = {"iterations": 3, **_VAE}
    return [
        Row(
            "text_vae",
            "PyTorch",
            f"update ({_VAE['batch_size']} sentences of {_VAE['length']} tokens)",
            ours(text_vae, run),
            peers("torch_text_vae:text_vae", "eager compiled", run),
            products=tuple(floor.update(_network())),
            rounds=7,
            settings=_VAE,
        )
    ]


def text_vae(
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
    """Sets up our side: `iterations` updates a run, scanned."""
    config = training.recipe("text_vae", batch_size=batch_size)
    config.model.update(
        cell="lstm",
        embed_dim=embed_dim,
        hidden=units,
        layers=1,
        latent_dim=latent_dim,
        bidirectional=True,
        pooling="max",
        every_step=True,
        dropout=0.0,
    )
    config.loss.update(
        word_dropout=word_dropout,
        kl_weight=1.0,
        kl_annealing="constant",
        free_bits=0.0,
        logits_chunk=0,
        drop=0.0,
        swap=0,
        mask=0.0,
    )
    config.optimizer.update(
        training.ADAM, learning_rate=learning_rate, weight_decay=0.0, clip_norm=clip_norm
    )
    kind, rng = np.min_scalar_type(vocab_size - 1), np.random.default_rng(0)
    x = rng.integers(NUM_SPECIALS, vocab_size, (num_examples, length), kind)
    sentences = training.rows(DataSpec("sentence", (length,), vocab_size=vocab_size), x=x)
    return training.timed(config, sentences, iterations)


def _network() -> list[Product]:
    """Counts the forward products of encoder (two directions), latents, decoder and output."""
    batch, steps, width, units, latents = (
        _VAE[name] for name in ("batch_size", "length", "embed_dim", "units", "latent_dim")
    )
    tokens = batch * steps
    return [
        Product(tokens, width, 4 * units, 2), Product(batch, units, 4 * units, 2 * steps),
        Product(batch, 2 * units, 2 * latents), Product(batch, latents, 2 * units),
        Product(tokens, width + latents, 4 * units), Product(batch, units, 4 * units, steps),
        Product(tokens, units, _VAE["vocab_size"]),
    ]  # fmt: skip
