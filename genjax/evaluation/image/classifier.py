"""A small classifier of genjax's own, which judges samples of labeled images.

Its numbers compare runs of genjax on one data set. They are no Inception score and no FID: other
projects use other classifiers, so a number without this classifier's name says little.

A plain classifier is sure of almost anything: trained on the 8x8 digits it gives a probability
above 0.9 to 63 % of uniform noise and 44 % of averages of two digits. So this one also sees images
made from the training set that are no members of any class, and is taught to be unsure of them
(outlier exposure, Hendrycks et al. 2019, arXiv:1812.04606): noise, shuffled pixels and blurred
images, with a uniform target, and averages of two images, with the average of their labels. Real
held-out digits keep their confidence, which is the number to compare samples with.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from genjax.core.config import ConfigError
from genjax.models.dense import MLP

VERSION = 1  # of what `train_classifier` makes of the same data; another one trains anew
CONFIDENT = 0.9  # a sample counts as confident where its largest probability is above this

_NOISE = 0.05  # standard deviation of pixel noise added to training images
_OUTLIER_WEIGHT = 0.5  # of an outlier in the loss; an image of the data has 1
_WEIGHT_DECAY = 1e-4


class Classifier(struct.PyTreeNode):
    """A trained classifier of K classes: one pytree, so it passes through jit and vmap."""

    params: Any
    shape: tuple[int, ...] = struct.field(pytree_node=False)
    num_classes: int = struct.field(pytree_node=False)
    hidden: tuple[int, ...] = struct.field(pytree_node=False)

    def probabilities(self, x: Any) -> jax.Array:
        """Computes class probabilities (N, K), float32, of images (N, H, W, C) in [0, 1]."""
        network = _network(self.hidden, self.num_classes)
        return jax.nn.softmax(_apply(network, self.params, self._checked(x)))

    def features(self, x: Any) -> jax.Array:
        """Computes activations (N, D) of the last hidden layer, D wide."""
        *hidden, last = self.hidden
        # The same parameters: those of the output layer are left over.
        return jax.nn.relu(_apply(MLP(tuple(hidden), (last,)), self.params, self._checked(x)))

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
    hidden: tuple[int, ...] = (256, 256),
    learning_rate: float = 1e-3,
) -> Classifier:
    """Trains an MLP with Adam in one compiled scan; the data stay on the device.

    Args:
      x_train: (N, H, W, C) float32 in [0, 1].
      y_train: (N,) integers in [0, num_classes).
      num_classes: K.
      key: PRNG key of initial parameters, batches and augmentation.
      steps: updates; None: 2,000 or ten epochs, whichever is more.
      batch_size: images of the data in a batch, a multiple of 4; an equal number again of outliers
        comes on top.
      hidden: widths of the hidden layers.
      learning_rate: of Adam with decoupled weight decay, falling to 0 along a cosine.

    Raises:
      ConfigError: shapes, labels or range do not fit.
    """
    _check(x_train, y_train, num_classes, batch_size)
    steps = steps if steps is not None else max(2000, 10 * len(x_train) // batch_size)
    x, y = jnp.asarray(x_train, jnp.float32), jnp.asarray(y_train, jnp.int32)
    network = _network(tuple(hidden), num_classes)
    params = _train(network, steps, batch_size, x, y, key, jnp.float32(learning_rate))
    return Classifier(params, tuple(x.shape[1:]), num_classes, tuple(hidden))


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


def _network(hidden: tuple[int, ...], num_classes: int) -> MLP:
    return MLP(hidden, (num_classes,))


@partial(jax.jit, static_argnums=0)
def _apply(network: MLP, params: Any, x: jax.Array) -> jax.Array:
    logits: Any = network.apply({"params": params}, x)
    return logits


@partial(jax.jit, static_argnums=(0, 1, 2))
def _train(
    network: MLP,
    steps: int,
    batch_size: int,
    x: jax.Array,
    y: jax.Array,
    key: jax.Array,
    learning_rate: jax.Array,
) -> Any:
    init_key, steps_key = jax.random.split(key)
    params = network.init(init_key, x[:1])["params"]
    schedule = optax.cosine_decay_schedule(1.0, steps)
    optimizer = optax.adamw(lambda i: learning_rate * schedule(i), weight_decay=_WEIGHT_DECAY)

    def step(carry: Any, i: jax.Array) -> tuple[Any, None]:
        params, opt_state = carry
        batch_key, augment_key = jax.random.split(jax.random.fold_in(steps_key, i))
        rows = jax.random.randint(batch_key, (batch_size,), 0, x.shape[0])
        labels = jax.nn.one_hot(y[rows], network.out_shape[0])
        images, targets, weights = _with_outliers(augment_key, x[rows], labels)

        def loss(params: Any) -> jax.Array:
            logits = network.apply({"params": params}, images)
            return jnp.sum(weights * optax.softmax_cross_entropy(logits, targets)) / batch_size

        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), None

    (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), jnp.arange(steps))
    return params


def _with_outliers(
    key: jax.Array, x: jax.Array, labels: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Makes 2B images, their target distributions and weights from B labeled images."""
    batch_size, quarter = x.shape[0], x.shape[0] // 4
    keys = jax.random.split(key, 5)
    x = _shift(keys[0], x)
    a, b, c, d = jnp.split(x, 4)
    share = jax.random.uniform(keys[1], (quarter, 1, 1, 1), minval=0.3, maxval=0.5)
    averages = share * a + (1 - share) * b
    labels_a, labels_b, *_ = jnp.split(labels, 4)
    average_labels = share[..., 0, 0] * labels_a + (1 - share[..., 0, 0]) * labels_b
    # One permutation for all: as random as one each to the network, and a single sort.
    order = jax.random.permutation(keys[2], x[0].size)
    shuffled = c.reshape(quarter, -1)[:, order].reshape(c.shape)
    noise = jax.random.uniform(keys[3], c.shape)
    outliers = jnp.concatenate([averages, shuffled, noise, _blur(d)])
    images = jnp.concatenate([x + _NOISE * jax.random.normal(keys[4], x.shape), outliers])
    uniform = jnp.full((3 * quarter, labels.shape[1]), 1 / labels.shape[1])
    targets = jnp.concatenate([labels, average_labels, uniform])
    weights = jnp.concatenate([jnp.ones(batch_size), jnp.full(batch_size, _OUTLIER_WEIGHT)])
    return jnp.clip(images, 0.0, 1.0), targets, weights


