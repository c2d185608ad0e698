"""Rows of encoder-decoders: sizes of the recipes on Multi30k, sentences of its mean length."""

from typing import Any

from benchmarks import floor
from benchmarks.floor import Product
from benchmarks.harness import Side
from benchmarks.rows import Row

_PAIRS: dict[str, Any] = {
    "vocab_size": 5900, "length": 15, "num_examples": 29_000, "batch_size": 128,
    "learning_rate": 1e-3,
}  # fmt: skip
_SEQ2SEQ: dict[str, Any] = {"embed_dim": 256, "units": 512, "clip_norm": 1.0, **_PAIRS}
_TRANSFORMER: dict[str, Any] = {
    "width": 256, "num_heads": 8, "layers": 3, "inner": 512, "dropout": 0.1, **_PAIRS,
}  # fmt: skip
_TOKENS = _PAIRS["batch_size"] * _PAIRS["length"]
_BEAM: dict[str, Any] = {
    "vocab_size": 5900, "length": 15, "width": 256, "num_heads": 8, "layers": 3, "inner": 512,
    "size": 16, "beam_width": 4,
}  # fmt: skip


def rows() -> list[Row]:
    """The rows `seq2seq_attention`, `transformer` and `translation_beam_*`."""
    unit = f"update ({_PAIRS['batch_size']} pairs of {_PAIRS['length']} tokens)"
    made = []
    for name, peer, side, settings, products in (
        ("seq2seq_attention", "torch_seq2seq", "attention", _SEQ2SEQ, _seq2seq()),
        ("transformer", "torch_transformer", "transformer", _TRANSFORMER, _transformer()),
    ):
        run = {"iterations": 3, **settings}
        peers = tuple(
            Side(mode, f"benchmarks.peers.{peer}:{side}", {"mode": mode, **run}, ("torch",))
            for mode in ("eager", "compiled")
        )
        made.append(Row(
            name, "PyTorch", unit, Side("scan", f"benchmarks.ours_seq2seq:{side}", run), peers,
            products=tuple(floor.autoencoder(products)), rounds=7, settings=settings,
        ))  # fmt: skip
    for batch_size in (1, 32):
        search = {"batch_size": batch_size, **_BEAM}
        theirs = Side("eager", "benchmarks.peers.hf_marian:beam", search, ("torch", "transformers"))
        made.append(Row(
            f"translation_beam_{batch_size}", "transformers",
            f"beam search of width 4, {batch_size} sentences of 15 tokens to 16",
            Side("one program", "benchmarks.ours_seq2seq:beam", search), (theirs,), settings=search,
        ))  # fmt: skip
    return made


def _seq2seq() -> list[Product]:
    """Forward products of an encoder of two directions, a decoder and its output."""
    width, units, batch = _SEQ2SEQ["embed_dim"], _SEQ2SEQ["units"], _PAIRS["batch_size"]
    half, steps = units // 2, _PAIRS["length"]
    return [
        Product(_TOKENS, width, 4 * half, 2), Product(batch, half, 4 * half, 2 * steps),
        Product(_TOKENS, units, units), Product(_TOKENS, width, 4 * units),
        *floor.times(steps, [
            Product(batch, width + units, 4 * units), Product(batch, units, units),
            Product(batch, 2 * units, width),
        ]),
        Product(_TOKENS, width, _PAIRS["vocab_size"]),
    ]  # fmt: skip


def _transformer() -> list[Product]:
    """Forward products of the layers and of the output; those of attention's weights are few."""
    width, inner = _TRANSFORMER["width"], _TRANSFORMER["inner"]
    each = [
        Product(_TOKENS, width, width, 12), Product(_TOKENS, width, inner, 2),
        Product(_TOKENS, inner, width, 2),
    ]  # fmt: skip
    return [
        *floor.times(_TRANSFORMER["layers"], each), Product(_TOKENS, width, _PAIRS["vocab_size"])
    ]  # fmt: skip
