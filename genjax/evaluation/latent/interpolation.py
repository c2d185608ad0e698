"""What a model decodes on its way from one draw of its prior to the next."""

from typing import Any

import numpy as np

from genjax.core.capabilities import DrawsLatents
from genjax.core.config import ConfigError
from genjax.evaluation.latent.paths import loop, spherical


def rounds(
    model: Any, n: int, anchors: int, steps: int, seed: int, label_N: Any = None
) -> np.ndarray:
    """Decodes `n` closed paths through draws of the prior: (anchors * steps, n, H, W, C).

    Args:
      model: a single trained model whose family is `DrawsLatents`, of pictures.
      n: how many at once.
      anchors: draws that a path leads through, and back to the first.
      steps: pictures from one to the next.
      seed: of the draws.
      label_N: classes of a conditional model, each kept on the way; None: all of them in turn.

    Raises:
      ConfigError: the family decodes no noise, or not to pictures.
    """
    z = _drawn(model, anchors * n, seed)
    path = loop(z.reshape(anchors, n, -1), steps)
    return _decoded(model, path, z.shape[1:], label_N)


def rows(model: Any, n: int, steps: int, seed: int, label_N: Any = None) -> np.ndarray:
    """Decodes `n` great arcs between two draws, ends too: (n, steps, H, W, C); see `rounds`."""
    z = _drawn(model, 2 * n, seed)
    start, end = z.reshape(2, n, -1)
    path = spherical(start, end, steps).swapaxes(0, 1)
    return _decoded(model, path, z.shape[1:], label_N).swapaxes(0, 1)


def _drawn(model: Any, n: int, seed: int) -> np.ndarray:
    family, data = model.config.family, model.config.data.name
    if not isinstance(model.family, DrawsLatents) or model.run.dataset.spec.kind != "image":
        what = "pictures from noise, such as gan, vae or flow_matching"
        raise ConfigError(f"--interpolate: {family} on {data}: must be a family that draws {what}")
    return model.latents(n, seed)


def _decoded(model: Any, path_TxNxZ: np.ndarray, shape: Any, label_N: Any) -> np.ndarray:
    steps, n = path_TxNxZ.shape[:2]
    z = path_TxNxZ.astype(np.float32).reshape(steps * n, *shape)
    classes = model.run.dataset.spec.num_classes
    labels: tuple[Any, ...] = ()
    if model.config.model.get("conditional", False):
        each = np.arange(n) % classes if label_N is None else np.asarray(label_N)
        labels = (np.tile(each, steps),)
    x = model.decode(z, *labels)
    return x.reshape(steps, n, *x.shape[1:])
