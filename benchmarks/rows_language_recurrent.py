"""Rows of recurrent language models: an update of the LSTMs of Zaremba et al. 2014, no dropout."""

from typing import Any

from benchmarks import floor
from benchmarks.floor import Product
from benchmarks.harness import Side
from benchmarks.rows import Row

_TRAINING: dict[str, Any] = {
    "vocab_size": 10_000, "layers": 2, "batch_size": 20, "length": 35, "num_tokens": 900_000,
    "learning_rate": 1.0, "clip_norm": 5.0,
}  # fmt: skip
_STEPS = {200: 5, 650: 2}  # updates a run, by units of a layer: the small and the medium model


def rows() -> list[Row]:
    """The rows `lstm_lm_200` and `lstm_lm_650`."""
    target = "benchmarks.peers.torch_lstm:training"
    made = []
    for units, steps in _STEPS.items():
        settings = {"units": units, **_TRAINING}
        run = {"steps": steps, **settings}
        made.append(
            Row(
                f"lstm_lm_{units}", "PyTorch",
                f"update ({_TRAINING['batch_size']} windows of {_TRAINING['length']} tokens)",
                Side("scan", "benchmarks.ours_lstm:training", run),
                tuple(
                    Side(mode, target, {"mode": mode, **run}, ("torch",))
                    for mode in ("eager", "compiled")
                ),
                products=tuple(_update(**settings)), rounds=7, settings=settings,
            )
        )  # fmt: skip
    return made


def _update(
    *, vocab_size: int, units: int, layers: int, batch_size: int, length: int, **_: Any
) -> list[Product]:
    """The products of an update, of which those with the state are one a step."""
    places = batch_size * length
    network = [
        Product(places, units, 4 * units, layers),
        Product(batch_size, units, 4 * units, layers * length),
        Product(places, units, vocab_size),
    ]
    return floor.merged(
        [*network, *floor.weight_gradients(network), *floor.input_gradients(network)]
    )
