"""The latent space of a trained model: codes of examples, images of codes."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from genjax.core.capabilities import Decodes, Encodes, HasPosterior
from genjax.core.config import ConfigError
from genjax.data.source import rows
from genjax.evaluation.latent.paths import linear, spherical
from genjax.losses import gaussian_kl
from genjax.plots.grid import check_drawn

_MOST_EXAMPLES = 5000  # encoded, of each split


class Codes(NamedTuple):
    """Examples and what the encoder makes of them.

    Attributes:
      x: images (N, H, W, C).
      label: int32 (N,), 0 where the data have none.
      attributes: (N, A), 1 where an example has one: those of the data, else its class one-hot.
      mean: codes (N, Z), of a variational family the means of its posteriors.
      kl: nats of each latent (N, Z); None of a family without posteriors.
      draw: (N, Z), a draw from each posterior; the code itself where there is none.
    """

    x: np.ndarray
    label: np.ndarray
    attributes: np.ndarray
    mean: np.ndarray
    kl: np.ndarray | None
    draw: np.ndarray


class Space:
    """Encodes and decodes images by a model, and knows where its codes lie.

    Labels are passed on where the model is conditional, and ignored elsewhere.

    Args:
      model: a single trained model (`genjax.load`).
      seed: of all draws.
      data: whether examples are read; without them nothing is known but the prior.

    Attributes:
      test: the first test examples with their codes; None where the family has no encoder, or
        without data.
      attributes: names of the columns of `Codes.attributes`.
      classes: names of the classes; empty where the data have none.
      conditional: whether the model is given the labels.
      center, spread: mean and standard deviation (Z,) of `test.draw`; without `test` those of the
        prior, 0 and 1.
      order: the latents, from that which tells most of an example to that which tells least.

    Raises:
      ConfigError: the family decodes no images from latents.
      DataMissing: the data are gone.
    """

    def __init__(self, model: Any, seed: int = 0, *, data: bool = True):
        family, dataset = model.family, model.run.dataset
        encodes, dim = isinstance(family, Encodes), model.config.model.get("latent_dim", 0)
        decodes = isinstance(family, Decodes) and dataset.spec.kind == "image"
        if not decodes or not (encodes or dim):
            raise _no_space(model)
        check_drawn(dataset.spec, f"data.name={model.config.data.name}")
        self._model, self._random = model, np.random.RandomState(seed)
        self.conditional = bool(model.config.model.get("conditional", False))
        self.classes = class_names(dataset)
        self.attributes = list(dataset.attributes) or self.classes
        self.test = self.codes(dataset.test) if encodes and data else None
        if self.test is None:
            self.center, self.spread, self.order = np.zeros(dim), np.ones(dim), np.arange(dim)
        else:
            self.center, self.spread = self.test.draw.mean(0), self.test.draw.std(0)
            message = self.test.mean.std(0) if self.test.kl is None else self.test.kl.mean(0)
            self.order = np.argsort(-message, kind="stable")

    def codes(self, source: Any) -> Codes:
        """Encodes the first examples of a split."""
        found = _first(rows(source, 256), _MOST_EXAMPLES)
        x, number = found["x"], len(found["x"])
        label = found.get("label", np.zeros(number, np.int32))
        attributes = found.get("attributes")
        if attributes is None:
            attributes = (label[:, None] == np.arange(len(self.attributes))).astype(np.uint8)
        if not isinstance(self._model.family, HasPosterior):
            mean = self._model.encode(x, *self._given(label))
            if mean.ndim != 2:  # a flow has codes like images
                raise _no_space(self._model)
            return Codes(x, label, attributes, mean, None, mean)
        mean, log_variance = self._model.posterior(x, *self._given(label))
        noise = self._random.standard_normal(mean.shape)
        draw = mean + np.exp(0.5 * log_variance) * noise
        kl = np.asarray(gaussian_kl(mean, log_variance))
        return Codes(x, label, attributes, mean, kl, draw)

    def decode(self, z: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Decodes codes (…, Z) to images (N, H, W, C), N the product of the leading axes.

        `label` (L,) has the leading axis of `z`; it is repeated along the others.
        """
        flat = z.reshape(-1, z.shape[-1]).astype(np.float32)
        labels = label.repeat(len(flat) // len(label))
        return self._model.decode(flat, *self._given(labels))

    def paths(self, number: int, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Interpolates between pairs of codes of test examples, or of draws from the prior.

        Returns:
          Straight lines and great arcs, both (number, steps, Z), and the labels (number,) that
          their first ends have.
        """
        if self.test is None:
            start, end = self._random.standard_normal((2, number, len(self.center)))
            label = np.zeros(number, np.int32)
        else:
            pairs = np.arange(2 * number).reshape(2, number) % len(self.test.mean)
            start, end = self.test.mean[pairs]
            label = self.test.label[pairs[0]]
        return linear(start, end, steps), spherical(start, end, steps), label

    def _given(self, label: np.ndarray) -> tuple[np.ndarray, ...]:
        return (label,) if self.conditional else ()


def class_names(dataset: Any) -> list[str]:
    """Names each class: by the data's own name unless it is a number."""
    names = dataset.labels or tuple(str(i) for i in range(dataset.spec.num_classes))
    return [f"class {name}" if name.isdecimal() else name for name in names]


def plane(codes_NxZ: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Puts codes on a plane (N, 2), and names its two axes.

    The first two principal components with their shares of the variance; two latents themselves.
    """
    codes = np.asarray(codes_NxZ, np.float64)
    if codes.shape[1] <= 2:
        filled = np.pad(codes, ((0, 0), (0, 2 - codes.shape[1])))
        return filled, [f"latent {i}" if i < codes.shape[1] else "" for i in range(2)]
    centered = codes - codes.mean(0)
    _, spread, directions_ZxZ = np.linalg.svd(centered, full_matrices=False)
    share = np.square(spread) / max(float(np.square(spread).sum()), 1e-30)
    names = ("first", "second")
    message = [f"{n} principal component ({s:.0%} of the variance)" for n, s in zip(names, share)]
    return centered @ directions_ZxZ[:2].T, message


def _no_space(model: Any) -> ConfigError:
    return ConfigError(
        f"family {model.config.family} on data.name={model.config.data.name}: must be a family "
        "that decodes images from latents, such as vae, autoencoder or wgan"
    )


def _first(batches: Iterable[dict[str, np.ndarray]], most: int) -> dict[str, np.ndarray]:
    """Takes the first `most` rows of all batches."""
    taken: list[dict[str, np.ndarray]] = []
    for batch in batches:
        taken.append(batch)
        if sum(len(b["x"]) for b in taken) >= most:
            break
    return {name: np.concatenate([b[name] for b in taken])[:most] for name in taken[0]}
