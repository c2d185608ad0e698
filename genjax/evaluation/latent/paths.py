"""Paths and directions in a latent space, as arrays: nothing here knows a model."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np


def linear(start_BxZ: Any, end_BxZ: Any, steps: int) -> np.ndarray:
    """Returns points at equal distances on straight lines between pairs, ends too: (B, steps, Z).

    Between two normal draws the middle of the line is shorter than either (by a factor of sqrt(2)
    in many dimensions): a place where a model has seen little. See `spherical`.
    """
    start, end = _pair(start_BxZ, end_BxZ)
    t = np.linspace(0, 1, steps)[:, None]
    return (1 - t) * start + t * end


def spherical(start_BxZ: Any, end_BxZ: Any, steps: int) -> np.ndarray:
    """Returns points at equal angles on great arcs between pairs, ends too: (B, steps, Z).

    `sin((1 - t) a) / sin(a) * start + sin(t a) / sin(a) * end` with `a` the angle between the two;
    the straight line where they point the same or opposite ways. Source: White 2016 (Sampling
    generative networks), section 2.1.
    """
    start, end = _pair(start_BxZ, end_BxZ)
    norms = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    cosine = (start * end).sum(-1) / np.maximum(norms, 1e-30)
    angle = np.arccos(np.clip(cosine, -1, 1))[..., None]
    t, sine = np.linspace(0, 1, steps)[:, None], np.sin(angle)
    arc = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.maximum(sine, 1e-30)
    return np.where(sine > 1e-6, arc, linear(start_BxZ, end_BxZ, steps))


def loop(anchors_KxNxZ: Any, steps: int) -> np.ndarray:
    """Returns closed paths of great arcs through K anchors and back to the first: (K steps, N, Z).

    Each leg of `steps` begins at its anchor and ends one step before the next one.
    """
    anchors = np.asarray(anchors_KxNxZ, np.float64)
    legs = [spherical(*pair, steps + 1)[:, :-1] for pair in zip(anchors, np.roll(anchors, -1, 0))]
    return np.concatenate(legs, axis=1).swapaxes(0, 1)


def traversals(base_Z: Any, values_SxZ: Any, latents: Sequence[int]) -> np.ndarray:
    """Sets one latent of `base_Z` after the other to its values: (latents, S, Z).

    Args:
      base_Z: the point that the other latents keep.
      values_SxZ: S values for each latent.
      latents: which ones, by number.
    """
    values = np.asarray(values_SxZ, np.float64)
    points = np.tile(np.asarray(base_Z, np.float64), (len(latents), len(values), 1))
    for row, latent in enumerate(latents):
        points[row, :, latent] = values[:, latent]
    return points


def normal_quantiles(center_Z: Any, spread_Z: Any, steps: int) -> np.ndarray:
    """Returns quantiles of N(center, spread^2) in the middles of equal shares: (steps, Z)."""
    standard = [NormalDist().inv_cdf((i + 0.5) / steps) for i in range(steps)]
    return np.asarray(center_Z) + np.outer(standard, spread_Z)


def manifold(base_Z: Any, values_SxZ: Any, across: int, down: int) -> np.ndarray:
    """Makes a grid over two latents, the others kept at `base_Z`: (S * S, Z), row by row.

    Latent `across` rises from left to right, latent `down` falls from top to bottom, as the axes of
    a plot do. With normal quantiles as values it is the learned manifold of Kingma and Welling
    2014, appendix A.
    """
    values = np.asarray(values_SxZ, np.float64)
    steps = len(values)
    points = np.tile(np.asarray(base_Z, np.float64), (steps, steps, 1))
    points[..., across] = values[None, :, across]
    points[..., down] = values[::-1, None, down]
    return points.reshape(steps * steps, -1)


def attribute_means(codes_NxZ: Any, attributes_NxA: Any) -> tuple[np.ndarray, np.ndarray]:
    """Computes mean codes of the examples with each attribute, and of those without: (A, Z).

    Their difference is the attribute's vector. Where no example is on one side, that side has the
    mean of all, so that the vector is zero. Source: Larsen et al. 2016 (Autoencoding beyond
    pixels), section 4.1.

    Args:
      codes_NxZ: of the examples.
      attributes_NxA: 1 where an example has the attribute, else 0.
    """
    codes, has = np.asarray(codes_NxZ, np.float64), np.asarray(attributes_NxA, np.float64)

    def means(member_NxA: np.ndarray) -> np.ndarray:
        count_A = member_NxA.sum(0)[:, None]
        return np.where(count_A, member_NxA.T @ codes / np.maximum(count_A, 1), codes.mean(0))

    return means(has), means(1 - has)


def _pair(start_BxZ: Any, end_BxZ: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float64 (B, 1, Z)."""
    start, end = (np.asarray(x, np.float64)[:, None] for x in (start_BxZ, end_BxZ))
    if start.shape != end.shape:
        raise ValueError(f"start and end must have the same shape, not {start.shape}, {end.shape}")
    return start, end
