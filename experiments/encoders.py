"""Encoders of the study of few labels: how each is trained, and what it makes of pictures.

An encoder is a run of one of the families, or none: the pixels, their principal components, or a
network with random weights. Its vectors are those of a `classifier` on that run, by layer; all are
centered and divided by one number a layer, so that the mean of |h|^2 over training pictures is 1
and a value of C means about the same everywhere. That takes pictures alone, no labels.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from genjax import recipes
from genjax.core.config import DURATIONS
from genjax.core.family import State
from genjax.data.in_memory import decode
from genjax.data.source import Dataset
from genjax.engine import start
from genjax.engine.run import prepare
from genjax.families import classifier

DATA = "tfds:fashion_mnist"
_AT_ONCE = 500  # pictures of a program
_STANDARD = 5000  # of the training split, that center and scale come from

Vectors = dict[str, np.ndarray]


class Encoder(NamedTuple):
    """How an encoder is made.

    Attributes:
      recipe: of its run; empty: it has none.
      changes: of the recipe's fields.
      layers: that are tried; the last one is what fine-tuning begins with.
      sees_labels: whether its own training sees labels: then it has a run for each choice of them,
        which sees these and no others.
    """

    recipe: str = ""
    changes: Mapping[str, Any] = MappingProxyType({})
    layers: tuple[str, ...] = ()
    sees_labels: bool = False


_CONV = {"model.latent_dim": 128, "model.encoder_channels": (32, 64)}
_TILES = ("encoder.0", "encoder.1", "encoder.code")
_CRITIC = ("critic.0", "critic.1", "critic.2")
# Of as many updates as 2 CPU cores make in ten minutes at most.
ENCODERS = {
    "pixels": Encoder(layers=("pixels",)),
    "pca": Encoder(layers=("pca.32", "pca.64", "pca.128")),
    "random": Encoder("autoencoder_conv_fashion", _CONV, _TILES),  # is not trained
    "autoencoder": Encoder("autoencoder_conv_fashion", _CONV | {"steps": 5000}, _TILES),
    "denoising": Encoder(
        "stacked_denoising_fashion",
        {
            "steps": 14_000, "data.num_labeled": 0, "loss.finetune": "reconstruction",
            "loss.pretrain": (0.34, 0.33, 0.33), "model.layers": (1000, 1000, 1000),
        },
        ("encoder.0", "encoder.1", "encoder.code"),
    ),
    "vae": Encoder(
        "vae_fashion", {"steps": 9400, "model.latent_dim": 50}, ("encoder.0", "encoder.code")
    ),
    "conditional_vae": Encoder(
        "vae_fashion",
        {"steps": 2000, "batch_size": 100, "model.latent_dim": 50, "model.conditional": True},
        ("encoder.0", "encoder.code"),
        sees_labels=True,
    ),
    "m2": Encoder(
        "semi_supervised_vae",
        {
            "steps": 6000, "model.latent_dim": 50, "model.encoder_hidden": (400,),
            "model.decoder_hidden": (400,), "model.classifier_hidden": (400,),
        },
        ("encoder.0", "encoder.code", "classifier.0"),
        sees_labels=True,
    ),
    "gan": Encoder("gan_fashion:ns_gan", {"steps": 2200}, _CRITIC),
    "wgan_gp": Encoder("gan_fashion:wgan_gp", {"steps": 2100}, _CRITIC),
    "flow": Encoder(
        "flow_matching_fashion", {"steps": 1100}, ("velocity.1", "velocity.2", "velocity.3")
    ),
}  # fmt: skip


def config(name: str, steps: int = 0) -> ConfigDict:
    """Makes the config of an encoder's run, without labels and seed; of none a classifier's."""
    encoder = ENCODERS[name]
    if not encoder.recipe:
        c = classifier.picture_config().unlock()
    else:
        c = recipes.load(encoder.recipe).copy_and_resolve_references().unlock()
    c.data.name = DATA
    given = dict(encoder.changes) | ({"steps": steps} if steps and encoder.recipe else {})
    if "steps" in given:
        c.update({duration: type(c[duration])(0) for duration in DURATIONS})
    if "eval_metrics" in c:  # the study judges itself
        c.update({"eval_metrics": "", "eval_every": 0, "sample_every": 0})
    c.update_from_flattened_dict(given)
    return c.lock()


def place(name: str, labels: int, seed: int) -> Path:
    """Returns the folder of an encoder's run, below the study's."""
    return Path(name, str(labels), str(seed)) if ENCODERS[name].sees_labels else Path(name)


def of_labels(
    c: ConfigDict, labels: int, seed: int, dataset: Dataset, rows: np.ndarray
) -> tuple[ConfigDict, Mapping[str, Any] | None]:
    """Makes the run of an encoder that sees the labels of some rows, and its data if not by name.

    A family that hides labels sees all pictures; another one those with labels alone.
    """
    c = c.copy_and_resolve_references().unlock()
    c.seed = seed
    if "num_labeled" in c.data:
        c.data.update(num_labeled=labels, labeled_seed=seed)
        return c.lock(), None
    c.data.name = "arrays"
    some = {name: a[rows] for name, a in dataset.train.arrays.items()}
    return c.lock(), some | {"test": dict(dataset.test.arrays)}


@dataclass(frozen=True, eq=False)
class Opened:
    """An encoder that is there, ready for heads.

    Attributes:
      layers: that are tried.
      dataset: of pictures.
      families: classifiers on the encoder by layer; empty of an encoder without networks.
      state: a first state of one of them, with the encoder in it.
    """

    layers: tuple[str, ...]
    dataset: Dataset
    families: Mapping[str, Any] = field(default_factory=dict)
    state: Any = None

    def put(self, state: State) -> State:
        """Puts the encoder into a state of one of the classifiers, whose head stays."""
        params = state.params | {"encoder": self.state.params["encoder"]}
        return state.replace(params=params, variables=self.state.variables)

    def pictures(self, x: np.ndarray) -> np.ndarray:
        """Makes stored pictures those in [0, 1] that models see."""
        return np.asarray(decode({"x": x}, self.dataset.train.levels)["x"])  # type: ignore[attr-defined]

    def vectors(self, x: np.ndarray) -> Vectors:
        """Makes vectors (N, D) by layer of stored pictures, centered and scaled."""
        shift = self._standard
        return {n: (h - shift[n][0]) / shift[n][1] for n, h in self._raw(x).items()}

    def test(self, head: str) -> Any:
        """Returns what heads see of the test split: pictures where they tune, else vectors."""
        return self._test_pictures if head == "tuned" else self._test_vectors

    @functools.cached_property
    def _test_pictures(self) -> np.ndarray:
        return self.pictures(self.dataset.test.arrays["x"])

    @functools.cached_property
    def _test_vectors(self) -> Vectors:
        return self.vectors(self.dataset.test.arrays["x"])

    @functools.cached_property
    def _standard(self) -> dict[str, tuple[np.ndarray, float]]:
        found = {}
        for layer, h in self._raw(self.dataset.train.arrays["x"][:_STANDARD]).items():
            center = h.mean(0)
            scale = math.sqrt(np.square(h - center).sum(-1).mean())
            found[layer] = center, max(scale, 1e-12)
        return found

    @functools.cached_property
    def _raw(self) -> Callable[[np.ndarray], Vectors]:
        """The function to vectors before they are centered and scaled."""
        if self.families:
            kinds = dict(self.families)
            encode = jax.jit(lambda s, x: {n: family.encode(s, x) for n, family in kinds.items()})
            return in_parts(lambda x: encode(self.state, self.pictures(x)))

        def flat(x: np.ndarray) -> np.ndarray:
            return self.pictures(x).reshape(len(x), -1)

        if self.layers == ENCODERS["pixels"].layers:
            return lambda x: {self.layers[0]: flat(x)}
        every = flat(self.dataset.train.arrays["x"])
        center = every.mean(0)
        _, _, axes = np.linalg.svd(np.cov(every, rowvar=False))  # rows: by falling variance
        widths = {layer: int(layer.rpartition(".")[2]) for layer in self.layers}

        def components(x: np.ndarray) -> Vectors:
            z = ((flat(x) - center) @ axes.T).astype(np.float32)
            return {layer: z[:, :width] for layer, width in widths.items()}

        return components


def is_trained(name: str) -> bool:
    """Says whether an encoder is a run, and no random network or none."""
    return bool(ENCODERS[name].recipe) and name != "random"


def open_encoder(name: str, folder: Path, dataset: Dataset, steps: int) -> Opened:
    """Opens an encoder.

    Args:
      name: of `ENCODERS`.
      folder: of its run, if it has one.
      dataset: of pictures.
      steps: updates of fine-tuning.
    """
    layers = ENCODERS[name].layers
    if not ENCODERS[name].recipe:
        return Opened(layers, dataset)
    c = classifier.picture_config().unlock()
    c.update({"steps": steps, "batch_size": 100})
    c.data.name = DATA
    c.model.network = "run"
    c.optimizer.schedule = "cosine"
    if is_trained(name):
        c.start.workdir = str(folder)
    else:
        c.model.run = classifier.adopt(c, config(name))["model.run"]
    run = prepare(c.copy_and_resolve_references().lock())
    begins = start.begin(run.config, run.executor, run.total_steps)
    found, own = {}, run.config.copy_and_resolve_references().unlock()
    for layer in layers:
        own.model.layer = layer
        found[layer] = classifier.build(own, dataset.spec, run.total_steps)
    return Opened(layers, dataset, found, run.executor.init(begins.leaves))


def in_parts(f: Callable[[np.ndarray], Mapping[str, jax.Array]]) -> Callable[..., Vectors]:
    """Returns the function that computes `f` of any number of rows, `_AT_ONCE` at a time."""

    def of(x: np.ndarray) -> Vectors:
        parts = []
        for i in range(0, len(x), _AT_ONCE):  # one shape for all: a program is compiled once
            part = x[i : i + _AT_ONCE]
            filled = np.concatenate([part, np.repeat(x[:1], _AT_ONCE - len(part), 0)])
            parts.append({n: np.asarray(h)[: len(part)] for n, h in f(filled).items()})
        return {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}

    return of


def jitted_accuracy(predict: Callable[[Any, Any], jax.Array]) -> Callable[..., float]:
    """Returns the share of rows that `predict(state, x)` is right on, in parts."""
    compiled = jax.jit(predict)

    def of(state: Any, x: np.ndarray, label: np.ndarray) -> float:
        found = in_parts(lambda part: {"class": compiled(state, part)})(x)["class"]
        return float((found == label).mean())

    return of
