"""Networks whose features images are compared by: genjax's own classifier, or InceptionV3."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from genjax.core.config import ConfigError
from genjax.data.source import Dataset, spread_rows
from genjax.evaluation import stored_arrays
from genjax.evaluation.image import classifier, weights
from genjax.models import inception

CLASSIFIER_SEED = 0  # the same judge for all runs
_MOST_EXAMPLES = 60_000  # of the training split that the classifier learns from


class Extracted(NamedTuple):
    """Of N images: `features` (N, D) and class `probabilities` (N, K), float32."""

    features: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class Extractor:
    """A network and what is done to images on their way into it.

    Attributes:
      name: stands beside every number.
      resize: what becomes of the images' size, in words.
      checksum: of the weights, hexadecimal.
      batch_size: images that it takes at a time.
      apply: images (B, H, W, C) in [0, 1] to features (B, D) and probabilities (B, K). Pure.
    """

    name: str
    resize: str
    checksum: str
    batch_size: int
    apply: Callable[[Any], tuple[jax.Array, jax.Array]]

    def __str__(self) -> str:
        return f"{self.name} {self.checksum[:8]}, {self.resize}"

    def extract(self, images_NxHxWxC: np.ndarray) -> Extracted:
        """Extracts features and probabilities of all images."""
        parts = [self._batch(x) for x in _batches(images_NxHxWxC, self.batch_size)]
        return Extracted(*(np.concatenate(column) for column in zip(*parts)))

    def _batch(self, x: np.ndarray) -> Extracted:
        missing = self.batch_size - len(x)  # filled up, so that nothing is compiled twice
        filled = np.concatenate([x, np.repeat(x[:1], missing, axis=0)]) if missing else x
        features, probabilities = jax.device_get(self.apply(filled))
        return Extracted(features[: len(x)], probabilities[: len(x)])


def own(dataset: Dataset, folder: Path) -> Extractor:
    """Extracts with the last hidden layer of genjax's own classifier, see `own_classifier`.

    Its numbers compare runs of genjax on one data set, and nothing else.
    """
    judge, checksum = own_classifier(dataset, folder)

    @jax.jit
    def apply(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return judge.features(x), judge.probabilities(x)

    height, width = judge.shape[:2]
    return Extractor(
        name="own classifier",
        resize=f"{height}x{width} as they are",
        checksum=checksum,
        batch_size=1000,
        apply=apply,
    )


def own_classifier(dataset: Dataset, folder: Path) -> tuple[classifier.Classifier, str]:
    """Returns the classifier of the training split's labels, and its weights' checksum.

    It is trained once and kept below `folder`; `ConfigError` where the data are no labeled images.
    """
    spec = dataset.spec
    if spec.kind != "image" or not spec.num_classes:
        raise ConfigError("genjax's own classifier needs labeled images; InceptionV3 does not")
    x, y = spread_rows(dataset.train, _MOST_EXAMPLES)
    plan = classifier.plan(spec.shape, spec.num_classes)
    identity = {
        "name": "classifier", "split": "train", "data": checksum_of(x, y),
        "classes": spec.num_classes, "seed": CLASSIFIER_SEED, **plan.identity,
    }  # fmt: skip

    def train() -> stored_arrays.Arrays:
        key = jax.random.key(CLASSIFIER_SEED)
        trained = classifier.train_classifier(x, y, spec.num_classes, key=key)
        flat = traverse_util.flatten_dict(jax.device_get(trained.params), sep=".")
        return {name: np.asarray(value) for name, value in flat.items()}

    flat = stored_arrays.arrays(folder, identity, train)
    params = traverse_util.unflatten_dict({n: jnp.asarray(v) for n, v in flat.items()}, sep=".")
    judge = classifier.Classifier(params, spec.shape, spec.num_classes, plan.network)
    return judge, checksum_of(*(flat[name] for name in sorted(flat)))


def inception_v3(path: str | Path, field: str = "--weights") -> Extractor:
    """Extracts with InceptionV3 of a file; see `genjax.evaluation.image.weights.read`."""
    variant, variables, checksum = weights.read(path, field)
    network = inception.InceptionV3(variant)

    @jax.jit
    def apply(variables: Any, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        with jax.default_matmul_precision("highest"):  # published numbers are of full float32
            outputs: Any = network.apply(variables, inception.prepare(images, variant))
        features, logits = outputs
        return features, jax.nn.softmax(logits)

    corners = "TensorFlow 1" if variant == "fid" else "PyTorch"
    return Extractor(
        name=f"InceptionV3 ({variant})",
        resize=f"bilinear to {inception.SIZE} without antialias ({corners} corners)",
        checksum=checksum,
        batch_size=50,
        apply=lambda x: apply(variables, x),
    )


def checksum_of(*arrays: np.ndarray) -> str:
    """Returns that of the arrays' content, types and shapes, hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _batches(x: np.ndarray, size: int) -> Iterable[np.ndarray]:
    return (x[i : i + size] for i in range(0, len(x), size))
