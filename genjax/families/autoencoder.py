"""Autoencoder: an encoder to a small code and a decoder back, trained to reconstruct.

The loss of an example x is the reconstruction error from its code f(x), and what keeps the code
from being the identity, where it has a weight:

    d(x, g(f(x))) + code_l1 |f(x)|_1 + sparsity_weight KL + contraction |df / dx|^2 + l2 |W|^2,

d the squared error or the cross-entropy, averaged over elements, KL the divergence from
`sparsity_target` to the mean of each unit of the code. Papers sum d: a weight of theirs is to be
divided by the number of elements.

Sources: Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks";
Vincent et al. 2010 (denoising); Ng 2011 (sparse codes); Rifai et al. 2011 (contractive encoders).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_mean, batch_sum
from genjax.core.config import Base, fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, shared_fields
from genjax.core.fields import field, read, subsection
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import init_key, step_key
from genjax.core.update import first_state, minimize
from genjax.data.corruption import CORRUPTIONS, corrupt
from genjax.families._checks import check_level
from genjax.families._coders import Coders, make_coders
from genjax.models.features import watched

_DROPOUT, _CORRUPTION = range(2)  # uses of the step's key


@dataclass(frozen=True)
class Model(Coders):
    """The section `model`."""

    code_activation: str = field(
        "linear", "sparsity_weight needs sigmoid", choices=("linear", "sigmoid")
    )
    dropout: float = field(0.0, "mlp: after each hidden layer", ge=0, lt=1)


@dataclass(frozen=True)
class Loss:
    """The section `loss`."""

    likelihood: str = field(
        "bernoulli", "cross-entropy of pixels, or squared error", choices=("mse", "bernoulli")
    )
    corruption: str = field(
        "none", "of the training input; the target is clean", choices=CORRUPTIONS
    )
    corruption_level: float = field(0.3, "standard deviation, or share of elements replaced")
    code_l1: float = field(0.0, "weight of the code's L1 norm (sparse codes)", ge=0)
    sparsity_weight: float = field(
        0.0, "of the KL from sparsity_target to each code unit's mean", ge=0
    )
    sparsity_target: float = field(0.05, "mean of a code unit over the batch")
    contraction: float = field(
        0.0, "weight of ||d code / d x||_F^2 (contractive); latent_dim passes each", ge=0
    )
    l2: float = field(0.0, "weight of the squared norm of all weight matrices", ge=0)


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for small images."""

    family: str = "autoencoder"
    model: Model = subsection(Model, encoder_hidden=(128,), decoder_hidden=(128,))
    loss: Loss = subsection(Loss)


