"""Rows of BERT: an update of the masked language model."""

from typing import Any

from benchmarks import floor
from benchmarks.floor import Product
from benchmarks.harness import Side
from benchmarks.rows import Row

# The network of configs/bert_definitions.py, with rows of BERT's first phase.
_TRAINING: dict[str, Any] = {
    "vocab_size": 10_000, "length": 128, "num_layers": 4, "num_heads": 4, "width": 256,
    "batch_size": 16, "mask_rate": 0.15, "num_tokens": 1_000_000, "learning_rate": 1e-3,
    "weight_decay": 0.01, "clip_norm": 1.0,
}  # fmt: skip


def rows() -> list[Row]:
    """The rows `bert` and `bert_transformers`."""
    run = {"steps": 3, **_TRAINING}
    unit = f"update (batch {_TRAINING['batch_size']} of {_TRAINING['length']} tokens)"
    made = []
    for name, peer, module, packages, modes in (
        ("bert", "PyTorch", "torch_bert", ("torch",), ("eager", "compiled")),
        (
            "bert_transformers", "transformers", "hf_bert", ("torch", "transformers"),
            ("eager", "gathered", "compiled"),
        ),
    ):  # fmt: skip
        target = f"benchmarks.peers.{module}:training"
        made.append(
            Row(
                name, peer, unit, Side("scan", "benchmarks.ours_bert:training", run),
                tuple(Side(mode, target, {"mode": mode, **run}, packages) for mode in modes),
                products=tuple(bert(**_TRAINING)), rounds=5, settings=_TRAINING,
            )
        )  # fmt: skip
    return made


def bert(
    *, batch_size: int, vocab_size: int, length: int, num_layers: int, num_heads: int, width: int,
    mask_rate: float, **_: Any,
) -> list[Product]:  # fmt: skip
    """The products of an update."""
    tokens, guessed = batch_size * length, batch_size * round(mask_rate * (length - 1))
    heads, size = batch_size * num_heads, width // num_heads
    layer = [
        Product(tokens, width, 3 * width), Product(tokens, width, width),
        Product(tokens, width, 4 * width), Product(tokens, 4 * width, width),
        Product(length, size, length, heads), Product(length, length, size, heads),
    ]  # fmt: skip
    head = [Product(guessed, width, width), Product(guessed, width, vocab_size)]
    network = [*floor.times(num_layers, layer), *head]
    return floor.merged(
        [*network, *floor.weight_gradients(network), *floor.input_gradients(network)]
    )
