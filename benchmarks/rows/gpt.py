"""Rows of GPT: training, decoding, and the memory of the cross-entropy over large vocabularies."""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers
from benchmarks.harness.sides import Side
from genjax.core.family import DataSpec
from genjax.generation import Sampling, decoder_of, generate
from genjax.losses import chunked_cross_entropy, token_cross_entropy
from genjax.ops.cross_entropy import token_logits

# nanoGPT's CPU model and batch; the vocabulary is that of Shakespeare's characters.
_MODEL: dict[str, Any] = {
    "vocab_size": 70, "length": 64, "num_layers": 4, "num_heads": 4, "width": 128,
}  # fmt: skip
_TRAINING: dict[str, Any] = {
    "batch_size": 12, "num_tokens": 1_000_000, "learning_rate": 1e-3, "weight_decay": 0.1,
    "clip_norm": 1.0, **_MODEL,
}  # fmt: skip
_HEAD = {"rows": 4, "places": 256, "width": 256}
_VOCABULARIES = {"32k": 32_768, "128k": 131_072}
_CHUNK = 16


def rows() -> list[Row]:
    """Makes the rows `gpt`, `gpt_decode_*` and `cross_entropy_*`."""
    run = {"steps": 20, **_TRAINING}
    return [
        Row(
            "gpt",
            "nanoGPT's model in PyTorch",
            "update (12 windows of 64 characters)",
            ours(update, run),
            peers("torch_gpt:training", "eager compiled", run),
            products=tuple(products(**_TRAINING)),
            settings=_TRAINING,
        ),
        *(_decoding_row(n, peer) for n in (1, 32) for peer in ("nanoGPT", "transformers")),
        *(_cross_entropy_row(name, size) for name, size in _VOCABULARIES.items()),
    ]


def _decoding_row(batch_size: int, peer: str) -> Row:
    run = {"batch_size": batch_size, "size": _MODEL["length"] - 2, **_MODEL}
    name, theirs = f"gpt_decode_{batch_size}", "benchmarks.peers.torch_gpt:decoding"
    packages: tuple[str, ...] = ("torch",)
    if peer == "transformers":
        name, theirs = f"{name}_transformers", "benchmarks.peers.hf_gpt:decoding"
        packages = ("torch", "transformers")
    else:
        peer = "nanoGPT's generate in PyTorch"
    unit = f"{run['size']} characters behind one, {batch_size} texts at once"
    side = ours(decoding, run, "one program")
    return Row(name, peer, unit, side, (Side("eager", theirs, run, packages),), settings=run)


def _cross_entropy_row(name: str, vocab_size: int) -> Row:
    whole, chunked = ({**_HEAD, "vocab_size": vocab_size, "chunk": n} for n in (0, _CHUNK))
    tokens = _HEAD["rows"] * _HEAD["places"]
    return Row(
        f"cross_entropy_{name}",
        "genjax with all logits at once",
        f"loss and gradients of {tokens} tokens",
        ours(cross_entropy, chunked, "chunked"),
        (ours(cross_entropy, whole, "whole"),),
        products=(Product(tokens, _HEAD["width"], vocab_size, 4),),
        rounds=3,
        settings=chunked,
    )


def update(
    steps: int,
    *,
    batch_size: int,
    num_tokens: int,
    learning_rate: float,
    weight_decay: float,
    clip_norm: float,
    precision: str = "float32",
    one_layer: bool = False,
    **model: int,
) -> Timed:
    """Sets up our side of `gpt`: `steps` updates a run, scanned.

    `one_layer`: of the program, which loops over the layers.
    """
    config = _config(**model)
    config.batch_size, config.precision, config.model.scan = batch_size, precision, one_layer
    config.optimizer.update(
        training.ADAM,
        b2=0.99,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        clip_norm=clip_norm,
    )
    text = training.windows(num_tokens, model["length"], model["vocab_size"])
    return training.timed(config, text, steps)


def decoding(batch_size: int, size: int, **model: int) -> Timed:
    """Sets up our side of `gpt_decode_*`: `size` tokens after one, as one program."""
    spec = DataSpec("text", (model["length"] + 1,), vocab_size=model["vocab_size"])
    family, state = training.built(_config(**model), spec)
    prompt = jnp.full((batch_size, 1), 5, jnp.int32)

    @jax.jit
    def write(state: Any, prompt: jax.Array, key: jax.Array) -> jax.Array:
        decoder = decoder_of(family, state)
        return generate(decoder, prompt, key, Sampling(), size, size=size)

    def run() -> None:
        write(state, prompt, jax.random.key(1)).block_until_ready()

    run()
    return Timed(run, info={"settings": "one program"})


def cross_entropy(rows: int, places: int, width: int, vocab_size: int, chunk: int) -> Timed:
    """Sets up both sides of `cross_entropy_*`: loss and gradients; the result is their memory."""

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
    """Makes the recipe with its layers, which are nanoGPT's."""
    config = training.recipe("gpt")
    config.model.update(num_layers=num_layers, num_heads=num_heads, width=width)
    config.data.length, config.loss.bos_rate = length, 0.0
    return config


def products(
    *,
    batch_size: int,
    vocab_size: int,
    length: int,
    num_layers: int,
    num_heads: int,
    width: int,
    **_: Any,
) -> list[Product]:
    """Counts the products of an update; those of attention as if each place saw all others."""
    layers = floor.transformer_layers(batch_size, length, num_layers, num_heads, width)
    return floor.update([*layers, Product(batch_size * length, width, vocab_size)])
