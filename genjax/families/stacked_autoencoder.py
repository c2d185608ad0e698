"""Stacked denoising autoencoder: layers pre-trained one after another, then fine-tuned as a whole.

Source: Vincent et al. 2010 (Stacked denoising autoencoders), sections 3.1 and 3.5. Layer k learns
to reconstruct the codes of the layers below it, which stand still, from corrupted ones. Then the
whole stack is fine-tuned: to reconstruct (Hinton and Salakhutdinov 2006) or, with a softmax layer
on top, to classify.

All stages are one run: `state.step` tells the stage, and one program holds each of them as a branch
of a switch. So no stage compiles anew, and a run resumes in the middle of any of them.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_sum
from genjax.core.config import base, choose, fail, optimizer
from genjax.core.family import (
    Batch,
    DataSpec,
    Metrics,
    OldFamily,
    State,
    compute_dtype,
    init_key,
    new_state,
    step_key,
)
from genjax.core.optimizer import make_optimizer
from genjax.core.update import minimise
from genjax.models.corruption import CORRUPTIONS, check_level, corrupt
from genjax.models.dense import ACTIVATIONS, check_widths

_CORRUPTION = 0  # uses of the step's key
_RECONSTRUCTION = {"bernoulli": losses.bernoulli_cross_entropy, "mse": losses.squared_error}
LIKELIHOODS = tuple(_RECONSTRUCTION)
FINETUNING = ("reconstruction", "labels")


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for small images; recipes change what they need."""
    c = base()
    c.family = "stacked_autoencoder"
    c.data.num_labelled = 0  # training examples whose labels fine-tuning sees; 0: all
    c.model = ConfigDict()
    c.model.layers = (256, 128, 32)  # width of each layer's code
    c.model.activation = "sigmoid"  # of every code; or "relu", "tanh", …
    c.loss = ConfigDict()
    c.loss.pretrain = (0.2, 0.2, 0.2)  # the share of the run for each layer; fine-tuning: the rest
    c.loss.corruption = "masking"  # of a layer's input; or "none", "gaussian", "salt_and_pepper"
    c.loss.corruption_level = (0.1, 0.2, 0.3)  # by layer, see autoencoder's
    c.loss.likelihood = "bernoulli"  # cross-entropy of pixels; or "mse"
    c.loss.finetune = "reconstruction"  # or "labels"
    c.optimizer = optimizer(learning_rate=1e-3)  # of fine-tuning
    c.pretrain_optimizer = optimizer(learning_rate=1e-3)  # of each layer, its schedule as well
    return c


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> OldFamily:
    """The family `stacked_autoencoder` for a config like `configs/stacked_autoencoder.py`.

    Sigmoid codes are reconstructed by their cross-entropy, others by their squared error. Nothing
    is corrupted in fine-tuning. The metric `loss` is that of the stage; `stage` counts from 0, the
    last one being fine-tuning.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, of which the stages are shares.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    m, loss, dtype = config.model, config.loss, compute_dtype(config.precision)
    depth, size = len(m.layers), int(np.prod(spec.shape))
    widths = (size, *m.layers)
    sigmoid = m.activation == "sigmoid"
    activation = nn.sigmoid if sigmoid else ACTIVATIONS[m.activation]
    reconstruction = [_RECONSTRUCTION[loss.likelihood]] + [
        _RECONSTRUCTION["bernoulli" if sigmoid else "mse"]
    ] * (depth - 1)

    encoders = [f"encoder_{k}" for k in range(depth)]
    decoders = [f"decoder_{k}" for k in range(depth)]
    networks = {name: nn.Dense(n, dtype=dtype) for name, n in zip(encoders, m.layers)}
    networks |= {name: nn.Dense(n, dtype=dtype) for name, n in zip(decoders, widths)}
    inputs = dict(zip(encoders, widths)) | dict(zip(decoders, m.layers))
    tuned = [*encoders, *decoders]
    if loss.finetune == "labels":
        networks["classifier"] = nn.Dense(spec.num_classes, dtype=dtype)
        inputs["classifier"] = m.layers[-1]
        tuned = [*encoders, "classifier"]

    ends = np.round(np.cumsum(loss.pretrain) * total_steps).astype(np.int32)
    lengths = np.diff(ends, prepend=0)
    tx = make_optimizer(config.optimizer, max(1, total_steps - int(ends[-1])))
    layer_tx = [make_optimizer(config.pretrain_optimizer, max(1, int(n))) for n in lengths]

    def apply(params: Any, name: str, x_BxN: jax.Array) -> jax.Array:
        return jnp.asarray(networks[name].apply({"params": params[name]}, x_BxN), jnp.float32)

    def code_with(params: Any, x: jax.Array, layers: int = depth) -> jax.Array:
        h = x.reshape(x.shape[0], -1)
        for name in encoders[:layers]:
            h = activation(apply(params, name, h))
        return h

    def logits_with(params: Any, code_BxZ: jax.Array) -> jax.Array:
        h = apply(params, decoders[-1], code_BxZ)
        for name in reversed(decoders[:-1]):
            h = apply(params, name, activation(h))
        return h.reshape(-1, *spec.shape)

    def init(key: jax.Array) -> State:
        keys = jax.random.split(init_key(key), len(networks))
        params = {
            name: network.init(k, jnp.zeros((1, inputs[name])))["params"]
            for k, (name, network) in zip(keys, networks.items())
        }
        # One optimizer state, whose numbers all layers share; its inner states are the layers' own.
        each = [layer_tx[k].init(_part(params, _layer(k))) for k in range(depth)]
        layers_state = each[0]._replace(inner_state=tuple(s.inner_state for s in each))
        opt_state = {"optimizer": tx.init(_part(params, tuned)), "pretrain_optimizer": layers_state}
        return new_state(
            key, params=params, opt_state=opt_state, ema=params if config.ema_decay else {}
        )

    def update(
        state: State, names: Sequence[str], opt_state: Any, objective: Callable[..., jax.Array],
        batch: Batch, tx: optax.GradientTransformation,
    ) -> tuple[State, Any, Metrics]:  # fmt: skip
        """The networks `names` moved by a step; the state and their optimizer's."""
        part = state.replace(
            params=_part(state.params, names), ema=_part(state.ema, names),
            opt_state={"optimizer": opt_state},
        )  # fmt: skip

        def mean(params: Any, batch: Batch, _: jax.Array) -> tuple[jax.Array, Metrics]:
            value = objective(state.params | params, batch).mean()
            return value, {"loss": value}

        part, metrics = minimise(mean, part, batch, tx, config)
        moved = state.replace(
            step=part.step, params=state.params | part.params, ema=state.ema | part.ema
        )
        return moved, part.opt_state["optimizer"], metrics

    def pretrain(k: int) -> Callable[[State, Batch], tuple[State, Metrics]]:
        """One update of layer `k`, on the codes of the clean examples below it."""

        def objective(params: Any, rows: Batch) -> jax.Array:
            code = activation(apply(params, encoders[k], rows["corrupted"]))
            return reconstruction[k](apply(params, decoders[k], code), rows["clean"])

        def train(state: State, batch: Batch) -> tuple[State, Metrics]:
            clean, key = code_with(state.params, batch["x"], k), step_key(state, _CORRUPTION)
            corrupted = corrupt(clean, key, loss.corruption, loss.corruption_level[k])
            shared = state.opt_state["pretrain_optimizer"]
            own = shared._replace(inner_state=shared.inner_state[k])
            rows = {"clean": clean, "corrupted": corrupted}
            state, own, metrics = update(state, _layer(k), own, objective, rows, layer_tx[k])
            inner = (*shared.inner_state[:k], own.inner_state, *shared.inner_state[k + 1 :])
            opt_state = {"pretrain_optimizer": own._replace(inner_state=inner)}
            return state.replace(opt_state=state.opt_state | opt_state), metrics

        return train

    def finetune(state: State, batch: Batch) -> tuple[State, Metrics]:
        """One update of the whole stack."""

        def objective(params: Any, rows: Batch) -> jax.Array:
            code = code_with(params, rows["x"])
            if loss.finetune == "labels":
                return _cross_entropy(apply(params, "classifier", code), rows["label"])
            return reconstruction[0](logits_with(params, code), rows["x"])

        prefix = "labelled_" if config.data.num_labelled else ""
        used = ("x", "label") if loss.finetune == "labels" else ("x",)
        rows = {name: batch[prefix + name] for name in used}
        opt_state = state.opt_state["optimizer"]
        state, opt_state, metrics = update(state, tuned, opt_state, objective, rows, tx)
        return state.replace(opt_state=state.opt_state | {"optimizer": opt_state}), metrics

    branches = [*(pretrain(k) for k in range(depth)), finetune]

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        stage = (state.step >= ends).sum()
        state, metrics = jax.lax.switch(stage, branches, state, batch)
        return state, metrics | {"stage": jnp.asarray(stage, jnp.float32)}

    def output(logits: jax.Array) -> jax.Array:
        return nn.sigmoid(logits) if loss.likelihood == "bernoulli" else logits

    def encode(state: State, x: jax.Array) -> jax.Array:
        """Examples (B, …) in the range of the data to codes of the last layer (B, layers[-1])."""
        return code_with(state.ema or state.params, x)

    def decode(state: State, code_BxZ: jax.Array) -> jax.Array:
        """Codes of the last layer to examples (B, …)."""
        return output(logits_with(state.ema or state.params, code_BxZ))

    def reconstruct(state: State, x: jax.Array) -> jax.Array:
        """Examples (B, …) up the whole stack and down again."""
        return decode(state, encode(state, x))

    def classify(state: State, x: jax.Array) -> jax.Array:
        """Class probabilities (B, num_classes)."""
        params = state.ema or state.params
        return nn.softmax(apply(params, "classifier", code_with(params, x)))

    def evaluate(state: State, batch: Batch) -> Metrics:
        """Reconstruction by the whole stack, whatever the stage; with labels, the test error."""
        params, x, mask_B = state.ema or state.params, batch["x"], batch["mask"]
        code = code_with(params, x)
        logits = logits_with(params, code)
        sums = {
            "count": mask_B.sum(),
            "reconstruction": (mask_B * reconstruction[0](logits, x)).sum(),
            "mse": (mask_B * losses.squared_error(output(logits), x)).sum(),
        }
        if loss.finetune == "labels":
            scores = apply(params, "classifier", code)
            sums["cross_entropy"] = (mask_B * _cross_entropy(scores, batch["label"])).sum()
            sums["error"] = (mask_B * (scores.argmax(-1) != batch["label"])).sum()
        return batch_sum(sums)

    def sample(state: State, key: jax.Array, n: int) -> jax.Array:
        """What the decoders make of normal codes (see `autoencoder`: there is no prior)."""
        return decode(state, activation(jax.random.normal(key, (n, widths[-1]))))

    functions = {"encode": encode, "decode": decode, "reconstruct": reconstruct}
    if loss.finetune == "labels":
        functions["classify"] = classify
    return OldFamily(
        init=init, step=step, evaluate=evaluate, sample=sample, batch_shape=(config.batch_size,),
        functions=functions, has_prior=False,
    )  # fmt: skip


