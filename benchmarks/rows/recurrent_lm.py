"""Rows of recurrent language models: an update of the LSTMs of Zaremba et al. 2014, no dropout."""

from typing import Any

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers

_TRAINING: dict[str, Any] = {
    "vocab_size": 10_000, "layers": 2, "batch_size": 20, "length": 35, "num_tokens": 900_000,
    "learning_rate": 1.0, "clip_norm": 5.0,
}  # fmt: skip
_STEPS = {200: 5, 650: 2}  # updates a run, by units of a layer: the small and the medium model


def rows() -> list[Row]:
    """Makes the rows `lstm_lm_200` and `lstm_lm_650`."""
    return [
        Row(
            f"lstm_lm_{units}",
            "PyTorch",
            f"update ({_TRAINING['batch_size']} windows of {_TRAINING['length']} tokens)",
            ours(update, run),
            peers("torch_lstm:training", "eager compiled", run),
            products=tuple(products(**settings)),
            rounds=7,
            settings=settings,
        )
        for units, steps in _STEPS.items()
        for settings in [{"units": units, **_TRAINING}]
        for run in [{"steps": steps, **settings}]
    ]


def update(
    steps: int,
    *,
    vocab_size: int,
    units: int,
    layers: int,
    batch_size: int,
    length: int,
    num_tokens: int,
    learning_rate: float,
    clip_norm: float,
) -> Timed:
    """Sets up our side: `steps` updates a run, scanned."""
    config = training.recipe("lstm_lm", batch_size=batch_size)
    config.loss.bos_rate = 0.0
    config.model.update(
        cell="lstm",
        embed_dim=units,
        hidden=units,
        layers=layers,
        tie_embeddings=False,
        dropout=0.0,
        recurrent_dropout=0.0,
    )
    config.optimizer.update(
        name="sgd",
        b1=0.0,
        schedule="constant",
        warmup_steps=0,
        learning_rate=learning_rate,
        weight_decay=0.0,
        clip_norm=clip_norm,
    )
    text = training.windows(num_tokens, length, vocab_size)
    return training.timed(config, text, steps)


def products(
    *, vocab_size: int, units: int, layers: int, batch_size: int, length: int, **_: Any
) -> list[Product]:
    """Counts the products of an update, of which those with the state are one a step."""
    places = batch_size * length
    return floor.update(
        [
            Product(places, units, 4 * units, layers),
            Product(batch_size, units, 4 * units, layers * length),
            Product(places, units, vocab_size),
        ]
    )
