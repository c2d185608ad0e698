"""The dense autoencoder in Keras 3, by `model.fit`; the backend is KERAS_BACKEND of the process."""

from collections.abc import Sequence

import keras
import numpy as np

from benchmarks.harness.child import Timed
from benchmarks.harness.machine import cores


def dense(
    epochs: int,
    *,
    size: int,
    hidden: Sequence[int],
    latent_dim: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
    steps_per_execution: int = 1,
) -> Timed:
    """Sets up the row `autoencoder_keras`: `epochs` a run, of whole batches only."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        torch.set_num_threads(cores())
        torch.set_flush_denormal(True)
    keras.utils.set_random_seed(0)
    model = network(size, hidden, latent_dim)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        # Compiling is Keras's own default with JAX; with PyTorch it is not, and is no faster here.
        jit_compile=backend == "jax",
        steps_per_execution=steps_per_execution,
    )
    whole = num_examples // batch_size * batch_size
    x = np.random.default_rng(0).random((whole, size), np.float32)

    def run() -> None:
        model.fit(x, x, batch_size=batch_size, epochs=epochs, verbose=0, shuffle=True)

    run()
    settings = f"{backend} backend, model.fit, steps_per_execution={steps_per_execution}"
    return Timed(run, units=epochs, info={"settings": settings})


def network(size: int, hidden: Sequence[int], latent_dim: int) -> keras.Model:
    """Makes layers of the given widths with ReLU between, a linear code, logits out."""
    layers = [keras.layers.Dense(n, activation="relu") for n in hidden]
    layers += [keras.layers.Dense(latent_dim)]
    layers += [keras.layers.Dense(n, activation="relu") for n in reversed(hidden)]
    layers += [keras.layers.Dense(size)]
    return keras.Sequential([keras.Input((size,)), *layers])
