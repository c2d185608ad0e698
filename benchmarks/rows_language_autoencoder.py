"""Row of text autoencoders: sizes of the recipe on definitions, sentences without padding."""

from typing import Any

from benchmarks import floor
from benchmarks.floor import Product
from benchmarks.harness import Side
from benchmarks.rows import Row

_VAE: dict[str, Any] = {
    "vocab_size": 10_000, "embed_dim": 128, "units": 256, "latent_dim": 32, "length": 24,
    "num_examples": 20_000, "batch_size": 64, "word_dropout": 0.3, "learning_rate": 1e-3,
    "clip_norm": 5.0,
}  # fmt: skip


def rows() -> list[Row]:
    """The row `text_vae`."""
    run, target = {"iterations": 3, **_VAE}, "benchmarks.peers.torch_text_vae:text_vae"
    forward = _forward()
    update = [
        *floor.forward(forward), *floor.weight_gradients(forward), *floor.input_gradients(forward)
    ]  # fmt: skip
    return [
        Row(
            "text_vae", "PyTorch",
            f"update ({_VAE['batch_size']} sentences of {_VAE['length']} tokens)",
            Side("scan", "benchmarks.ours_text_vae:text_vae", run),
            tuple(Side(m, target, {"mode": m, **run}, ("torch",)) for m in ("eager", "compiled")),
            products=tuple(floor.merged(update)), rounds=7, settings=_VAE,
        )
    ]  # fmt: skip


def _forward() -> list[Product]:
    """Forward products of an encoder of two directions, the latents, the decoder and its output."""
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
