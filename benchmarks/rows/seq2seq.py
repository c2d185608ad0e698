"""Row of the encoder-decoder with attention: sizes of Multi30k's recipe, sentences of its mean."""

from typing import Any

import numpy as np
from ml_collections import ConfigDict

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers
from genjax.core.family import DataSpec

PAIRS: dict[str, Any] = {
    "vocab_size": 5900, "length": 15, "num_examples": 29_000, "batch_size": 128,
    "learning_rate": 1e-3,
}  # fmt: skip
UNIT = f"update ({PAIRS['batch_size']} pairs of {PAIRS['length']} tokens)"
_SEQ2SEQ: dict[str, Any] = {"embed_dim": 256, "units": 512, "clip_norm": 1.0, **PAIRS}


def rows() -> list[Row]:
    """Makes the row `seq2seq_attention`."""
    run = {"iterations": 3, **_SEQ2SEQ}
    return [
        Row(
            "seq2seq_attention",
            "PyTorch",
            UNIT,
            ours(attention, run),
            peers("torch_seq2seq:attention", "eager compiled", run),
            products=tuple(floor.autoencoder(_network())),
            rounds=7,
            settings=_SEQ2SEQ,
        )
    ]


def attention(
    iterations: int, *, embed_dim: int, units: int, clip_norm: float, **pairs: Any
) -> Timed:
    """Sets up our side: `iterations` updates a run, scanned."""
    model = {"embed_dim": embed_dim, "hidden": units, "dropout": 0.0}
    config = translator("seq2seq_multi30k", model)
    return updates(config, iterations, clip_norm=clip_norm, **pairs)


def translator(recipe: str, model: dict[str, Any]) -> ConfigDict:
    """Makes the config of a recipe of pairs."""
    config = training.recipe(recipe, buckets=())
    config.model.update(model)
    return config


def spec(vocab_size: int, length: int, target_length: int) -> DataSpec:
    """Describes pairs of sentences of one vocabulary."""
    return DataSpec(
        "pair",
        (length,),
        vocab_size=vocab_size,
        target_shape=(target_length,),
        target_vocab_size=vocab_size,
    )


def updates(
    config: ConfigDict,
    iterations: int,
    *,
    vocab_size: int,
    length: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
    clip_norm: float = 0.0,
) -> Timed:
    """Makes a side that trains on pairs of sentences of `length` random tokens each."""
    config.batch_size, config.loss.label_smoothing = batch_size, 0.0
    config.optimizer.update(
        training.ADAM, learning_rate=learning_rate, eps=1e-8, clip_norm=clip_norm
    )
    ids = np.random.default_rng(0).integers(5, vocab_size, (2, num_examples, length), np.uint16)
    pairs = training.rows(spec(vocab_size, length, length), x=ids[0], y=ids[1])
    return training.timed(config, pairs, iterations)


def _network() -> list[Product]:
    """Counts the forward products of an encoder of two directions, a decoder and its output."""
    width, units, batch = _SEQ2SEQ["embed_dim"], _SEQ2SEQ["units"], PAIRS["batch_size"]
    half, steps = units // 2, PAIRS["length"]
    tokens = batch * steps
    return [
        Product(tokens, width, 4 * half, 2), Product(batch, half, 4 * half, 2 * steps),
        Product(tokens, units, units), Product(tokens, width, 4 * units),
        *floor.times(steps, [
            Product(batch, width + units, 4 * units), Product(batch, units, units),
            Product(batch, 2 * units, width),
        ]),
        Product(tokens, width, PAIRS["vocab_size"]),
    ]  # fmt: skip
