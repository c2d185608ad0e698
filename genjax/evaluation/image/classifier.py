"""A small classifier of genjax's own, which judges samples of labeled images.

Its numbers compare runs of genjax on one data set. They are no Inception score and no FID: other
projects use other classifiers, so a number without this classifier's name says little.

A plain classifier is sure of almost anything: trained on the 8x8 digits it gives a probability
above 0.9 to 63 % of uniform noise and 44 % of averages of two digits. So this one also sees images
made from the training set that are no members of any class, and is taught to be unsure of them
(outlier exposure, Hendrycks et al. 2019, arXiv:1812.04606): noise, shuffled pixels and blurred
images, with a uniform target, and averages of two images, with the average of their labels. Real
held-out digits keep their confidence, which is the number to compare samples with.

Gray pictures are judged by an MLP, color pictures by convolutions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax import struct

from genjax.core.config import ConfigError
from genjax.evaluation.image import augmentation
from genjax.models.dense import MLP
from genjax.models.features import SOWN
from genjax.models.pictures import Halvings

VERSION = 1  # of what becomes of gray pictures; another one trains anew
CONFIDENT = 0.9  # a sample counts as confident where its largest probability is above this

_HIDDEN = (256, 256)  # of the MLP
_CHANNELS = (32, 64, 128)  # of the convolutions
_OUTLIER_WEIGHT = 0.5  # of all outliers of a batch in the loss; the images of the data have 1
_BLOCK_PIXELS = 2**18  # of color pictures that convolutions see at a time


@dataclass(frozen=True)
class Plan:
    """The network of a classifier, and how it is trained.

    Attributes:
      network: from images (B, H, W, C) to logits (B, K); it offers the last hidden layer last.
      augment: moves training images, by a key.
      outliers: for each image of the data.
      learning_rate: of Adam with decoupled weight decay, falling to 0 along a cosine.
      weight_decay: of it.
      least_steps: updates, or ten epochs where that is more.
      version: of what comes out; another one trains anew.
    """

    network: nn.Module
    augment: Callable[[jax.Array, jax.Array], jax.Array] = augmentation.shifted
    outliers: float = 1.0
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    least_steps: int = 2000
    version: int = VERSION

    @property
    def identity(self) -> dict[str, Any]:
        """What of it decides what a classifier becomes, as JSON."""
        name = "hidden" if isinstance(self.network, MLP) else "channels"
        return {name: getattr(self.network, name), "version": self.version}


def plan(shape: tuple[int, ...], num_classes: int) -> Plan:
    """Makes the plan for images (H, W, C) of K classes."""
    if shape[-1] == 1:
        return Plan(MLP(_HIDDEN, (num_classes,)))
    return Plan(
        Halvings(_CHANNELS, num_classes),
        augment=augmentation.redrawn,
        outliers=0.5,
        weight_decay=1e-2,
        least_steps=1000,
        version=1,
    )


class Classifier(struct.PyTreeNode):
    """A trained classifier of K classes: one pytree, so it passes through jit and vmap."""

    params: Any
    shape: tuple[int, ...] = struct.field(pytree_node=False)
    num_classes: int = struct.field(pytree_node=False)
    network: nn.Module = struct.field(pytree_node=False)

    def probabilities(self, x: Any) -> jax.Array:
        """Computes class probabilities (N, K), float32, of images (N, H, W, C) in [0, 1]."""
        return jax.nn.softmax(_logits(self.network, self.params, self._checked(x)))

    def features(self, x: Any) -> jax.Array:
        """Computes activations (N, D) of the last hidden layer, D wide."""
        return _last_hidden(self.network, self.params, self._checked(x))

    def _checked(self, x: Any) -> jax.Array:
        if tuple(x.shape[1:]) != self.shape:
            raise ConfigError(f"images {tuple(x.shape)}: the classifier takes (N, {self.shape})")
        return jnp.asarray(x, jnp.float32)

    def accuracy(self, x: Any, y: Any) -> jax.Array:
        """Computes the share of images whose most probable class is their label (N,)."""
        return jnp.mean(jnp.argmax(self.probabilities(x), axis=-1) == jnp.asarray(y))


def train_classifier(
    x_train: Any,
    y_train: Any,
    num_classes: int,
    *,
    key: jax.Array,
    steps: int | None = None,
    batch_size: int = 128,
) -> Classifier:
    """Trains the network of `plan` in one compiled scan; the data stay on the device.

    Args:
      x_train: (N, H, W, C) float32 in [0, 1].
      y_train: (N,) integers in [0, num_classes).
      num_classes: K.
      key: PRNG key of initial parameters, batches and augmentation.
      steps: updates; None: as the plan says.
      batch_size: images of the data in a batch, a multiple of 8; outliers come on top.

    Raises:
      ConfigError: shapes, labels or range do not fit.
    """
    _check(x_train, y_train, num_classes, batch_size)
    x, y = jnp.asarray(x_train, jnp.float32), jnp.asarray(y_train, jnp.int32)
    shape = tuple(x.shape[1:])
    how = plan(shape, num_classes)
    if steps is None:
        steps = max(how.least_steps, 10 * len(x_train) // batch_size)
    params = _train(how, num_classes, steps, batch_size, x, y, key, jnp.float32(how.learning_rate))
    return Classifier(params, shape, num_classes, how.network)


def sample_quality(classifier: Classifier, samples: Any) -> dict[str, jax.Array]:
    """Judges samples (N, H, W, C) in [0, 1] by the classifier. Pure.

    Real images of the test split, judged the same way, are the value to compare with.

    Returns:
      `confident`: share of samples with a probability above `CONFIDENT`;
      `classes`: number of classes found among the confident samples, int32;
      `mean_confidence`: mean over all samples of their largest probability;
      `class_entropy`: entropy in nats of the classes of the confident samples, log K where they are
      equally frequent and 0 where there is one class or no confident sample;
      `class_histogram`: confident samples of each class, int32 (K,).
    """
    probabilities = classifier.probabilities(samples)
    confidence = jnp.max(probabilities, axis=-1)
    confident = confidence > CONFIDENT
    member_NxK = jnp.argmax(probabilities, axis=-1)[:, None] == jnp.arange(classifier.num_classes)
    histogram = jnp.sum(member_NxK & confident[:, None], axis=0, dtype=jnp.int32)
    shares = histogram / jnp.maximum(jnp.sum(histogram), 1)
    return {
        "confident": jnp.mean(confident),
        "classes": jnp.sum(histogram > 0, dtype=jnp.int32),
        "mean_confidence": jnp.mean(confidence),
        "class_entropy": jnp.sum(jax.scipy.special.entr(shares)),
        "class_histogram": histogram,
    }


@partial(jax.jit, static_argnums=0)
def _logits(network: nn.Module, params: Any, x: jax.Array) -> jax.Array:
    return _in_blocks(lambda x: network.apply({"params": params}, x), x)


@partial(jax.jit, static_argnums=0)
def _last_hidden(network: nn.Module, params: Any, x: jax.Array) -> jax.Array:
    def offered(x: jax.Array) -> Any:
        _, kept = network.apply({"params": params}, x, mutable=SOWN)
        return jax.tree.leaves(kept)[-1]

    return _in_blocks(offered, x)


def _in_blocks(function: Callable[[jax.Array], Any], x: jax.Array) -> jax.Array:
    """Applies to images (N, H, W, C); of color ones to as many at a time as memory allows."""
    n, height, width, channels = x.shape
    size = n if channels == 1 else max(1, _BLOCK_PIXELS // (height * width))
    if n <= size:
        found: jax.Array = function(x)
        return found
    blocks = jnp.pad(x, [(0, -n % size), (0, 0), (0, 0), (0, 0)]).reshape(-1, size, *x.shape[1:])
    each = jax.lax.map(function, blocks)
    return each.reshape(-1, *each.shape[2:])[:n]


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _train(
    how: Plan,
    num_classes: int,
    steps: int,
    batch_size: int,
    x: jax.Array,
    y: jax.Array,
    key: jax.Array,
    learning_rate: jax.Array,
) -> Any:
    init_key, steps_key = jax.random.split(key)
    params = how.network.init(init_key, x[:1])["params"]
    schedule = optax.cosine_decay_schedule(1.0, steps)
    optimizer = optax.adamw(lambda i: learning_rate * schedule(i), weight_decay=how.weight_decay)

    def step(carry: Any, i: jax.Array) -> tuple[Any, None]:
        params, opt_state = carry
        batch_key, augment_key = jax.random.split(jax.random.fold_in(steps_key, i))
        rows = jax.random.randint(batch_key, (batch_size,), 0, x.shape[0])
        labels = jax.nn.one_hot(y[rows], num_classes)
        images, targets, weights = _with_outliers(how, augment_key, x[rows], labels)

        def loss(params: Any) -> jax.Array:
            logits: Any = how.network.apply({"params": params}, images)
            return jnp.sum(weights * optax.softmax_cross_entropy(logits, targets)) / batch_size

        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), None

    (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), jnp.arange(steps))
    return params


def _with_outliers(
    how: Plan, key: jax.Array, x: jax.Array, labels: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Makes images, their target distributions and weights from B labeled images."""
    keys, batch_size = jax.random.split(key, 5), len(x)
    number = 4 * int(batch_size * how.outliers / 4)
    x = how.augment(keys[0], x)
    others, other_targets = augmentation.outliers(keys[1:4], x, labels, number)
    noisy = x + augmentation.NOISE * jax.random.normal(keys[4], x.shape)
    weight = _OUTLIER_WEIGHT * batch_size / number
    images, targets, weights = (
        jnp.concatenate(pair)
        for pair in (
            (noisy, others),
            (labels, other_targets),
            (jnp.ones(batch_size), jnp.full(number, weight)),
        )
    )
    return jnp.clip(images, 0.0, 1.0), targets, weights


def _check(x: Any, y: Any, num_classes: int, batch_size: int) -> None:
    shape, labels = np.shape(x), np.asarray(y)
    if len(shape) != 4 or labels.shape != shape[:1] or not shape[0]:
        raise ConfigError(f"images {shape}, labels {labels.shape}: must be (N, H, W, C), (N,)")
    if labels.min() < 0 or labels.max() >= num_classes:
        found = f"{labels.min()} to {labels.max()}"
        raise ConfigError(f"labels {found}: must be 0 to {num_classes - 1}")
    low, high = float(np.min(x)), float(np.max(x))
    if not (low >= 0 and high <= 1):
        raise ConfigError(f"images from {low:g} to {high:g}: must be in [0, 1]")
    if batch_size < 8 or batch_size % 8:
        raise ConfigError(f"batch_size={batch_size}: must be a positive multiple of 8")
