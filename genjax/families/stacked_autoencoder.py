"""Stacked denoising autoencoder: layers pre-trained one after another, then fine-tuned as a whole.

Layer k learns to reconstruct the codes h of the layers below it, which stand still, from corrupted
ones: its loss of an example is d(h, g_k(f_k(corrupted h))), where d is the cross-entropy or the
squared error, averaged over elements. Then the whole stack is fine-tuned: to reconstruct examples
or, with a softmax layer on top, to classify them.

All stages are one run: `state.step` decides the stage, and one program holds each of them as a
branch of a switch. So no stage compiles anew, and a run resumes in the middle of any of them.

Sources: Vincent et al. 2010, "Stacked denoising autoencoders" (sections 3.1 and 3.5); Hinton and
Salakhutdinov 2006 (fine-tuning that reconstructs).
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_sum
from genjax.core.config import Base, Data, Optimizer, fail
from genjax.core.family import (
    Batch,
    DataSpec,
    Family,
    Metrics,
    State,
    compute_dtype,
    new_state,
    shared_fields,
)
from genjax.core.fields import field, read, subsection
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import init_key, step_key
from genjax.core.update import minimize
from genjax.data.corruption import CORRUPTIONS, corrupt
from genjax.families._checks import check_level
from genjax.models.dense import ACTIVATIONS

_CORRUPTION = 0  # uses of the step's key


@dataclass(frozen=True)
class Model:
    """The section `model`."""

    layers: tuple[int, ...] = field((256, 128, 32), "width of each layer's code", ge=1)
    activation: str = field("sigmoid", "of every code", choices=("sigmoid", *ACTIVATIONS))


@dataclass(frozen=True)
class Loss:
    """The section `loss`."""

    pretrain: tuple[float, ...] = field(
        (0.2, 0.2, 0.2),
        "the share of the run for each layer; fine-tuning: the rest",
        spans_run=True,
    )
    corruption: str = field("masking", "of a layer's input", choices=CORRUPTIONS)
    corruption_level: tuple[float, ...] = field(
        (0.1, 0.2, 0.3), "by layer: standard deviation, or share of elements replaced"
    )
    likelihood: str = field(
        "bernoulli", "cross-entropy of pixels, or squared error", choices=("bernoulli", "mse")
    )
    finetune: str = field(
        "reconstruction", "what fine-tuning learns", choices=("reconstruction", "labels")
    )


@dataclass(frozen=True)
class LabeledData(Data):
    """The section `data`."""

    num_labeled: int = field(0, "training examples whose labels fine-tuning sees; 0: all", ge=0)


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for small images; `optimizer` fine-tunes."""

    family: str = "stacked_autoencoder"
    data: LabeledData = subsection(LabeledData)
    model: Model = subsection(Model)
    loss: Loss = subsection(Loss)
    pretrain_optimizer: Optimizer = subsection(Optimizer)  # of each layer, its schedule as well


