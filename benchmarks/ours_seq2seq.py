"""genjax's sides of the rows of `benchmarks/rows_language_seq2seq.py`."""

from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from benchmarks import ours
from benchmarks.child import Timed
from benchmarks.harness import ROOT
from genjax import families, recipes
from genjax.core import tokens
from genjax.core.family import DataSpec
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset
from genjax.engine.compilation_cache import enable_compilation_cache
from genjax.generation import beam_search, decoder_of


def attention(
    iterations: int, *, embed_dim: int, units: int, clip_norm: float, **pairs: Any
) -> Timed:
    """The row `seq2seq_attention`: `iterations` updates a run, scanned."""
    model = {"embed_dim": embed_dim, "hidden": units, "dropout": 0.0}
    return _translator("seq2seq_multi30k", model, iterations, clip_norm=clip_norm, **pairs)


def transformer(
    iterations: int, *, width: int, num_heads: int, layers: int, inner: int, dropout: float,
    **pairs: Any,
) -> Timed:  # fmt: skip
    """The row `transformer`: `iterations` updates a run, scanned."""
    model = {"width": width, "num_heads": num_heads, "num_layers": layers, "hidden": inner}
    return _translator("transformer_multi30k", model | {"dropout": dropout}, iterations, **pairs)


def beam(
    batch_size: int, size: int, beam_width: int, *, vocab_size: int, length: int, width: int,
    num_heads: int, layers: int, inner: int,
) -> Timed:  # fmt: skip
    """The rows `translation_beam_*`: answers of `size` tokens to one batch, as one program."""
    enable_compilation_cache()
    model = {"width": width, "num_heads": num_heads, "num_layers": layers, "hidden": inner}
    config = _config("transformer_multi30k", model)
    spec = _spec(vocab_size, length, size)
    family = families.build(config, spec, ours._TOTAL_STEPS)
    state = jax.jit(family.init)(jax.random.key(0))
    x = jax.random.randint(jax.random.key(1), (batch_size, length), 5, vocab_size)

    @jax.jit
    def search(state: Any, x: jax.Array) -> jax.Array:
        decoder = decoder_of(state, family.functions["start"], family.functions["decode"])
        return beam_search(decoder, x, size, size=size, width=beam_width, alpha=1.0)[0]

    def run() -> None:
        ids = search(state, x)
        if bool((ids == tokens.PAD).any()):
            raise RuntimeError("an answer ended before its limit: the sides did not do the same")

    run()
    return Timed(run, info={"settings": f"one program, a cache of {size} places"})


def _config(recipe: str, model: dict[str, Any]) -> ConfigDict:
    config = recipes.load(str(ROOT / "configs" / f"{recipe}.py")).unlock()
    config.model.update(model)
    config.ema_decay, config.buckets = 0.0, ()
    return config


def _spec(vocab_size: int, length: int, target_length: int) -> DataSpec:
    return DataSpec(
        "pair", (length,), vocab_size=vocab_size, target_shape=(target_length,),
        target_vocab_size=vocab_size,
    )  # fmt: skip


def _translator(
    recipe: str, model: dict[str, Any], iterations: int, *, vocab_size: int, length: int,
    num_examples: int, batch_size: int, learning_rate: float, clip_norm: float = 0.0,
) -> Timed:  # fmt: skip
    """A recipe of pairs, on pairs of sentences of `length` random tokens each."""
    config = _config(recipe, model)
    config.batch_size, config.loss.label_smoothing = batch_size, 0.0
    config.optimizer.update(
        name="adam", schedule="constant", warmup_steps=0, learning_rate=learning_rate, b1=0.9,
        b2=0.999, eps=1e-8, clip_norm=clip_norm,
    )  # fmt: skip
    ids = np.random.default_rng(0).integers(5, vocab_size, (2, num_examples, length), np.uint16)
    source = Resident({"x": ids[0], "y": ids[1]}, levels=0)
    dataset = Dataset(_spec(vocab_size, length, length), source, source)
    executor = ours._executor(config, dataset)
    return ours._steps(executor, iterations, iterations)
