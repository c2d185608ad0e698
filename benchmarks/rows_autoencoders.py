"""Rows of the autoencoders that are more than the plain one of `benchmarks/rows.py`."""

from typing import Any

from benchmarks import floor
from benchmarks.harness import Side
from benchmarks.rows import Row

_DENOISING: dict[str, Any] = {
    "size": 784, "hidden": [256], "latent_dim": 64, "num_examples": 60_000, "batch_size": 128,
    "learning_rate": 1e-3, "masking": 0.3,
}  # fmt: skip


def rows() -> list[Row]:
    """The row `denoising_autoencoder`."""
    widths = [784, *_DENOISING["hidden"], _DENOISING["latent_dim"]]
    updates = _DENOISING["num_examples"] // _DENOISING["batch_size"]
    update = floor.autoencoder(floor.dense(_DENOISING["batch_size"], [*widths, *widths[-2::-1]]))
    run = {"epochs": 1, **_DENOISING}
    peers = [
        Side(mode, "benchmarks.peers.torch_autoencoder:dense", {"mode": mode, **run}, ("torch",))
        for mode in ("eager", "compiled", "compiled_step")
    ]
    return [
        Row(
            "denoising_autoencoder", "PyTorch", f"epoch ({updates} updates)",
            Side("scan", "benchmarks.ours:autoencoder", run), tuple(peers),
            products=tuple(floor.times(updates, update)), settings=_DENOISING,
        )
    ]  # fmt: skip
