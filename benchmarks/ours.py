"""genjax's sides: families from their recipes, run by the engine's own executors.

Data is random numbers of the right shape, uint8 on the device as real images are: arithmetic does
not depend on their values.
"""

import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from benchmarks.child import Timed
from benchmarks.harness import ROOT
from genjax import data, families, recipes
from genjax.core.family import DataSpec
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset
from genjax.engine.compilation_cache import enable_compilation_cache
from genjax.engine.executor import Executor
from genjax.engine.executors import make_executor

_ADAM = {"name": "adam", "schedule": "constant"}
_TOTAL_STEPS = 10**6


def wgan_gp_mlp(
    iterations: int, *, latent_dim: int, generator_hidden: Sequence[int],
    critic_hidden: Sequence[int], height: int, num_examples: int, **recipe: Any,
) -> Timed:  # fmt: skip
    """The row `wgan_gp_mlp`: `iterations` a run, scanned."""
    config = _wgan(recipe)
    config.model.update(
        network="mlp", latent_dim=latent_dim, generator_hidden=tuple(generator_hidden),
        critic_hidden=tuple(critic_hidden), generator_activation="leaky_relu",
        critic_activation="leaky_relu", generator_norm="batch", critic_norm="none",
    )  # fmt: skip
    return _steps(_executor(config, _images(num_examples, height)), iterations, iterations)


def wgan_gp_conv(
    iterations: int, *, latent_dim: int, channels: Sequence[int], height: int, num_examples: int,
    colors: int = 1, lowering: str = "auto", **recipe: Any,
) -> Timed:  # fmt: skip
    """The rows `wgan_gp_conv`, `wgan_gp_conv_stock`, `wgan_gp_64`: `iterations` a run, scanned."""
    config = _wgan(recipe)
    config.model.update(
        network="conv", latent_dim=latent_dim, generator_channels=tuple(channels),
        critic_channels=tuple(channels), generator_activation="relu",
        critic_activation="leaky_relu", generator_norm="none", critic_norm="none",
        conv_lowering=lowering,
    )  # fmt: skip
    executor = _executor(config, _images(num_examples, height, colors))
    return _steps(executor, iterations, iterations, warm_up=lowering != "stock")


def dcgan(iterations: int, *, latent_dim: int, channels: Sequence[int], height: int,
          num_examples: int, batch_size: int, **rates: Any) -> Timed:  # fmt: skip
    """The row `dcgan`: `iterations` a run, scanned."""
    config = recipes.load(str(ROOT / "configs" / "dcgan.py")).unlock()
    config.batch_size, config.ema_decay = batch_size, 0.0
    config.model.update(
        network="conv", latent_dim=latent_dim, generator_channels=tuple(channels),
        critic_channels=tuple(channels), generator_activation="relu",
        critic_activation="leaky_relu", generator_norm="batch", critic_norm="batch",
    )  # fmt: skip
    config.loss.update(adversarial="non_saturating", penalty="none", n_critic=1)
    config.loss.update(label_smoothing=0.0, instance_noise=0.0)
    config.optimizer.update(_ADAM, **rates)
    config.critic_optimizer.update(_ADAM, **rates)
    executor = _executor(config, _images(num_examples, height))
    return _steps(executor, iterations, iterations)