def _shift(key: jax.Array, x: jax.Array) -> jax.Array:
    """Moves each image by up to 1/16 of its side, at most a pixel, either way; edges are black."""
    offsets = jax.random.uniform(key, (2, x.shape[0], 1, 1, 1), minval=-1.0, maxval=1.0)
    for axis, offset in zip((1, 2), offsets, strict=True):
        offset = offset * min(1.0, x.shape[axis] / 16)
        padding = [(1, 1) if i == axis else (0, 0) for i in range(x.ndim)]
        padded = jnp.pad(x, padding)
        before = jax.lax.slice_in_dim(padded, 0, x.shape[axis], axis=axis)
        after = jax.lax.slice_in_dim(padded, 2, None, axis=axis)
        # Linear interpolation between a pixel and its neighbor.
        moved = jnp.where(offset > 0, before, after)
        x = x + jnp.abs(offset) * (moved - x)
    return x


def _blur(x: jax.Array) -> jax.Array:
    """Blurs by a box over 3/8 of each side (3 pixels of 8, 11 of 28)."""
    rows, columns = (_blur_matrix(n) for n in x.shape[1:3])
    return jnp.einsum("ih,nhwc,jw->nijc", rows, x, columns)


def _blur_matrix(n: int) -> np.ndarray:
    distance = np.abs(np.arange(n)[:, None] - np.arange(n))
    box = (distance <= max(1, 3 * n // 16)).astype(np.float32)
    return box / box.sum(axis=1, keepdims=True)


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
    if batch_size < 4 or batch_size % 4:
        raise ConfigError(f"batch_size={batch_size}: must be a positive multiple of 4")
