"""What families learn from a teacher: its distributions, its layers, its attention.

    (1 - w) loss + w T^2 KL(softmax(teacher / T) || softmax(logits / T))
        + feature_weight sum |P h - teacher's h|^2 + attention_weight sum |a - teacher's a|^2

The distribution is that over classes or, of pairs, that of each token of a target. Sources: Hinton
et al. 2015 (Distilling the knowledge in a neural network), section 2; Kim and Rush 2016
(Sequence-level knowledge distillation), section 3.1, of tokens; Romero et al. 2015 (FitNets),
equation 3, where P is a linear map that is learned; Jiao et al. 2020 (TinyBERT), equation 7, of
weights. Squares are means over the elements of an example, padding left out.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from genjax import losses
from genjax.core import tokens
from genjax.core.family import Batch, Metrics
from genjax.core.random import init_key
from genjax.core.teaching import (
    LOGITS,
    Teacher,
    TeacherFields,
    layer_name,
    map_name,
    no_layer,
)
from genjax.models.dense import initial_weights
from genjax.ops.precision import at_least_float32, matmul

PROJECTIONS = "projections"  # entry of the parameters
_FIRST_USE = 2  # of the key of initial parameters

Layers = Mapping[str, jax.Array]


def blended(t: TeacherFields, value: jax.Array, far: jax.Array) -> tuple[jax.Array, Metrics]:
    """Computes (1 - w) loss + w divergence, and the metric that the divergence is."""
    return (1 - t.weight) * value + t.weight * far, {"distillation": far}


def distilled(
    t: Teacher,
    params: Any,
    value: jax.Array,
    rows: Batch,
    outputs: tuple[jax.Array, Layers, Layers],
) -> tuple[jax.Array, Metrics]:
    """Adds to a loss what a teacher says; returns it as it is where there is none.

    Args:
      t: the section `teacher`.
      params: of the student, with `PROJECTIONS` where layers are matched.
      value: the mean loss of the labels.
      rows: with the teacher's outputs, see `genjax.core.teaching`.
      outputs: the student's logits (B, C), its layers, and its maps of attention (B, H, T, T).
    """
    logits_BxC, layers, maps = outputs
    if not t.workdir:
        return value, {}
    far = losses.distillation_loss(logits_BxC, rows[LOGITS], t.temperature).mean()
    value, metrics = blended(t, value, far)
    if t.features:
        each = [
            _apart(matmul(at_least_float32(layers[ours]), matrix), rows[layer_name(theirs)], rows)
            for (theirs, ours), matrix in zip(t.pairs(), params[PROJECTIONS], strict=True)
        ]
        metrics["features"] = jnp.stack(each).sum()
        value += t.feature_weight * metrics["features"]
    if t.attention:
        each = [
            _maps_apart(maps[ours], rows[map_name(theirs)], rows)
            for theirs, ours in t.pairs("attention")
        ]
        metrics["attention"] = jnp.stack(each).sum()
        value += t.attention_weight * metrics["attention"]
    return value, metrics


def projections(t: Teacher, key: jax.Array, layers: Layers, maps: Layers) -> dict[str, Any]:
    """Draws a matrix (D, teacher's D) for each pair of matched layers, as an entry of parameters.

    Args:
      t: the section `teacher`.
      key: the run's root key.
      layers, maps: shapes of the student's.

    Raises:
      ConfigError: a layer that is to be matched is not there.
    """
    for field, there in (("features", layers), ("attention", maps)):
        for _, ours in t.pairs(field):
            if ours not in there:
                raise no_layer(field, getattr(t, field), ours, there, "this run")
    if not t.features:
        return {}
    draw = initial_weights(1.0)
    matrices = [
        draw(jax.random.fold_in(init_key(key), _FIRST_USE + i), (layers[ours].shape[-1], width))
        for i, ((_, ours), width) in enumerate(zip(t.pairs(), t.widths))
    ]
    return {PROJECTIONS: matrices}


def _apart(h: jax.Array, target: jax.Array, rows: Batch) -> jax.Array:
    """Computes the mean squared difference of outputs (B, …, D)."""
    error = jnp.square(h - target).mean(-1)
    return _over_tokens(error, rows["x"]) if error.ndim == 2 else error.mean()


def _maps_apart(maps_BxHxQxK: jax.Array, target: jax.Array, rows: Batch) -> jax.Array:
    """Computes the squared difference of weights, summed over keys; of means if heads differ."""
    maps = at_least_float32(maps_BxHxQxK)
    if maps.shape[1] != target.shape[1]:
        maps, target = (m.mean(1, keepdims=True) for m in (maps, target))
    return _over_tokens(jnp.square(maps - target).sum(-1).mean(1), rows["x"])


def _over_tokens(error_BxT: jax.Array, x_BxT: jax.Array) -> jax.Array:
    """Averages over an example's tokens, BOS in front of them included, then over examples."""
    real_BxT = tokens.is_token(x_BxT)
    more = error_BxT.shape[1] - real_BxT.shape[1]
    real_BxT = jnp.pad(real_BxT, ((0, 0), (more, 0)), constant_values=True)
    return ((error_BxT * real_BxT).sum(1) / jnp.maximum(real_BxT.sum(1), 1)).mean()
