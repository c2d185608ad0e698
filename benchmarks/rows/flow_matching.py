"""The row of flow matching."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers

# The network of configs/flow_matching_fashion.py, at 14x14 and 7x7.
_UNET: dict[str, Any] = {
    "height": 28, "num_examples": 60_000, "batch_size": 64, "learning_rate": 1e-3,
    "channels": [64, 128], "blocks": 1, "patch": 2, "features": 64,
}  # fmt: skip


def rows() -> list[Row]:
    """Makes the row `flow_matching`."""
    run = {"steps": 5, **_UNET}
    return [
        Row(
            "flow_matching",
            "PyTorch",
            f"update (batch {_UNET['batch_size']})",
            ours(flow_matching, run),
            peers("torch_flow:unet", "eager compiled compiled_channels_last", run),
            peers("torch_flow:unet", "eager_channels_last", run),
            tuple(products(**_UNET)),
            rounds=5,
            settings=_UNET,
        )
    ]


def flow_matching(
    steps: int,
    *,
    height: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
    channels: Sequence[int],
    precision: str = "float32",
    **model: Any,
) -> Timed:
    """Sets up our side: `steps` updates a run, scanned."""
    config = training.recipe("flow_matching", batch_size=batch_size, precision=precision)
    config.model.update(model, channels=tuple(channels))
    config.optimizer.update(
        name="adam", schedule="constant", warmup_steps=0, learning_rate=learning_rate
    )
    return training.timed(config, training.images(num_examples, height), steps)


def products(**settings: Any) -> list[Product]:
    """Counts the products of an update."""
    return floor.autoencoder(unet(**settings))


def unet(
    *, height: int, batch_size: int, channels: Sequence[int], blocks: int, patch: int, **rest: Any
) -> list[Product]:
    """Counts the forward products of the convolutions of `genjax.models.unet.UNet`, gray images."""
    made: list[Product] = []
    side, pixels = height // patch, patch**2

    def conv(size: int, inputs: int, outputs: int, taps: int = 9) -> None:
        made.append(Product(batch_size * size**2, taps * inputs, outputs))

    def block(size: int, inputs: int, outputs: int) -> None:
        conv(size, inputs, outputs)
        conv(size, outputs, outputs)
        if inputs != outputs:
            conv(size, inputs, outputs, 1)

    conv(side, pixels, channels[0])
    for width, next_width in pairwise(channels):
        for _ in range(blocks):
            block(side, width, width)
        side //= 2
        conv(side, width, next_width, 4)
    for _ in range(2 * blocks):
        block(side, channels[-1], channels[-1])
    for width, next_width in pairwise(reversed(channels)):
        conv(side, width, 4 * next_width, 1)
        side *= 2
        for _ in range(blocks):
            block(side, 2 * next_width, next_width)
    conv(side, channels[0], pixels)
    return made
