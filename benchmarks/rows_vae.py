"""Rows of variational autoencoders."""

from typing import Any

from benchmarks import floor
from benchmarks.floor import Product
from benchmarks.harness import Side
from benchmarks.rows import Row

_DENSE: dict[str, Any] = {
    "size": 784, "hidden": [400], "latent_dim": 20, "num_examples": 60_000, "batch_size": 128,
    "learning_rate": 1e-3,
}  # fmt: skip
_IWAE: dict[str, Any] = {**_DENSE, "importance_samples": 50}
_SAMPLES: dict[str, Any] = {**_DENSE, "num_samples": 10_000}


def rows() -> list[Row]:
    """The rows `vae_torch`, `vae_pythae`, `iwae` and `vae_samples`."""
    updates = _DENSE["num_examples"] // _DENSE["batch_size"]
    epoch, ten = {"epochs": 1, **_DENSE}, {"iterations": 10, **_IWAE}
    samples = {"iterations": 10, **_SAMPLES}
    training = ("eager", "compiled", "compiled_step")
    return [
        Row(
            "vae_torch", "PyTorch", f"epoch ({updates} updates)",
            Side("scan", "benchmarks.ours:vae", epoch), _torch("dense", training, epoch),
            products=tuple(floor.times(updates, floor.autoencoder(_network(1)))), settings=_DENSE,
        ),
        Row(
            "vae_pythae", "pythae", f"epoch ({updates} updates)",
            Side("scan", "benchmarks.ours:vae", epoch),
            (Side("trainer", "benchmarks.peers.pythae_vae:dense", epoch, ("pythae", "torch")),),
            products=tuple(floor.times(updates, floor.autoencoder(_network(1)))), rounds=5,
            settings=_DENSE,
        ),
        Row(
            "iwae", "PyTorch", f"update (batch {_IWAE['batch_size']}, 50 draws each)",
            Side("scan", "benchmarks.ours:iwae", ten), _torch("iwae", training, ten),
            products=tuple(floor.autoencoder(_network(50))), settings=_IWAE,
        ),
        Row(
            "vae_samples", "PyTorch", f"{_SAMPLES['num_samples']} images sampled",
            Side("scan", "benchmarks.ours:vae_samples", samples),
            _torch("samples", ("eager", "compiled"), samples),
            products=tuple(floor.dense(_SAMPLES["num_samples"], _decoder())), settings=_SAMPLES,
        ),
    ]  # fmt: skip


def _torch(function: str, modes: tuple[str, ...], arguments: dict[str, Any]) -> tuple[Side, ...]:
    target = f"benchmarks.peers.torch_vae:{function}"
    return tuple(Side(mode, target, {"mode": mode, **arguments}, ("torch",)) for mode in modes)


def _network(draws: int) -> list[Product]:
    """Forward products: the encoder once, the decoder for every draw."""
    batch, widths = _DENSE["batch_size"], [_DENSE["size"], *_DENSE["hidden"]]
    encoder = floor.dense(batch, [*widths, 2 * _DENSE["latent_dim"]])
    return [*encoder, *floor.dense(draws * batch, _decoder())]


def _decoder() -> list[int]:
    return [_DENSE["latent_dim"], *reversed(_DENSE["hidden"]), _DENSE["size"]]
