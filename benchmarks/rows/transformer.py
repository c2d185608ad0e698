"""Rows of the Transformer: an update with the sizes of Multi30k's recipe, and its beam search."""

from typing import Any

import jax

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers
from benchmarks.harness.sides import Side
from benchmarks.rows.seq2seq import PAIRS, UNIT, spec, translator, updates
from genjax.core import tokens
from genjax.generation import beam_search, decoder_of

_MODEL: dict[str, Any] = {"width": 256, "num_heads": 8, "layers": 3, "inner": 512}
_TRAINING: dict[str, Any] = {"dropout": 0.1, **_MODEL, **PAIRS}
_BEAM: dict[str, Any] = {
    "vocab_size": PAIRS["vocab_size"], "length": PAIRS["length"], "size": 16, "beam_width": 4,
    **_MODEL,
}  # fmt: skip


def rows() -> list[Row]:
    """Makes the rows `transformer` and `translation_beam_*`."""
    run, both = {"iterations": 3, **_TRAINING}, ("torch", "transformers")
    return [
        Row(
            "transformer",
            "PyTorch",
            UNIT,
            ours(update, run),
            peers("torch_transformer:transformer", "eager compiled", run),
            products=tuple(floor.autoencoder(_network())),
            rounds=7,
            settings=_TRAINING,
        ),
        *(
            Row(
                f"translation_beam_{n}",
                "transformers",
                f"beam search of width 4, {n} sentences of 15 tokens to 16",
                ours(beam, search, "one program"),
                (Side("eager", "benchmarks.peers.hf_marian:beam", search, both),),
                settings=search,
            )
            for n in (1, 32)
            for search in [{"batch_size": n, **_BEAM}]
        ),
    ]


def update(
    iterations: int,
    *,
    width: int,
    num_heads: int,
    layers: int,
    inner: int,
    dropout: float,
    **pairs: Any,
) -> Timed:
    """Sets up our side of `transformer`: `iterations` updates a run, scanned."""
    model = {"width": width, "num_heads": num_heads, "num_layers": layers, "mlp_dim": inner}
    config = translator("transformer_multi30k", model | {"dropout": dropout})
    return updates(config, iterations, **pairs)


def beam(
    batch_size: int,
    size: int,
    beam_width: int,
    *,
    vocab_size: int,
    length: int,
    width: int,
    num_heads: int,
    layers: int,
    inner: int,
) -> Timed:
    """Sets up our side of `translation_beam_*`: answers of `size` tokens, as one program."""
    model = {"width": width, "num_heads": num_heads, "num_layers": layers, "mlp_dim": inner}
    config = translator("transformer_multi30k", model)
    family, state = training.built(config, spec(vocab_size, length, size))
    x = jax.random.randint(jax.random.key(1), (batch_size, length), 5, vocab_size)

    @jax.jit
    def search(state: Any, x: jax.Array) -> jax.Array:
        decoder = decoder_of(family, state)
        return beam_search(decoder, x, size, size=size, width=beam_width, alpha=1.0)[0]

    def run() -> None:
        ids = search(state, x)
        if bool((ids == tokens.PAD).any()):
            raise RuntimeError("an answer ended before its limit: the sides did not do the same")

    run()
    return Timed(run, info={"settings": f"one program, a cache of {size} places"})


def _network() -> list[Product]:
    """Counts the forward products of layers and output; those of attention's weights are few."""
    width, inner, places = _MODEL["width"], _MODEL["inner"], PAIRS["batch_size"] * PAIRS["length"]
    each = [
        Product(places, width, width, 12),
        Product(places, width, inner, 2),
        Product(places, inner, width, 2),
    ]
    return [*floor.times(_MODEL["layers"], each), Product(places, width, PAIRS["vocab_size"])]
