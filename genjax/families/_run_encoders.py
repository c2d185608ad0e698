"""The encoder of another run in a classifier: what that run's layers make of examples, as vectors.

The other run's networks are built from its recorded settings, which `model.run` keeps as JSON, so
that a classifier's folder says all that it is built from. Its parameters come by the section
`start`; without it they are random. See `genjax.core.capabilities.HasFeatures`.
"""

import json
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import families
from genjax.core.capabilities import HasFeatures
from genjax.core.config import fail, get
from genjax.core.family import DataSpec, Family, State
from genjax.core.paths import listed
from genjax.families._classifier_fields import Model
from genjax.models.dense import Dropout
from genjax.models.features import asked, offer
from genjax.models.pictures import tiled

NETWORKS = ("=encoder",)  # of the section `start`: the other run's networks are in our encoder


def adopt_run(config: ConfigDict, other: ConfigDict) -> dict[str, Any]:
    """Returns the fields that the run `other` decides where its encoder is taken over.

    Raises:
      ConfigError: `start.what` is state, which another family has not.
    """
    if config.start.what != "state":
        return {"model.run": _described(other), "start.networks": NETWORKS}
    if other.family != "classifier" or other.model.network != "run":
        message = "goes on with a classifier of model.network=run alone; must be ema or params"
        raise fail("start.what", "state", message)
    return {f"model.{name}": other.model[name] for name in ("run", "layer", "tiles")}


def make_run_encoder(
    config: ConfigDict, m: Model, spec: DataSpec, total_steps: int
) -> "RunEncoder":
    """Makes the encoder that `model.run` describes.

    Args:
      config: of the classifier.
      m: its section `model`.
      spec: of its data.
      total_steps: its length.

    Raises:
      ConfigError: it describes none, or one that cannot take such data or has no such layer.
    """
    if not m.run:
        raise fail("model.network", "run", "needs the run whose encoder it is: start.workdir")
    name = "start.workdir" if config.start.workdir else "model.run"
    try:
        other = families.completed(json.loads(m.run))
        other.precision = config.precision
        family = families.build(other.lock(), spec, total_steps)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = str(error).partition("\n")[0]
        message = f"its networks cannot be built for these data: {what}"
        raise fail(name, get(config, name), message) from error
    if not isinstance(family, HasFeatures):
        message = f"is of the family {other.family}, which shows no features"
        raise fail(name, get(config, name), message)
    if other.model.get("pack", 1) > 1:
        message = "has a critic that judges several examples as one (model.pack)"
        raise fail(name, get(config, name), message)
    state = jax.eval_shape(family.init, jax.random.key(0))
    x = jax.ShapeDtypeStruct((1, *spec.shape), jnp.float32)
    read: set[str] = set()
    classes = _classes(family, state, x)
    layers = jax.eval_shape(
        lambda params, x: _features(family, _Noting(params, read), state.variables, x, classes),
        state.params,
        x,
    )
    layer = m.layer or [*layers][-1]
    if layer not in layers:
        message = f"the run has no such layer; there are {listed(layers, 20)}"
        raise fail("model.layer", m.layer, message)
    networks = tuple(name for name in state.params if name in read)
    collections = tuple((n, tuple(state.variables.get(n, ()))) for n in networks)
    return RunEncoder(family, networks, collections, layer, m.tiles, classes, m.dropout)


class RunEncoder(nn.Module):
    """A layer of another run's networks as a vector of each example.

    Its parameters are those of the networks, by their names; what they carry beside parameters
    stays as it is. They compute what they do in use: without dropout or batch statistics. A network
    that needs an example's class, which is not known here, sees all of them, and the mean is taken.

    Attributes:
      family: of the other run, built for these data.
      networks: names of those that its features are computed with.
      collections: what each of them carries beside parameters.
      layer: a name of its features.
      tiles: a side, see `genjax.models.pictures.tiled`; 0: all pixels.
      classes: that a network needs; 0: it needs none.
      dropout: rate, of the vector, in training.
    """

    family: Any
    networks: tuple[str, ...]
    collections: tuple[tuple[str, tuple[str, ...]], ...]
    layer: str
    tiles: int
    classes: int = 0
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps examples (B, …) in the range of the data to (B, D)."""
        variables: dict[str, dict[str, Any]] = {}
        params = {
            name: self.param(name, lambda key, name=name: self._first(key).params[name])
            for name in self.networks
        }
        for name, kinds in self.collections:
            first = self._first(jax.random.key(0)).variables if kinds else {}
            variables[name] = {
                kind: self.variable(kind, name, lambda v: v, first[name][kind]).value
                for kind in kinds
            }
        layers = _features(self.family, params, variables, x, self.classes)
        if asked(self):
            for h in layers.values():
                offer(self, h)
        h = layers[self.layer]
        h = tiled(h, self.tiles) if h.ndim == 4 and self.tiles else h
        return Dropout(self.dropout)(h.reshape(len(x), -1), train=train)

    def _first(self, key: jax.Array) -> State:
        first: State = self.family.init(key)
        return first


class _Noting(dict[str, Any]):
    """Parameters that note which networks are read."""

    def __init__(self, params: Mapping[str, Any], read: set[str]):
        super().__init__(params)
        self._read = read

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return super().__getitem__(name)

    def __or__(self, other: Any) -> Any:
        return _Noting({**self, **other}, self._read)


def _features(
    family: Any, params: Any, variables: Any, x: jax.Array, classes: int
) -> dict[str, jax.Array]:
    """Computes all layers of examples; of networks that need a class the mean over all classes."""
    zero = jnp.zeros((), jnp.int32)
    state = State(
        step=zero, key=jax.random.key(0), params=params, opt_state={}, variables=variables
    )
    if not classes:
        found: dict[str, jax.Array] = family.features(state, x)
        return found
    each = jax.vmap(lambda c: family.features(state, x, jnp.full(len(x), c)))(jnp.arange(classes))
    return {name: h.mean(0) for name, h in each.items()}


def _classes(family: Family, state: State, x: Any) -> int:
    """Returns the classes that the features need to be given; 0 where they do without."""
    try:
        jax.eval_shape(lambda s, x: _features(family, s.params, s.variables, x, 0), state, x)
    except ValueError:  # what networks say that lack their label
        return family.spec.num_classes
    return 0


def _described(other: ConfigDict) -> str:
    """Describes a run's networks as JSON: what differs from its family's defaults."""
    usual = families.default_config(other.family)
    sections = {
        name: changed
        for name, values in other.items()
        if isinstance(values, ConfigDict)
        and not (name in ("data", "start", "teacher") or name.endswith("optimizer"))
        and (changed := _changed(values, usual.get(name, ConfigDict())))
    }
    return json.dumps({"family": other.family, **sections}, sort_keys=True)


def _changed(values: ConfigDict, usual: ConfigDict) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, ConfigDict):
            value = _changed(value, usual.get(name, ConfigDict()))
            found |= {name: value} if value else {}
        elif name not in usual or usual[name] != value:
            found[name] = value
    return found
