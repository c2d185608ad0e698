"""Autoencoder: an encoder to a small code and a decoder back, trained to reconstruct.

Source: Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks".
What keeps it from learning the identity, beside a small code, are options that may be combined:
denoising (Vincent et al. 2010), a sparse code (an L1 norm; Ng 2011) and a contractive encoder
(Rifai et al. 2011).
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_mean, batch_sum
from genjax.core.config import base, choose, fail, optimizer
from genjax.core.family import (
    Batch,
    DataSpec,
    Family,
    Metrics,
    State,
    init_key,
    step_key,
)
from genjax.core.optimizer import make_optimizer
from genjax.core.update import first_state, minimise
from genjax.families._coders import check_coders, coder_fields, make_coders
from genjax.models.corruption import CORRUPTIONS, check_level, corrupt

_DROPOUT, _CORRUPTION = range(2)  # uses of the step's key
LIKELIHOODS = ("mse", "bernoulli")
CODE_ACTIVATIONS = ("linear", "sigmoid")


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for small images; recipes change what they need."""
    c = base()
    c.family = "autoencoder"
    c.model = coder_fields(hidden=(128,))
    c.model.code_activation = "linear"  # or "sigmoid", which sparsity_weight needs
    c.model.dropout = 0.0  # after each hidden layer of the mlp
    c.loss = ConfigDict()
    c.loss.likelihood = "bernoulli"  # cross-entropy of pixels; or "mse"
    # Of the training input alone: "gaussian", "masking" or "salt_and_pepper"; the target is clean.
    c.loss.corruption = "none"
    c.loss.corruption_level = 0.3  # standard deviation, or the share of elements that are replaced
    c.loss.code_l1 = 0.0  # weight of the code's L1 norm (sparse codes)
    c.loss.sparsity_weight = 0.0  # of the KL from sparsity_target to each code unit's mean
    c.loss.sparsity_target = 0.05
    c.loss.contraction = 0.0  # weight of ||d code / d x||_F^2 (contractive); latent_dim passes each
    c.loss.l2 = 0.0  # weight of the squared norm of all weight matrices
    c.optimizer = optimizer(learning_rate=1e-3)
    return c


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Family:
    """The family `autoencoder` for a config like `configs/autoencoder.py`.

    `sample` decodes standard normal codes (through the code's sigmoid, where it has one): an
    autoencoder has no prior, so these show only what the decoder makes of codes that no example
    has.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    encoder, decoder = make_coders(config, (config.model.latent_dim,), spec, config.model.dropout)
    tx, loss = make_optimizer(config.optimizer, total_steps), config.loss
    latent_dim = config.model.latent_dim

    def squash(code_BxZ: jax.Array) -> jax.Array:
        return nn.sigmoid(code_BxZ) if config.model.code_activation == "sigmoid" else code_BxZ

    def encode_with(params: Any, x: jax.Array, **kwargs: Any) -> jax.Array:
        code = encoder.apply({"params": params["encoder"]}, x, **kwargs)
        return squash(jnp.asarray(code, jnp.float32))

    def logits_with(params: Any, code_BxZ: jax.Array, **kwargs: Any) -> jax.Array:
        logits = decoder.apply({"params": params["decoder"]}, code_BxZ, **kwargs)
        return jnp.asarray(logits, jnp.float32)

    def output(logits: jax.Array) -> jax.Array:
        return nn.sigmoid(logits) if loss.likelihood == "bernoulli" else logits

    def reconstruction(logits: jax.Array, x: jax.Array) -> jax.Array:
        if loss.likelihood == "bernoulli":
            return losses.bernoulli_cross_entropy(logits, x)
        return losses.squared_error(logits, x)

    def init(key: jax.Array) -> State:
        encoder_key, decoder_key = jax.random.split(init_key(key))
        params = {
            "encoder": encoder.init(encoder_key, jnp.zeros((1, *spec.shape)))["params"],
            "decoder": decoder.init(decoder_key, jnp.zeros((1, latent_dim)))["params"],
        }
        return first_state(key, params, tx, config)

    def objective(params: Any, batch: Batch, part: jax.Array, key: jax.Array) -> Any:
        keys = jax.random.split(jax.random.fold_in(key, part))
        inputs = batch.get("corrupted", batch["x"])
        code = encode_with(params, inputs, train=True, rngs={"dropout": keys[0]})
        logits = logits_with(params, code, train=True, rngs={"dropout": keys[1]})
        metrics = {"reconstruction": reconstruction(logits, batch["x"]).mean()}
        total = metrics["reconstruction"]
        if loss.code_l1:
            metrics["code_l1"] = jnp.abs(code).sum(-1).mean()
            total += loss.code_l1 * metrics["code_l1"]
        if loss.sparsity_weight:
            rate_Z = batch_mean(code.mean(0))
            metrics["sparsity"] = losses.activation_rate_kl(rate_Z, loss.sparsity_target).sum()
            total += loss.sparsity_weight * metrics["sparsity"]
        if loss.contraction:
            norm_B = losses.contractive_penalty(lambda x: encode_with(params, x), batch["x"])
            metrics["contraction"] = norm_B.mean()
            total += loss.contraction * metrics["contraction"]
        if loss.l2:
            total += loss.l2 * sum(
                jnp.square(p).sum() for p in jax.tree.leaves(params) if p.ndim >= 2
            )
        return total, metrics | {"loss": total}

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        key, inputs = step_key(state, _DROPOUT), {"x": batch["x"]}
        if loss.corruption != "none":
            inputs["corrupted"] = corrupt(
                batch["x"], step_key(state, _CORRUPTION), loss.corruption, loss.corruption_level,
            )  # fmt: skip
        return minimise(
            lambda params, part_batch, part: objective(params, part_batch, part, key),
            state, inputs, tx, config,
        )  # fmt: skip

    def encode(state: State, x: jax.Array) -> jax.Array:
        """Examples (B, …) in the range of the data to codes (B, latent_dim)."""
        return encode_with(state.ema or state.params, x)

    def decode(state: State, code_BxZ: jax.Array) -> jax.Array:
        """Codes (B, latent_dim) to examples (B, …)."""
        return output(logits_with(state.ema or state.params, code_BxZ))

    def reconstruct(state: State, x: jax.Array) -> jax.Array:
        """Examples (B, …) through code and back."""
        return decode(state, encode(state, x))

    def evaluate(state: State, batch: Batch) -> Metrics:
        """Reconstruction of clean examples; of sparse and contractive codes what is held small."""
        params, x, mask_B = state.ema or state.params, batch["x"], batch["mask"]
        code = encode_with(params, x)
        logits = logits_with(params, code)
        sums = {
            "count": mask_B.sum(),
            "reconstruction": (mask_B * reconstruction(logits, x)).sum(),
            "mse": (mask_B * losses.squared_error(output(logits), x)).sum(),
        }
        if loss.sparsity_weight:
            sums["activation_rate"] = (mask_B * code.mean(-1)).sum()
        if loss.contraction:
            norm_B = losses.contractive_penalty(lambda x: encode_with(params, x), x)
            sums["contraction"] = (mask_B * norm_B).sum()
        return batch_sum(sums)

    def sample(state: State, key: jax.Array, n: int) -> jax.Array:
        return decode(state, squash(jax.random.normal(key, (n, latent_dim))))

    return Family(
        init=init, step=step, evaluate=evaluate, sample=sample, batch_shape=(config.batch_size,),
        functions={"encode": encode, "decode": decode, "reconstruct": reconstruct}, has_prior=False,
    )  # fmt: skip


def _check(config: ConfigDict, spec: DataSpec) -> None:
    m, loss = config.model, config.loss
    check_coders(m, spec)
    choose("loss.likelihood", loss.likelihood, LIKELIHOODS)
    if loss.likelihood == "bernoulli" and spec.kind != "image":
        raise fail("loss.likelihood", "bernoulli", "needs data in [0, 1] (images); must be mse")
    if not 0 <= m.dropout < 1:
        raise fail("model.dropout", m.dropout, "must be at least 0 and below 1")
    for field in ("code_l1", "l2", "sparsity_weight", "contraction"):
        if loss[field] < 0:
            raise fail(f"loss.{field}", loss[field], "must be at least 0")
    _check_options(config, spec)
    if m.network == "conv" and m.dropout:
        raise fail("model.dropout", m.dropout, "must be 0 with model.network=conv")


def _check_options(config: ConfigDict, spec: DataSpec) -> None:
    m, loss = config.model, config.loss
    choose("loss.corruption", loss.corruption, CORRUPTIONS)
    check_level("loss.corruption_level", loss.corruption, loss.corruption_level)
    if loss.corruption == "salt_and_pepper" and spec.kind != "image":
        raise fail("loss.corruption", loss.corruption, "sets to 0 and 1, which needs images")
    choose("model.code_activation", m.code_activation, CODE_ACTIVATIONS)
    if not 0 < loss.sparsity_target < 1:
        raise fail("loss.sparsity_target", loss.sparsity_target, "must be between 0 and 1")
    if loss.sparsity_weight and m.code_activation != "sigmoid":
        raise fail(
            "loss.sparsity_weight", loss.sparsity_weight,
            f"needs rates between 0 and 1: model.code_activation=sigmoid, not {m.code_activation}",
        )  # fmt: skip
    if loss.sparsity_weight and config.accumulate_steps > 1:
        raise fail(
            "accumulate_steps", config.accumulate_steps,
            "rates are those of the whole batch; must be 1 with loss.sparsity_weight",
        )  # fmt: skip