default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class StackedAutoencoder(Family):
    """The family `stacked_autoencoder`, fine-tuned to reconstruct.

    Sigmoid codes are reconstructed by their cross-entropy, others by their squared error. Nothing
    is corrupted in fine-tuning. The metric `loss` is that of the stage; `stage` counts from 0, the
    last one being fine-tuning. Samples are decoded from normal codes, of which the family has no
    prior (see `genjax.families.autoencoder`).

    Attributes:
      networks: linear layers `encoder_0`, …, `decoder_0`, … and, last, perhaps `classifier`.
      stage_ends: the step at which each layer's stage ends.
      layer_optimizers: of pre-training, one for each layer.
      num_labeled: training examples whose labels fine-tuning sees; 0: all.
    """

    has_prior = False

    model: Model
    loss: Loss
    networks: Mapping[str, nn.Module]
    stage_ends: tuple[int, ...]
    optimizer: optax.GradientTransformation
    layer_optimizers: tuple[optax.GradientTransformation, ...]
    num_labeled: int = 0

    # The networks.

    def code(self, params: Any, x: jax.Array, layers: int | None = None) -> jax.Array:
        """Computes the codes (B, N) that the lowest `layers`, or all, make of examples (B, …)."""
        h = x.reshape(x.shape[0], -1)
        for k in range(self._depth if layers is None else layers):
            h = self._activation(self._apply(params, f"encoder_{k}", h))
        return h

    def output(self, params: Any, code_BxZ: jax.Array) -> jax.Array:
        """Computes what the decoders make of the top's codes, (B, …): of pixels logits."""
        h = self._apply(params, f"decoder_{self._depth - 1}", code_BxZ)
        for k in reversed(range(self._depth - 1)):
            h = self._apply(params, f"decoder_{k}", self._activation(h))
        return h.reshape(-1, *self.spec.shape)

    # The losses.

    def layer_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes d(h, g_k(f_k(corrupted h))) of layer k (Vincent et al. 2010, section 3).

        Args:
          params: `encoder_K` and `decoder_K` of layer K.
          rows: the codes of the layers below, `clean` and `corrupted`.
          shared, part: not used.
        """
        k = int(min(params).rpartition("_")[2])
        code = self._activation(self._apply(params, f"encoder_{k}", rows["corrupted"]))
        output = self._apply(params, f"decoder_{k}", code)
        value = self._error(k)(output, rows["clean"]).mean()
        return value, {"loss": value}

    def finetune_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes d(x, g(f(x))) of the whole stack.

        Args:
          params: of all encoders and decoders.
          rows: `x`.
          shared, part: not used.
        """
        output = self.output(params, self.code(params, rows["x"]))
        value = self._error(0)(output, rows["x"]).mean()
        return value, {"loss": value}

    def layer_inputs(self, state: State, batch: Batch, k: int = 0) -> tuple[Batch, dict[str, Any]]:
        """Computes and corrupts the inputs of layer k for the update that follows `state`."""
        clean, key = self.code(state.params, batch["x"], k), step_key(state, _CORRUPTION)
        corrupted = corrupt(clean, key, self.loss.corruption, self.loss.corruption_level[k])
        return {"clean": clean, "corrupted": corrupted}, {}

    def finetune_inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Selects what fine-tuning sees of a batch."""
        return {"x": batch["x"]}, {}

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        keys, layers = jax.random.split(init_key(key), len(self.networks)), self.model.layers
        widths = [int(np.prod(self.spec.shape)), *layers[:-1], *layers, layers[-1]]  # of inputs
        params = {
            name: network.init(k, jnp.zeros((1, width)))["params"]
            for k, (name, network), width in zip(keys, self.networks.items(), widths)
        }
        # One optimizer state, whose numbers all layers share; its inner states are the layers' own.
        each = [
            tx.init({name: params[name] for name in (f"encoder_{k}", f"decoder_{k}")})
            for k, tx in enumerate(self.layer_optimizers)
        ]
        opt_state = {
            "optimizer": self.optimizer.init({name: params[name] for name in self._tuned}),
            "pretrain_optimizer": each[0]._replace(inner_state=tuple(s.inner_state for s in each)),
        }
        return new_state(
            key, params=params, opt_state=opt_state, ema=params if self.ema_decay else {}
        )

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """Makes an update of the stage that the state is in."""
        stage = (state.step >= np.array(self.stage_ends, np.int32)).sum()
        layers = [functools.partial(self._pretrain, k) for k in range(self._depth)]
        state, metrics = jax.lax.switch(stage, [*layers, self._finetune], state, batch)
        return state, metrics | {"stage": jnp.asarray(stage, jnp.float32)}

    def _pretrain(self, layer: int, state: State, batch: Batch) -> tuple[State, Metrics]:
        every, optimizer = state.opt_state["pretrain_optimizer"], self.layer_optimizers[layer]
        own = every._replace(inner_state=every.inner_state[layer])
        names, start = [f"encoder_{layer}", f"decoder_{layer}"], (0, *self.stage_ends)[layer]
        part = _part_of(state, names, own, start)
        rows, shared = self.layer_inputs(state, batch, layer)
        part, metrics = minimize(self.layer_loss, part, rows, shared, optimizer, self)
        own = part.opt_state["optimizer"]
        inner = (*every.inner_state[:layer], own.inner_state, *every.inner_state[layer + 1 :])
        return _joined(state, part, pretrain_optimizer=own._replace(inner_state=inner)), metrics

    def _finetune(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        own = state.opt_state["optimizer"]
        part = _part_of(state, self._tuned, own, self.stage_ends[-1])
        rows, shared = self.finetune_inputs(state, batch)
        part, metrics = minimize(self.finetune_loss, part, rows, shared, self.optimizer, self)
        return _joined(state, part, **part.opt_state), metrics

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Sums the reconstruction error of the whole stack, whatever the stage."""
        return batch_sum(self._sums(state.eval_params, self.encode(state, batch["x"]), batch))

    def _sums(self, params: Any, code_BxZ: jax.Array, batch: Batch) -> Metrics:
        output, x, mask_B = self.output(params, code_BxZ), batch["x"], batch["mask"]
        return {
            "count": mask_B.sum(),
            "reconstruction": (mask_B * self._error(0)(output, x)).sum(),
            "mse": (mask_B * losses.squared_error(self._mean(output), x)).sum(),
        }

    # What it is used for.

    def encode(self, state: State, x: jax.Array) -> jax.Array:
        """Encodes examples (B, …) in the range of the data: the top's codes (B, layers[-1])."""
        return self.code(state.eval_params, x)

    def features(self, state: State, x: jax.Array) -> dict[str, jax.Array]:
        """Computes the codes (B, N) of each layer; the top's are `encode`'s."""
        names = [*(f"encoder.{k}" for k in range(self._depth - 1)), "encoder.code"]
        return {n: self.code(state.eval_params, x, k) for k, n in enumerate(names, 1)}

    def decode(self, state: State, code_BxZ: jax.Array) -> jax.Array:
        """Decodes codes of the top layer (B, layers[-1]): examples (B, …)."""
        return self._mean(self.output(state.eval_params, code_BxZ))

    def reconstruct(self, state: State, x: jax.Array) -> jax.Array:
        """Takes examples (B, …) up the whole stack and down again."""
        return self.decode(state, self.encode(state, x))

    def sample(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Decodes `n` normal codes, through the activation."""
        code = jax.random.normal(key, (n, self.model.layers[-1]))
        return self.decode(state, self._activation(code))

    # Behind them.

    @property
    def _depth(self) -> int:
        return len(self.model.layers)

    @property
    def _tuned(self) -> list[str]:
        """Names the networks that fine-tuning moves."""
        return list(self.networks)

    @property
    def _activation(self) -> Callable[[jax.Array], jax.Array]:
        name = self.model.activation
        return nn.sigmoid if name == "sigmoid" else ACTIVATIONS[name]

    def _apply(self, params: Any, name: str, x_BxN: jax.Array) -> jax.Array:
        output = applied(self.networks[name], params[name], x_BxN)
        return jnp.asarray(output, jnp.float32)

    def _error(self, layer: int) -> Callable[[jax.Array, jax.Array], jax.Array]:
        """Returns the reconstruction error, (B,), of a layer's inputs."""
        of_codes = "bernoulli" if self.model.activation == "sigmoid" else "mse"
        likelihood = of_codes if layer else self.loss.likelihood
        return losses.bernoulli_cross_entropy if likelihood == "bernoulli" else losses.squared_error

    def _mean(self, output: jax.Array) -> jax.Array:
        return nn.sigmoid(output) if self.loss.likelihood == "bernoulli" else output


class StackedClassifier(StackedAutoencoder):
    """The family `stacked_autoencoder`, fine-tuned to classify."""

    def finetune_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes -log p(label | f(x)), in nats.

        Args:
          params: of all encoders and of `classifier`.
          rows: `x` and `label`.
          shared, part: not used.
        """
        logits = self._apply(params, "classifier", self.code(params, rows["x"]))
        value = losses.label_cross_entropy(logits, rows["label"]).mean()
        return value, {"loss": value}

    def finetune_inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Selects what fine-tuning sees of a batch."""
        prefix = "labeled_" if self.num_labeled else ""
        return {name: batch[prefix + name] for name in ("x", "label")}, {}

    def classify(self, state: State, x: jax.Array) -> jax.Array:
        """Computes class probabilities (B, num_classes) of examples (B, …)."""
        return nn.softmax(self._apply(state.eval_params, "classifier", self.encode(state, x)))

    @property
    def _tuned(self) -> list[str]:
        return [name for name in self.networks if not name.startswith("decoder")]

    def _sums(self, params: Any, code_BxZ: jax.Array, batch: Batch) -> Metrics:
        logits, mask_B = self._apply(params, "classifier", code_BxZ), batch["mask"]
        return super()._sums(params, code_BxZ, batch) | {
            "cross_entropy": (mask_B * losses.label_cross_entropy(logits, batch["label"])).sum(),
            "error": (mask_B * (logits.argmax(-1) != batch["label"])).sum(),
        }


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> StackedAutoencoder:
    """Builds the family from a config like `configs/stacked_autoencoder.py`."""
    model, loss = read(Model, config, "model"), read(Loss, config, "loss")
    _check(model, loss, config, spec)
    ends = [int(n) for n in np.round(np.cumsum(loss.pretrain) * total_steps)]
    lengths = [end - start for start, end in itertools.pairwise([0, *ends])]
    kind = StackedClassifier if loss.finetune == "labels" else StackedAutoencoder
    networks, own = _networks(model, loss, spec, config.precision), config.pretrain_optimizer
    paths = tuple(f"{name}/{leaf}" for name in networks for leaf in ("kernel", "bias"))
    layer: Any = {"section": "pretrain_optimizer", "others": paths}
    return kind(
        **shared_fields(config, spec, total_steps),
        model=model,
        loss=loss,
        networks=networks,
        stage_ends=tuple(ends),
        optimizer=make_optimizer(config.optimizer, max(1, total_steps - ends[-1])),
        layer_optimizers=tuple(make_optimizer(own, max(1, n), **layer) for n in lengths),
        num_labeled=config.data.num_labeled,
    )


def _networks(model: Model, loss: Loss, spec: DataSpec, precision: str) -> dict[str, nn.Module]:
    widths = (int(np.prod(spec.shape)), *model.layers)
    outputs = {f"encoder_{k}": n for k, n in enumerate(widths[1:])}
    outputs |= {f"decoder_{k}": n for k, n in enumerate(widths[:-1])}
    if loss.finetune == "labels":
        outputs["classifier"] = spec.num_classes
    dtype = compute_dtype(precision)
    return {name: nn.Dense(n, dtype=dtype) for name, n in outputs.items()}


def _part_of(state: State, names: Sequence[str], own: Any, start: int) -> State:
    """Returns a state of the networks `names` alone; `own` is that of their optimizer.

    Its steps count from `start`, that of the stage: so their moving average begins.
    """
    params, ema = ({n: v for n, v in p.items() if n in names} for p in (state.params, state.ema))
    step = state.step - start
    return state.replace(step=step, params=params, ema=ema, opt_state={"optimizer": own})


def _joined(state: State, part: State, **opt_state: Any) -> State:
    """Puts the networks of `part`, one step on, into `state`."""
    return state.replace(
        step=state.step + 1,
        params=state.params | part.params,
        ema=state.ema | part.ema,
        opt_state=state.opt_state | opt_state,
    )


def _check(model: Model, loss: Loss, config: ConfigDict, spec: DataSpec) -> None:
    if not model.layers:
        raise fail("model.layers", model.layers, "must have at least one layer")
    for name in ("pretrain", "corruption_level"):
        if len(value := getattr(loss, name)) != len(model.layers):
            message = f"must have a number for each of model.layers={model.layers}"
            raise fail(f"loss.{name}", value, message)
    shares = [0.0, *itertools.accumulate(loss.pretrain)]
    if sorted(shares) != shares or shares[-1] > 1 + 1e-9:
        raise fail("loss.pretrain", loss.pretrain, "must be at least 0 and sum to at most 1")
    for level in loss.corruption_level:
        check_level("loss.corruption_level", loss.corruption, level)
    image = spec.kind == "image"
    if loss.corruption == "salt_and_pepper" and not (image and model.activation == "sigmoid"):
        message = "sets to 0 and 1, which needs images and model.activation=sigmoid"
        raise fail("loss.corruption", loss.corruption, message)
    if loss.likelihood == "bernoulli" and not image:
        raise fail("loss.likelihood", "bernoulli", "needs data in [0, 1] (images); must be mse")
    if loss.finetune == "labels" and not spec.num_classes:
        raise fail("loss.finetune", "labels", f"data.name={config.data.name} has no labels")
    if config.data.num_labeled and loss.finetune != "labels":
        message = "must be 0 but with loss.finetune=labels"
        raise fail("data.num_labeled", config.data.num_labeled, message)
