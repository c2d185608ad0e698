"""Rows of variational autoencoders."""

from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers
from benchmarks.harness.sides import Side
from genjax.data.source import Dataset

_DENSE: dict[str, Any] = {
    "size": 784, "hidden": [400], "latent_dim": 20, "num_examples": 60_000, "batch_size": 128,
    "learning_rate": 1e-3,
}  # fmt: skip
_IWAE: dict[str, Any] = {**_DENSE, "importance_samples": 50}
_SAMPLES: dict[str, Any] = {**_DENSE, "num_samples": 10_000}
_MODES = "eager compiled compiled_step"


def rows() -> list[Row]:
    """Makes the rows `vae_torch`, `vae_pythae`, `iwae` and `vae_samples`."""
    updates = _DENSE["num_examples"] // _DENSE["batch_size"]
    epoch, ten = {"epochs": 1, **_DENSE}, {"iterations": 10, **_IWAE}
    samples, unit = {"iterations": 10, **_SAMPLES}, f"epoch ({updates} updates)"
    an_epoch = tuple(floor.times(updates, products(**_DENSE)))
    return [
        Row(
            "vae_torch",
            "PyTorch",
            unit,
            ours(vae, epoch),
            peers("torch_vae:dense", _MODES, epoch),
            products=an_epoch,
            settings=_DENSE,
        ),
        Row(
            "vae_pythae",
            "pythae",
            unit,
            ours(vae, epoch),
            (Side("trainer", "benchmarks.peers.pythae_vae:dense", epoch, ("pythae", "torch")),),
            products=an_epoch,
            rounds=5,
            settings=_DENSE,
        ),
        Row(
            "iwae",
            "PyTorch",
            f"update (batch {_IWAE['batch_size']}, 50 draws each)",
            ours(iwae, ten),
            peers("torch_vae:iwae", _MODES, ten),
            products=tuple(products(**_IWAE)),
            settings=_IWAE,
        ),
        Row(
            "vae_samples",
            "PyTorch",
            f"{_SAMPLES['num_samples']} images sampled",
            ours(vae_samples, samples),
            peers("torch_vae:samples", "eager compiled", samples),
            products=tuple(floor.dense(_SAMPLES["num_samples"], _decoder())),
            settings=_SAMPLES,
        ),
    ]


def vae(epochs: int, **recipe: Any) -> Timed:
    """Sets up our side of `vae_*`: `epochs` a run of num_examples // batch_size updates each."""
    updates = epochs * (recipe["num_examples"] // recipe["batch_size"])
    return training.timed(*_config_and_data(**recipe), updates, epochs)


def iwae(iterations: int, **recipe: Any) -> Timed:
    """Sets up our side of `iwae`: `iterations` updates a run."""
    return training.timed(*_config_and_data(**recipe), iterations)


def vae_samples(iterations: int, *, num_samples: int, **recipe: Any) -> Timed:
    """Sets up our side of `vae_samples`: `iterations` times `num_samples` images a run."""
    executor = training.executor(*_config_and_data(**recipe))
    state = executor.init()

    def run() -> None:
        for _ in range(iterations):
            executor.sample(state, num_samples)

    run()
    return Timed(run, units=iterations, info=training.described(executor))


def _config_and_data(
    num_examples: int,
    batch_size: int,
    *,
    size: int,
    hidden: Sequence[int],
    latent_dim: int,
    learning_rate: float,
    importance_samples: int = 1,
) -> tuple[ConfigDict, Dataset]:
    config = training.recipe("vae", batch_size=batch_size)
    config.model.update(
        network="mlp",
        latent_dim=latent_dim,
        encoder_hidden=tuple(hidden),
        decoder_hidden=tuple(reversed(hidden)),
        activation="relu",
        conditional=False,
    )
    config.loss.update(
        likelihood="bernoulli",
        binarize="none",
        kl_weight=1.0,
        kl_warmup_steps=0,
        free_bits=0.0,
        importance_samples=importance_samples,
    )
    config.optimizer.update(training.ADAM, learning_rate=learning_rate)
    return config, training.images(num_examples, round(size**0.5))


def products(
    *,
    size: int,
    hidden: Sequence[int],
    latent_dim: int,
    batch_size: int,
    importance_samples: int = 1,
    **_: Any,
) -> list[Product]:
    """Counts the products of an update: the encoder once, the decoder for every draw."""
    encoder = floor.dense(batch_size, [size, *hidden, 2 * latent_dim])
    widths = [latent_dim, *reversed(hidden), size]
    return floor.autoencoder([*encoder, *floor.dense(importance_samples * batch_size, widths)])


def _decoder() -> list[int]:
    return [_DENSE["latent_dim"], *reversed(_DENSE["hidden"]), _DENSE["size"]]