default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class Autoencoder(Family):
    """The family `autoencoder`.

    `sample` decodes standard normal codes (through the code's sigmoid, where it has one): an
    autoencoder has no prior, so these show only what the decoder makes of codes that no example
    has.
    """

    has_prior = False

    model: Model
    loss: Loss
    encoder: nn.Module
    decoder: nn.Module
    optimizer: optax.GradientTransformation

    # The networks.

    def code(self, params: Any, x: jax.Array, **options: Any) -> jax.Array:
        """Computes the codes (B, Z) of examples (B, …)."""
        code = applied(self.encoder, params["encoder"], x, **options)
        return self._squashed(jnp.asarray(code, jnp.float32))

    def output(self, params: Any, code_BxZ: jax.Array, **options: Any) -> jax.Array:
        """Computes what the decoder makes of codes, (B, …): of a Bernoulli likelihood logits."""
        logits = applied(self.decoder, params["decoder"], code_BxZ, **options)
        return jnp.asarray(logits, jnp.float32)

    # The loss.

    def reconstruction_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes d(x, g(f(x))) of clean examples, x corrupted as configured, and what is added.

        Args:
          params: of encoder and decoder.
          rows: `x`, and `corrupted` where the input is.
          shared: `key` of dropout.
          part: number of the part, folded into the key.
        """
        loss, keys = self.loss, jax.random.split(jax.random.fold_in(shared["key"], part))
        inputs = rows.get("corrupted", rows["x"])
        code = self.code(params, inputs, train=True, rngs={"dropout": keys[0]})
        output = self.output(params, code, train=True, rngs={"dropout": keys[1]})
        metrics = {"reconstruction": self._error(output, rows["x"]).mean()}
        total = metrics["reconstruction"]
        if loss.code_l1:
            metrics["code_l1"] = jnp.abs(code).sum(-1).mean()
            total += loss.code_l1 * metrics["code_l1"]
        if loss.sparsity_weight:
            rate_Z = batch_mean(code.mean(0))
            metrics["sparsity"] = losses.sparsity_kl(rate_Z, loss.sparsity_target).sum()
            total += loss.sparsity_weight * metrics["sparsity"]
        if loss.contraction:
            norm_B = losses.contractive_penalty(lambda x: self.code(params, x), rows["x"])
            metrics["contraction"] = norm_B.mean()
            total += loss.contraction * metrics["contraction"]
        if loss.l2:
            total += loss.l2 * sum(
                jnp.square(p).sum() for p in jax.tree.leaves(params) if p.ndim >= 2
            )
        return total, metrics | {"loss": total}

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        rows, loss = {"x": batch["x"]}, self.loss
        if loss.corruption != "none":
            key = step_key(state, _CORRUPTION)
            rows["corrupted"] = corrupt(batch["x"], key, loss.corruption, loss.corruption_level)
        return rows, {"key": step_key(state, _DROPOUT)}

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        encoder_key, decoder_key = jax.random.split(init_key(key))
        x, code = jnp.zeros((1, *self.spec.shape)), jnp.zeros((1, self.model.latent_dim))
        params = {
            "encoder": self.encoder.init(encoder_key, x)["params"],
            "decoder": self.decoder.init(decoder_key, code)["params"],
        }
        return first_state(key, params, self.optimizer, self)

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""
        rows, shared = self.inputs(state, batch)
        return minimize(self.reconstruction_loss, state, rows, shared, self.optimizer, self)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Sums the reconstruction error of clean examples, and what is held small."""
        params, x, mask_B = state.eval_params, batch["x"], batch["mask"]
        code = self.code(params, x)
        output = self.output(params, code)
        sums = {
            "count": mask_B.sum(),
            "reconstruction": (mask_B * self._error(output, x)).sum(),
            "mse": (mask_B * losses.squared_error(self._mean(output), x)).sum(),
        }
        if self.loss.sparsity_weight:
            sums["activation_rate"] = (mask_B * code.mean(-1)).sum()
        if self.loss.contraction:
            norm_B = losses.contractive_penalty(lambda x: self.code(params, x), x)
            sums["contraction"] = (mask_B * norm_B).sum()
        return batch_sum(sums)

    # What it is used for.

    def encode(self, state: State, x: jax.Array) -> jax.Array:
        """Encodes examples (B, …) in the range of the data: codes (B, latent_dim)."""
        return self.code(state.eval_params, x)

    def decode(self, state: State, code_BxZ: jax.Array) -> jax.Array:
        """Decodes codes (B, latent_dim): examples (B, …)."""
        return self._mean(self.output(state.eval_params, code_BxZ))

    def reconstruct(self, state: State, x: jax.Array) -> jax.Array:
        """Takes examples (B, …) through the code and back."""
        return self.decode(state, self.encode(state, x))

    def features(self, state: State, x: jax.Array) -> dict[str, jax.Array]:
        """Computes the hidden layers of the encoder, and the codes."""
        watching, layers = watched(self, encoder="encoder")
        code = watching.encode(state, x)
        return layers | {"encoder.code": code}

    def sample(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Decodes `n` standard normal codes."""
        code = jax.random.normal(key, (n, self.model.latent_dim))
        return self.decode(state, self._squashed(code))

    # Behind them.

    def _squashed(self, code_BxZ: jax.Array) -> jax.Array:
        return nn.sigmoid(code_BxZ) if self.model.code_activation == "sigmoid" else code_BxZ

    def _mean(self, output: jax.Array) -> jax.Array:
        return nn.sigmoid(output) if self.loss.likelihood == "bernoulli" else output

    def _error(self, output: jax.Array, x: jax.Array) -> jax.Array:
        if self.loss.likelihood == "bernoulli":
            return losses.bernoulli_cross_entropy(output, x)
        return losses.squared_error(output, x)


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Autoencoder:
    """Builds the family from a config like `configs/autoencoder.py`; raises `ConfigError`."""
    model, loss = read(Model, config, "model"), read(Loss, config, "loss")
    _check(model, loss, config, spec)
    encoder, decoder = make_coders(
        model, (model.latent_dim,), spec, config.precision, model.dropout
    )
    return Autoencoder(
        **shared_fields(config, spec, total_steps),
        model=model,
        loss=loss,
        encoder=encoder,
        decoder=decoder,
        optimizer=make_optimizer(config.optimizer, total_steps),
    )


def _check(model: Model, loss: Loss, config: ConfigDict, spec: DataSpec) -> None:
    model.check(spec)
    check_level("loss.corruption_level", loss.corruption, loss.corruption_level)
    if loss.likelihood == "bernoulli" and spec.kind != "image":
        raise fail("loss.likelihood", "bernoulli", "needs data in [0, 1] (images); must be mse")
    if loss.corruption == "salt_and_pepper" and spec.kind != "image":
        raise fail("loss.corruption", loss.corruption, "sets to 0 and 1, which needs images")
    if model.network == "conv" and model.dropout:
        raise fail("model.dropout", model.dropout, "must be 0 with model.network=conv")
    if not 0 < loss.sparsity_target < 1:
        raise fail("loss.sparsity_target", loss.sparsity_target, "must be between 0 and 1")
    if loss.sparsity_weight and model.code_activation != "sigmoid":
        needs = f"model.code_activation=sigmoid, not {model.code_activation}"
        message = f"needs rates between 0 and 1: {needs}"
        raise fail("loss.sparsity_weight", loss.sparsity_weight, message)
    if loss.sparsity_weight and config.accumulate_steps > 1:
        message = "rates are those of the whole batch; must be 1 with loss.sparsity_weight"
        raise fail("accumulate_steps", config.accumulate_steps, message)
