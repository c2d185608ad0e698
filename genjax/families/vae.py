"""Variational autoencoders: VAE, beta-VAE, conditional VAE and importance weighted autoencoder.

The loss of an example is, in nats and with one draw z from the posterior q(z|x),

    -log p(x|z) + beta KL(q(z|x) || p(z)),

the log-likelihood summed over pixels and the KL over latents; the batch is averaged. With
`importance_samples` k > 1 it is minus the importance weighted bound of k draws.

Sources: Kingma and Welling 2014 (the bound, equation 10); Higgins et al. 2017 (beta); Kingma et
al. 2016 (free bits); Sohn et al. 2015 (labels); Burda et al. 2016 (importance weights).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import checks
from genjax.core.batch import batch_mean, batch_normal, batch_sum, batch_uniform
from genjax.core.config import ConfigError, base, choose, fail, optimizer
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
from genjax.losses.bounds import example_normal, example_uniform, likelihood_bounds

_NOISE, _BINARISATION = range(2)  # uses of the step's key, and of evaluation's
LIKELIHOODS = ("bernoulli", "gaussian", "discretised_logistic")
BINARISATIONS = ("none", "dynamic", "fixed")
ACTIVE = 0.01  # a latent is active where its posterior mean varies more over the data (Burda 2016)
_MAX_LOG_VARIANCE = 20.0  # of the posterior: beyond it, squares of draws leave float32
_MIN_LOG_SCALE = math.log(
    1 / 256
)  # of a learned scale: a finer density of grey levels is unbounded
_CHUNK_ELEMENTS = 2**22  # decoded at once in evaluation


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for small images; recipes change what they need."""
    c = base()
    c.family = "vae"
    c.model = coder_fields(hidden=(256,))
    c.model.conditional = False  # the label, one-hot, joins the inputs of encoder and decoder
    c.loss = ConfigDict()
    c.loss.likelihood = "bernoulli"  # or "gaussian", "discretised_logistic"
    c.loss.scale = (
        0.1  # of gaussian (standard deviation) and discretised_logistic; pixels in [0, 1]
    )
    c.loss.learned_scale = True  # one number, trained from `scale` on; False: `scale` itself
    c.loss.levels = 256  # grey levels of the data: bins of discretised_logistic
    c.loss.binarise = "none"  # grey targets; "dynamic": drawn each time; "fixed": x > threshold
    c.loss.threshold = 0.5
    c.loss.kl_weight = 1.0  # beta
    c.loss.kl_warmup_steps = 0  # in which beta rises from 0, linearly
    c.loss.free_bits = 0.0  # nats that each latent may use without cost
    c.loss.importance_samples = 1  # draws of z in the training bound; above 1: IWAE
    c.loss.eval_samples = 50  # draws of z for each test example
    c.optimizer = optimizer(learning_rate=1e-3)
    return c


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Family:
    """The family `vae` for a config like `configs/vae.py`.

    Samples and reconstructions are means of p(x|z), not draws. A conditional model samples its
    classes in turn. Evaluation reports nats: `reconstruction` (minus the mean log-likelihood of
    `eval_samples` draws), `kl`, `elbo`, the importance weighted bound `iwae_K`, `kl_per_latent`
    and `active_units`; the noise of an example is a function of the example, the same for all runs.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    m, loss, latent_dim = config.model, config.loss, config.model.latent_dim
    classes = spec.num_classes if m.conditional else 0
    encoder, decoder = make_coders(config, (2, latent_dim), spec)  # mean, log-variance
    tx = make_optimizer(config.optimizer, total_steps)

    def one_hot(label_B: jax.Array | None, rows: int) -> jax.Array:
        if not classes:
            return jnp.zeros((rows, 0))
        if label_B is None:
            raise ValueError("label_B: missing; a conditional model needs one for each example")
        checks.integers("B", {"B": (rows, "x")}, label_B=label_B)
        checks.indices("label_B", label_B, classes)
        return jax.nn.one_hot(label_B, classes)

    def encoder_input(x: jax.Array, label_BxC: jax.Array) -> jax.Array:
        if m.network == "conv":  # a constant plane for each class
            planes = jnp.broadcast_to(label_BxC[:, None, None], (*x.shape[:3], classes))
            return jnp.concatenate([x, planes], axis=-1)
        return jnp.concatenate([x.reshape(len(x), -1), label_BxC], axis=-1)

    def posterior_with(params: Any, x: jax.Array, label_B: Any) -> tuple[jax.Array, jax.Array]:
        """Mean and log-variance of q(z|x), both (B, Z)."""
        inputs = encoder_input(x, one_hot(label_B, len(x)))
        output: Any = encoder.apply({"params": params["encoder"]}, inputs)
        mean, log_variance = jnp.moveaxis(output.astype(jnp.float32), 1, 0)
        return mean, jnp.minimum(log_variance, _MAX_LOG_VARIANCE)

    def output_with(params: Any, z_BxZ: jax.Array, label_B: Any) -> jax.Array:
        """What the decoder makes of latents: logits of the mean for images, else the mean."""
        inputs = jnp.concatenate([z_BxZ, one_hot(label_B, len(z_BxZ))], axis=-1)
        output: Any = decoder.apply({"params": params["decoder"]}, inputs)
        return output.astype(jnp.float32)

    def mean_of(output: jax.Array) -> jax.Array:
        return nn.sigmoid(output) if spec.kind == "image" else output

    def log_scale(params: Any) -> Any:
        if "log_scale" not in params:
            return math.log(loss.scale)
        return jnp.maximum(params["log_scale"], _MIN_LOG_SCALE)

    def log_likelihood(params: Any, x: jax.Array, label_B: Any, z_BxKxZ: jax.Array) -> jax.Array:
        """log p(x|z), (B, K)."""
        rows, k = z_BxKxZ.shape[:2]

        def repeated(a: jax.Array) -> jax.Array:
            return jnp.broadcast_to(a[:, None], (rows, k, *a.shape[1:])).reshape(-1, *a.shape[1:])

        labels = None if label_B is None else repeated(label_B)
        output = output_with(params, z_BxKxZ.reshape(rows * k, latent_dim), labels)
        x, mean = repeated(x), mean_of(output)
        if loss.likelihood == "bernoulli":
            value = losses.bernoulli_log_likelihood(output, x)
        elif loss.likelihood == "gaussian":
            value = losses.gaussian_log_likelihood(mean, x, log_scale(params))
        else:
            value = losses.discretised_logistic_log_likelihood(
                mean, x, log_scale(params), loss.levels
            )
        return value.reshape(rows, k)

    def binarised(x: jax.Array, uniform: Callable[[], jax.Array]) -> jax.Array:
        if loss.binarise == "none":
            return x
        return (x > (uniform() if loss.binarise == "dynamic" else loss.threshold)).astype(x.dtype)

    def init(key: jax.Array) -> State:
        encoder_key, decoder_key = jax.random.split(init_key(key))
        x = encoder_input(jnp.zeros((1, *spec.shape)), jnp.zeros((1, classes)))
        params = {
            "encoder": encoder.init(encoder_key, x)["params"],
            "decoder": decoder.init(decoder_key, jnp.zeros((1, latent_dim + classes)))["params"],
        }
        if loss.likelihood != "bernoulli" and loss.learned_scale:
            params["log_scale"] = jnp.float32(math.log(loss.scale))
        return first_state(key, params, tx, config)

    def objective(params: Any, batch: Batch, kl_weight: Any, mean_kl_Z: Any) -> Any:
        x, label_B, noise_BxKxZ = batch["x"], batch.get("label"), batch["noise"]
        mean, log_variance = posterior_with(params, x, label_B)
        z_BxKxZ = _draw(mean, log_variance, noise_BxKxZ)
        log_likelihood_BxK = log_likelihood(params, x, label_B, z_BxKxZ)
        kl_BxZ = losses.gaussian_kl(mean, log_variance)
        metrics = {"reconstruction": -log_likelihood_BxK.mean(), "kl": kl_BxZ.sum(-1).mean()}
        if loss.importance_samples > 1:
            ratio_BxK = losses.log_prior_ratio(z_BxKxZ, noise_BxKxZ, log_variance[:, None])
            total = -losses.importance_weighted_bound(log_likelihood_BxK + ratio_BxK).mean()
        else:
            kl = metrics["kl"]
            if loss.free_bits:
                kl = losses.free_bits_kl(kl_BxZ, loss.free_bits, mean_kl_Z).mean()
            total = metrics["reconstruction"] + kl_weight * kl
        return total, metrics | {"loss": total}

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        shape = batch["x"].shape
        x = binarised(batch["x"], lambda: batch_uniform(step_key(state, _BINARISATION), shape))
        noise_shape = (shape[0], loss.importance_samples, latent_dim)
        rows = {"x": x, "noise": batch_normal(step_key(state, _NOISE), noise_shape)}
        if m.conditional:
            rows["label"] = batch["label"]
        kl_weight: Any = loss.kl_weight
        if loss.kl_warmup_steps:
            kl_weight *= jnp.minimum(1.0, (state.step + 1) / loss.kl_warmup_steps)
        mean_kl_Z = None
        if loss.free_bits:  # of the global batch, whose parts and devices must agree on it
            posterior = posterior_with(state.params, x, rows.get("label"))
            mean_kl_Z = batch_mean(losses.gaussian_kl(*posterior).mean(0))
        return minimise(
            lambda params, part_batch, part: objective(params, part_batch, kl_weight, mean_kl_Z),
            state, rows, tx, config,
        )  # fmt: skip

    def posterior(state: State, x: jax.Array, label_B: Any = None) -> tuple[jax.Array, jax.Array]:
        """Examples (B, …), with `binarise=dynamic` grey as they are, to mean and log-variance."""
        if loss.binarise == "fixed":
            x = (x > loss.threshold).astype(x.dtype)
        return posterior_with(state.ema or state.params, x, label_B)

    def encode(state: State, x: jax.Array, label_B: Any = None) -> jax.Array:
        """Examples (B, …) in the range of the data to posterior means (B, latent_dim)."""
        return posterior(state, x, label_B)[0]

    def decode(state: State, z_BxZ: jax.Array, label_B: Any = None) -> jax.Array:
        """Latents (B, latent_dim) to means of p(x|z), (B, …); labels: the classes in turn."""
        if classes and label_B is None:
            label_B = jnp.arange(len(z_BxZ)) % classes
        return mean_of(output_with(state.ema or state.params, z_BxZ, label_B))

    def reconstruct(state: State, x: jax.Array, label_B: Any = None) -> jax.Array:
        """Examples (B, …) through the posterior mean and back."""
        return decode(state, encode(state, x, label_B), label_B)

    def sample(state: State, key: jax.Array, n: int) -> jax.Array:
        return decode(state, jax.random.normal(key, (n, latent_dim)))

    def sample_at(state: State, key: jax.Array, label_B: jax.Array) -> jax.Array:
        """A sample (B, …) for each label."""
        return decode(state, jax.random.normal(key, (len(label_B), latent_dim)), label_B)

    def evaluate(state: State, batch: Batch) -> Metrics:
        params, mask_B = state.ema or state.params, batch["mask"]
        label_B = batch["label"] if m.conditional else None
        grey, size = batch["x"], math.prod(spec.shape)
        uniform = example_uniform(_BINARISATION, grey, jnp.arange(1), size)
        x = binarised(grey, lambda: uniform.reshape(grey.shape))
        mean, log_variance = posterior_with(params, x, label_B)

        def draw(numbers_N: jax.Array) -> tuple[jax.Array, jax.Array]:
            noise_BxNxZ = example_normal(_NOISE, grey, numbers_N, latent_dim)
            z_BxNxZ = _draw(mean, log_variance, noise_BxNxZ)
            ratio_BxN = losses.log_prior_ratio(z_BxNxZ, noise_BxNxZ, log_variance[:, None])
            return log_likelihood(params, x, label_B, z_BxNxZ), ratio_BxN

        chunk = max(1, _CHUNK_ELEMENTS // x.size)
        bounds = likelihood_bounds(draw, loss.eval_samples, chunk=chunk)
        kl_BxZ = losses.gaussian_kl(mean, log_variance)
        values = {
            "count": jnp.ones_like(mask_B),
            "reconstruction": -bounds.log_likelihood_B,
            "kl": kl_BxZ.sum(-1),
            "elbo": bounds.log_likelihood_B - kl_BxZ.sum(-1),
            f"iwae_{loss.eval_samples}": bounds.importance_B,
            "kl_per_latent": kl_BxZ,
            "mean_per_latent": mean,
            "squared_mean_per_latent": jnp.square(mean),
        }
        return batch_sum({name: (mask_B * v.T).sum(-1) for name, v in values.items()})

    return Family(
        init=init, step=step, evaluate=evaluate, sample=sample, batch_shape=(config.batch_size,),
        functions={
            "encode": encode, "decode": decode, "reconstruct": reconstruct,
            "posterior": posterior, "sample_at": sample_at,
        },
        summary=_summary,
    )  # fmt: skip


def _draw(mean_BxZ: jax.Array, log_variance_BxZ: jax.Array, noise_BxKxZ: jax.Array) -> jax.Array:
    """K draws from each posterior, (B, K, Z)."""
    return mean_BxZ[:, None] + jnp.exp(0.5 * log_variance_BxZ)[:, None] * noise_BxKxZ


def _summary(means: Mapping[str, Any]) -> Mapping[str, Any]:
    """The moments of the posterior means become the number of active units."""
    means = dict(means)
    variance = means.pop("squared_mean_per_latent") - means.pop("mean_per_latent") ** 2
    return means | {"active_units": (variance > ACTIVE).sum(-1)}


def _check(config: ConfigDict, spec: DataSpec) -> None:
    m, loss = config.model, config.loss
    check_coders(m, spec)
    choose("loss.likelihood", loss.likelihood, LIKELIHOODS)
    choose("loss.binarise", loss.binarise, BINARISATIONS)
    if loss.likelihood != "gaussian" and spec.kind != "image":
        raise fail("loss.likelihood", loss.likelihood, "needs images; must be gaussian")
    if loss.binarise != "none" and loss.likelihood != "bernoulli":
        raise fail("loss.binarise", loss.binarise, "needs loss.likelihood=bernoulli; must be none")
    if m.conditional and not spec.num_classes:
        raise fail("model.conditional", True, f"data.name={config.data.name} has no labels")
    for field, least in (
        ("kl_weight", 0), ("kl_warmup_steps", 0), ("free_bits", 0), ("levels", 2),
        ("importance_samples", 1), ("eval_samples", 1),
    ):  # fmt: skip
        if loss[field] < least:
            raise fail(f"loss.{field}", loss[field], f"must be at least {least}")
    if not 1 / 256 <= loss.scale <= 1e3:
        raise fail("loss.scale", loss.scale, "must be between 1/256 and 1000")
    plain = {"kl_weight": 1.0, "kl_warmup_steps": 0, "free_bits": 0.0}
    for field, value in plain.items():
        if loss.importance_samples > 1 and loss[field] != value:
            raise ConfigError(
                f"config.loss.{field}={loss[field]}: the importance weighted bound has no such "
                f"term; must be {value} with loss.importance_samples={loss.importance_samples}"
            )
