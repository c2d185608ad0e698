"""Rows of BERT: an update of the masked language model."""

from typing import Any

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers

# The network of configs/bert_definitions.py, with rows of BERT's first phase.
_TRAINING: dict[str, Any] = {
    "vocab_size": 10_000, "length": 128, "num_layers": 4, "num_heads": 4, "width": 256,
    "batch_size": 16, "mask_rate": 0.15, "num_tokens": 1_000_000, "learning_rate": 1e-3,
    "weight_decay": 0.01, "clip_norm": 1.0,
}  # fmt: skip


def rows() -> list[Row]:
    """Makes the rows `bert` and `bert_transformers`."""
    run = {"steps": 3, **_TRAINING}
    unit = f"update (batch {_TRAINING['batch_size']} of {_TRAINING['length']} tokens)"
    products = tuple(bert(**_TRAINING))
    both = ("torch", "transformers")
    return [
        Row(
            "bert",
            "PyTorch",
            unit,
            ours(update, run),
            peers("torch_bert:training", "eager compiled", run),
            products=products,
            rounds=5,
            settings=_TRAINING,
        ),
        Row(
            "bert_transformers",
            "transformers",
            unit,
            ours(update, run),
            peers("hf_bert:training", "eager gathered compiled", run, both),
            products=products,
            rounds=5,
            settings=_TRAINING,
        ),
    ]


def update(
    steps: int,
    *,
    vocab_size: int,
    length: int,
    num_layers: int,
    num_heads: int,
    width: int,
    batch_size: int,
    mask_rate: float,
    num_tokens: int,
    **optimizer: float,
) -> Timed:
    """Sets up our side: `steps` updates a run, scanned."""
    config = training.recipe("bert", batch_size=batch_size)
    config.loss.mask_rate = mask_rate
    config.model.update(
        num_layers=num_layers, num_heads=num_heads, width=width, dropout=0.0, norm_first=False
    )
    config.optimizer.update(training.ADAM, b2=0.98, **optimizer)
    text = training.windows(num_tokens, length - 2, vocab_size)  # of one token more; BOS in front
    return training.timed(config, text, steps)


def bert(
    *,
    batch_size: int,
    vocab_size: int,
    length: int,
    num_layers: int,
    num_heads: int,
    width: int,
    mask_rate: float,
    **_: Any,
) -> list[Product]:
    """Counts the products of an update."""
    masked = batch_size * round(mask_rate * (length - 1))
    layers = floor.transformer_layers(batch_size, length, num_layers, num_heads, width)
    head = [Product(masked, width, width), Product(masked, width, vocab_size)]
    return floor.update([*layers, *head])