def _layer(k: int) -> list[str]:
    return [f"encoder_{k}", f"decoder_{k}"]


def _part(networks: Any, names: Sequence[str]) -> Any:
    return {name: networks[name] for name in names if name in networks}


def _cross_entropy(logits_BxC: jax.Array, label_B: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits_BxC, label_B)


def _check(config: ConfigDict, spec: DataSpec) -> None:
    m, loss = config.model, config.loss
    check_widths("model.layers", m.layers)
    if not m.layers:
        raise fail("model.layers", m.layers, "must have at least one layer")
    choose("model.activation", m.activation, ("sigmoid", *ACTIVATIONS))
    for field in ("pretrain", "corruption_level"):
        if len(loss[field]) != len(m.layers):
            allowed = f"must have a number for each of model.layers={m.layers}"
            raise fail(f"loss.{field}", loss[field], allowed)
    shares = [0.0, *itertools.accumulate(loss.pretrain)]
    if sorted(shares) != shares or shares[-1] > 1 + 1e-9:
        raise fail("loss.pretrain", loss.pretrain, "must be at least 0 and sum to at most 1")
    choose("loss.corruption", loss.corruption, CORRUPTIONS)
    for level in loss.corruption_level:
        check_level("loss.corruption_level", loss.corruption, level)
    if loss.corruption == "salt_and_pepper" and (spec.kind != "image" or m.activation != "sigmoid"):
        raise fail(
            "loss.corruption", loss.corruption,
            "sets to 0 and 1, which needs images and model.activation=sigmoid",
        )  # fmt: skip
    choose("loss.likelihood", loss.likelihood, LIKELIHOODS)
    if loss.likelihood == "bernoulli" and spec.kind != "image":
        raise fail("loss.likelihood", "bernoulli", "needs data in [0, 1] (images); must be mse")
    choose("loss.finetune", loss.finetune, FINETUNING)
    if loss.finetune == "labels" and not spec.num_classes:
        raise fail("loss.finetune", "labels", f"data.name={config.data.name} has no labels")
    if config.data.num_labelled and loss.finetune != "labels":
        raise fail(
            "data.num_labelled", config.data.num_labelled,
            "labels are for loss.finetune=labels; must be 0",
        )  # fmt: skip