def autoencoder(epochs: int, *, size: int, hidden: Sequence[int], latent_dim: int,
                num_examples: int, batch_size: int, learning_rate: float,
                masking: float = 0.0) -> Timed:  # fmt: skip
    """The rows `autoencoder_*` and, with `masking`, `denoising_autoencoder`.

    `epochs` a run of num_examples // batch_size updates each.
    """
    config = recipes.load(str(ROOT / "configs" / "autoencoder.py")).unlock()
    config.batch_size = batch_size
    config.model.update(
        network="mlp", latent_dim=latent_dim, encoder_hidden=tuple(hidden),
        decoder_hidden=tuple(reversed(hidden)), activation="relu", dropout=0.0,
    )  # fmt: skip
    config.loss.update(likelihood="bernoulli", code_l1=0.0, l2=0.0)
    config.loss.update(corruption="masking" if masking else "none", corruption_level=masking)
    config.optimizer.update(_ADAM, learning_rate=learning_rate, b1=0.9, b2=0.999)
    config.ema_decay = 0.0
    executor = _executor(config, _images(num_examples, round(size**0.5)))
    return _steps(executor, epochs * (num_examples // batch_size), epochs)


def vae(epochs: int, *, num_examples: int, batch_size: int, **recipe: Any) -> Timed:
    """The rows `vae_*`: `epochs` a run of num_examples // batch_size updates each."""
    executor = _vae(num_examples, batch_size, **recipe)
    return _steps(executor, epochs * (num_examples // batch_size), epochs)


def iwae(iterations: int, **recipe: Any) -> Timed:
    """The row `iwae`: `iterations` updates a run."""
    return _steps(_vae(**recipe), iterations, iterations)


def vae_samples(iterations: int, *, num_samples: int, **recipe: Any) -> Timed:
    """The row `vae_samples`: `iterations` times `num_samples` images a run, each on the host."""
    executor = _vae(**recipe)
    state = executor.init()

    def run() -> None:
        for _ in range(iterations):
            executor.sample(state, num_samples)

    run()
    return Timed(run, units=iterations, info={"settings": _settings(executor)})


def _vae(num_examples: int, batch_size: int, *, size: int, hidden: Sequence[int], latent_dim: int,
         learning_rate: float, importance_samples: int = 1) -> Executor:  # fmt: skip
    config = recipes.load(str(ROOT / "configs" / "vae.py")).unlock()
    config.batch_size = batch_size
    config.model.update(
        network="mlp", latent_dim=latent_dim, encoder_hidden=tuple(hidden),
        decoder_hidden=tuple(reversed(hidden)), activation="relu", conditional=False,
    )  # fmt: skip
    config.loss.update(likelihood="bernoulli", binarize="none", kl_weight=1.0, free_bits=0.0)
    config.loss.update(kl_warmup_steps=0, importance_samples=importance_samples)
    config.optimizer.update(_ADAM, learning_rate=learning_rate, b1=0.9, b2=0.999)
    config.ema_decay = 0.0
    return _executor(config, _images(num_examples, round(size**0.5)))


def flow_matching(steps: int, *, height: int, num_examples: int, batch_size: int,
                  learning_rate: float, **model: Any) -> Timed:  # fmt: skip
    """The row `flow_matching`: `steps` updates a run."""
    config = recipes.load(str(ROOT / "configs" / "flow_matching.py")).unlock()
    config.batch_size, config.ema_decay = batch_size, 0.0
    config.model.update(model | {"channels": tuple(model["channels"])})
    config.optimizer.update(_ADAM, learning_rate=learning_rate, warmup_steps=0)
    return _steps(_executor(config, _images(num_examples, height)), steps, steps)


def population(members: int, steps: int, *, hidden: Sequence[int], batch_size: int) -> Timed:
    """The row `population`: `members` ring WGAN-GPs vmapped, `steps` updates a run."""
    executor = _ring(hidden, batch_size, "vmap", members)
    return _steps(executor, steps, members)


def singles(members: int, steps: int, *, hidden: Sequence[int], batch_size: int) -> Timed:
    """The other side of `population`: the same runs one after another, compiled once, scanned."""
    executor = _ring(hidden, batch_size, "scan", 1)
    init = jax.jit(lambda seed: executor.family.init(jax.random.key(seed)))
    states, made = [init(seed) for seed in range(members)], 0

    def run() -> None:
        nonlocal made
        for i, state in enumerate(states):
            states[i] = _advance(executor, state, made, steps)
            jax.block_until_ready(states[i])
        made += steps

    run()
    return Timed(run, units=members, info={"settings": _settings(executor)})


def _ring(hidden: Sequence[int], batch_size: int, kind: str, members: int) -> Executor:
    config = _wgan({"batch_size": batch_size, "n_critic": 5, "penalty_weight": 0.1})
    config.model.update(
        network="mlp", latent_dim=2, generator_hidden=tuple(hidden), critic_hidden=tuple(hidden),
        generator_activation="relu", critic_activation="relu",
        generator_norm="none", critic_norm="none",
    )  # fmt: skip
    config.data.name, config.executor, config.num_seeds = "ring", kind, members
    return _executor(config, data.load(config.data))


def _wgan(recipe: dict[str, Any]) -> ConfigDict:
    """The WGAN-GP recipe with what the peers leave out (schedule, moving average) left out."""
    config = recipes.load(str(ROOT / "configs" / "wgan_gp.py")).unlock()
    config.batch_size, config.ema_decay = recipe["batch_size"], 0.0
    config.loss.n_critic, config.loss.penalty_every = recipe["n_critic"], 1
    config.loss.penalty_weight = float(recipe["penalty_weight"])
    rates = {k: recipe[k] for k in ("learning_rate", "b1", "b2") if k in recipe}
    config.optimizer.update(_ADAM, **rates)
    config.critic_optimizer.update(_ADAM, **rates)
    return config


def _images(num_examples: int, height: int, colors: int = 1) -> Dataset:
    shape = (height, height, colors)
    x = np.random.default_rng(0).integers(0, 256, (num_examples, *shape), np.uint8)
    source = Resident({"x": x})
    return Dataset(DataSpec("image", shape), source, source)


def _executor(config: ConfigDict, dataset: Dataset) -> Executor:
    enable_compilation_cache()
    family = families.build(config, dataset.spec, _TOTAL_STEPS)
    return make_executor(family, dataset, config)


def _steps(executor: Executor, steps: int, units: float, warm_up: bool = True) -> Timed:
    """A side whose run makes `steps` updates."""
    state, made = executor.init(), 0

    def run() -> None:
        nonlocal state, made
        state = _advance(executor, state, made, steps)
        jax.block_until_ready(state)
        made += steps

    if warm_up:
        run()
    else:
        state, made = _advance(executor, state, 0, 0), 0  # compiles and makes no step
        jax.block_until_ready(state)
    return Timed(run, units=units, info={"settings": _settings(executor)})


def _advance(executor: Executor, state: Any, first: int, steps: int) -> Any:
    """`steps` updates in the executor's chunks; dispatched, not waited for."""
    for start in range(first, first + max(steps, 1), executor.chunk):
        n = min(executor.chunk, first + steps - start)
        state, _ = executor.run(state, start, n)
    return state


def _settings(executor: Executor) -> str:
    kind = executor.config.executor
    return f"executor {kind}, chunks of {executor.chunk} steps, {os.cpu_count()} cores"
