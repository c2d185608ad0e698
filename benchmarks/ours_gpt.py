"""genjax's sides of the rows of `benchmarks/rows_language_gpt.py`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from benchmarks import ours
from benchmarks.child import Timed
from benchmarks.harness import ROOT
from genjax import families, recipes
from genjax.core.family import DataSpec
from genjax.data.source import Dataset
from genjax.data.text.windows import Windows
from genjax.engine.compilation_cache import enable_compilation_cache
from genjax.generation import Sampling, decoder_of, generate
from genjax.losses import chunked_cross_entropy, token_cross_entropy
from genjax.ops.cross_entropy import token_logits


def training(steps: int, *, batch_size: int, num_tokens: int, learning_rate: float,
             weight_decay: float, clip_norm: float, **model: int) -> Timed:  # fmt: skip
    """The row `gpt`: `steps` updates a run, scanned."""
    config = _config(**model)
    config.batch_size = batch_size
    config.optimizer.update(
        name="adam", schedule="constant", warmup_steps=0, learning_rate=learning_rate, b1=0.9,
        b2=0.99, weight_decay=weight_decay, clip_norm=clip_norm,
    )  # fmt: skip
    tokens = np.random.default_rng(0).integers(5, model["vocab_size"], num_tokens, np.uint8)
    source = Windows(tokens, model["length"])
    executor = ours._executor(config, Dataset(_spec(**model), source, source))
    return ours._steps(executor, steps, steps)


def decoding(batch_size: int, size: int, **model: int) -> Timed:
    """The rows `gpt_decode_*`: `size` tokens behind prompts of one token, drawn, as one program."""
    enable_compilation_cache()
    family = families.build(_config(**model), _spec(**model), ours._TOTAL_STEPS)
    state = jax.jit(family.init)(jax.random.key(0))
    prompt = jnp.full((batch_size, 1), 5, jnp.int32)

    @jax.jit
    def write(state: Any, prompt: jax.Array, key: jax.Array) -> jax.Array:
        start, decode = family.functions["start"], family.functions["decode"]
        decoder = decoder_of(state, start, decode, model["length"])
        return generate(decoder, prompt, key, Sampling(), size, size=size)

    def run() -> None:
        write(state, prompt, jax.random.key(1)).block_until_ready()

    run()
    return Timed(run, info={"settings": "one program"})


def cross_entropy(rows: int, places: int, width: int, vocab_size: int, chunk: int) -> Timed:
    """The rows `cross_entropy_*`: loss and both gradients; its result is the memory it took."""

    def loss(hidden: jax.Array, kernel: jax.Array, target: jax.Array) -> jax.Array:
        if not chunk:
            return token_cross_entropy(token_logits(hidden, kernel), target).mean()
        return chunked_cross_entropy(hidden, kernel, target, chunk=chunk).mean()

    keys = jax.random.split(jax.random.key(0), 3)
    arguments = (
        jax.random.normal(keys[0], (rows, places, width)),
        0.02 * jax.random.normal(keys[1], (width, vocab_size)),
        jax.random.randint(keys[2], (rows, places), 5, vocab_size),
    )
    program = jax.jit(jax.grad(loss, (0, 1))).lower(*arguments).compile()
    memory: Any = program.memory_analysis()
    megabytes = memory.temp_size_in_bytes / 2**20

    def run() -> float:
        jax.block_until_ready(program(*arguments))
        return megabytes

    run()
    settings = f"{chunk or places} places at once: {megabytes:.0f} MiB beside results"
    return Timed(run, info={"settings": settings})


def _config(*, num_layers: int, num_heads: int, width: int, length: int, **_: int) -> ConfigDict:
    """The recipe's layers, which are nanoGPT's."""
    config = recipes.load(str(ROOT / "configs" / "gpt.py")).unlock()
    config.model.update(num_layers=num_layers, num_heads=num_heads, width=width)
    config.data.length, config.ema_decay, config.loss.bos_rate = length, 0.0, 0.0
    return config


def _spec(*, vocab_size: int, length: int, **_: int) -> DataSpec:
    return DataSpec("text", (length + 1,), vocab_size=vocab_size)
