"""Rows of autoencoders: the classic dense one, and a denoising one."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers
from benchmarks.harness.sides import Side

_DATA = {"size": 784, "num_examples": 60_000, "batch_size": 128, "learning_rate": 1e-3}
_DENSE: dict[str, Any] = {"hidden": [64], "latent_dim": 32, **_DATA}
_DENOISING: dict[str, Any] = {"hidden": [256], "latent_dim": 64, "masking": 0.3, **_DATA}
_UPDATES = 60_000 // 128
_MODES = "eager compiled compiled_step"


def rows() -> list[Row]:
    """Makes the rows `autoencoder_torch`, `autoencoder_keras` and `denoising_autoencoder`."""
    run, denoising = {"epochs": 1, **_DENSE}, {"epochs": 1, **_DENOISING}
    unit = f"epoch ({_UPDATES} updates)"

    def keras(backend: str, steps_per_execution: int = 1) -> Side:
        label = backend if steps_per_execution == 1 else f"{backend}, {steps_per_execution} steps"
        arguments = {"steps_per_execution": steps_per_execution, **run}
        target = "benchmarks.peers.keras_autoencoder:dense"
        return Side(label, target, arguments, ("keras", backend), {"KERAS_BACKEND": backend})

    return [
        Row(
            "autoencoder_torch",
            "PyTorch",
            unit,
            ours(autoencoder, run),
            peers("torch_autoencoder:dense", _MODES, run),
            products=_products(_DENSE),
            settings=_DENSE,
        ),
        Row(
            "autoencoder_keras",
            "Keras 3",
            unit,
            ours(autoencoder, run),
            (keras("jax", 52), keras("torch")),
            (keras("jax"), keras("jax", 468)),
            _products(_DENSE),
            rounds=5,
            settings=_DENSE,
        ),
        Row(
            "denoising_autoencoder",
            "PyTorch",
            unit,
            ours(autoencoder, denoising),
            peers("torch_autoencoder:dense", _MODES, denoising),
            products=_products(_DENOISING),
            settings=_DENOISING,
        ),
    ]


def autoencoder(
    epochs: int,
    *,
    size: int,
    hidden: Sequence[int],
    latent_dim: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
    masking: float = 0.0,
) -> Timed:
    """Sets up our side: `epochs` a run of num_examples // batch_size updates each, scanned."""
    config = training.recipe("autoencoder", batch_size=batch_size)
    config.model.update(
        network="mlp",
        latent_dim=latent_dim,
        encoder_hidden=tuple(hidden),
        decoder_hidden=tuple(reversed(hidden)),
        activation="relu",
        dropout=0.0,
    )
    config.loss.update(
        likelihood="bernoulli",
        code_l1=0.0,
        l2=0.0,
        corruption_level=masking,
        corruption="masking" if masking else "none",
    )
    config.optimizer.update(training.ADAM, learning_rate=learning_rate)
    images = training.images(num_examples, round(size**0.5))
    return training.timed(config, images, epochs * (num_examples // batch_size), epochs)


def _products(settings: Mapping[str, Any]) -> tuple[Product, ...]:
    """Counts the products of an epoch."""
    half = [settings["size"], *settings["hidden"], settings["latent_dim"]]
    network = floor.dense(settings["batch_size"], [*half, *half[-2::-1]])
    return tuple(floor.times(_UPDATES, floor.autoencoder(network)))
