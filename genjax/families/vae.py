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
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import checks
from genjax.core.batch import batch_mean, batch_sum
from genjax.core.config import Base, fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, shared_fields
from genjax.core.fields import field, read, subsection
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import (
    batch_normal,
    batch_uniform,
    example_normal,
    example_uniform,
    init_key,
    step_key,
)
from genjax.core.update import first_state, minimize
from genjax.families._coders import Coders, make_coders
from genjax.families._posteriors import bound_terms, count_active
from genjax.models.features import watched

_NOISE, _BINARIZATION = range(2)  # uses of the step's key, and of evaluation's
_MIN_LOG_SCALE = math.log(1 / 256)  # a finer density of gray levels is unbounded
_CHUNK_ELEMENTS = 2**22  # decoded at once in evaluation


@dataclass(frozen=True)
class Model(Coders):
    """The section `model`."""

    conditional: bool = field(False, "the label, one-hot, joins inputs of encoder and decoder")


@dataclass(frozen=True)
class Likelihood:
    """What the section `loss` says of p(x|z)."""

    likelihood: str = field(
        "bernoulli",
        "p(x|z) of an example",
        choices=("bernoulli", "gaussian", "discretized_logistic"),
    )
    scale: float = field(0.1, "of gaussian and discretized_logistic, on pixels in [0, 1]")
    learned_scale: bool = field(True, "one number, trained from `scale` on")
    levels: int = field(256, "gray levels of the data: bins of discretized_logistic", ge=2)
    binarize: str = field(
        "none",
        "targets: gray, drawn anew each time, or x > threshold",
        choices=("none", "dynamic", "fixed"),
    )
    threshold: float = field(0.5, "of binarize=fixed", ge=0, lt=1)

    def check(self, spec: DataSpec) -> None:
        """Raises `ConfigError` for fields that do not go together, or not with such data."""
        if self.likelihood != "gaussian" and spec.kind != "image":
            raise fail("loss.likelihood", self.likelihood, "needs images; must be gaussian")
        if self.binarize != "none" and self.likelihood != "bernoulli":
            message = "needs loss.likelihood=bernoulli; must be none"
            raise fail("loss.binarize", self.binarize, message)
        if not 1 / 256 <= self.scale <= 1e3:
            raise fail("loss.scale", self.scale, "must be between 1/256 and 1000")


@dataclass(frozen=True)
class Loss(Likelihood):
    """The section `loss`."""

    kl_weight: float = field(1.0, "beta", ge=0)
    kl_warmup_steps: int = field(0, "in which beta rises from 0, linearly", ge=0)
    free_bits: float = field(0.0, "nats that each latent may use without cost", ge=0)
    importance_samples: int = field(1, "draws of z in the training bound; above 1: IWAE", ge=1)
    eval_samples: int = field(50, "draws of z for each test example", ge=1)


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for small images."""

    family: str = "vae"
    model: Model = subsection(Model, encoder_hidden=(256,), decoder_hidden=(256,))
    loss: Loss = subsection(Loss)


default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class VAE(Family):
    """The family `vae`.

    Samples and reconstructions are means of p(x|z), not draws. A conditional model samples its
    classes in turn. Evaluation reports nats: `reconstruction` (minus the mean log-likelihood of
    `eval_samples` draws), `kl`, `elbo`, the importance weighted bound `iwae_K`, `kl_per_latent`
    and `active_units`; the noise of an example is a function of the example, the same for all runs.
    """

    model: Model
    loss: Loss
    encoder: nn.Module
    decoder: nn.Module
    optimizer: optax.GradientTransformation

    # The networks.

    def q(self, params: Any, x: jax.Array, label_B: Any) -> tuple[jax.Array, jax.Array]:
        """Computes mean and log-variance of the posterior q(z|x), both (B, Z)."""
        label_BxC = self._one_hot(label_B, len(x))
        if self.model.network == "conv":  # a constant plane for each class
            planes = jnp.broadcast_to(label_BxC[:, None, None], (*x.shape[:3], self._classes))
            inputs = jnp.concatenate([x, planes], axis=-1)
        else:
            inputs = jnp.concatenate([x.reshape(len(x), -1), label_BxC], axis=-1)
        output = applied(self.encoder, params["encoder"], inputs)
        mean, log_variance = jnp.moveaxis(output.astype(jnp.float32), 1, 0)
        return mean, jnp.minimum(log_variance, losses.MAX_LOG_VARIANCE)

    def log_likelihood(
        self, params: Any, x: jax.Array, label_B: Any, z_BxKxZ: jax.Array
    ) -> jax.Array:
        """Computes log p(x|z) of K latents for each example, (B, K)."""
        rows, k = z_BxKxZ.shape[:2]

        def repeated(a: jax.Array) -> jax.Array:
            return jnp.broadcast_to(a[:, None], (rows, k, *a.shape[1:])).reshape(-1, *a.shape[1:])

        labels = None if label_B is None else repeated(label_B)
        output = self._decoded(params, z_BxKxZ.reshape(rows * k, -1), labels)
        x, mean = repeated(x), self._mean(output)
        if self.loss.likelihood == "bernoulli":
            value = losses.bernoulli_log_likelihood(output, x)
        elif self.loss.likelihood == "gaussian":
            value = losses.gaussian_log_likelihood(mean, x, self._log_scale(params))
        else:
            value = losses.discretized_logistic_log_likelihood(
                mean, x, self._log_scale(params), self.loss.levels
            )
        return value.reshape(rows, k)

    # The loss.

    def elbo_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes the negative bound, in nats an example.

        -log p(x|z) + beta KL(q(z|x) || N(0, 1)), z ~ q(z|x) (Kingma and Welling 2014, equation 10);
        of K importance samples -log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x) (Burda et al. 2016,
        equation 8).

        Args:
          params: of encoder, decoder and, where it is learned, `log_scale`.
          rows: `x`, standard normal `noise` (B, K, Z) and, of a conditional model, `label`.
          shared: `kl_weight`, and with free bits the KL of each latent over the batch.
          part: not used.
        """
        x, label_B, noise_BxKxZ = rows["x"], rows.get("label"), rows["noise"]
        mean, log_variance = self.q(params, x, label_B)
        z_BxKxZ = losses.reparameterize(mean[:, None], log_variance[:, None], noise_BxKxZ)
        log_likelihood_BxK = self.log_likelihood(params, x, label_B, z_BxKxZ)
        kl_BxZ = losses.gaussian_kl(mean, log_variance)
        metrics = {"reconstruction": -log_likelihood_BxK.mean(), "kl": kl_BxZ.sum(-1).mean()}
        if self.loss.importance_samples > 1:
            ratio_BxK = losses.log_prior_ratio(z_BxKxZ, noise_BxKxZ, log_variance[:, None])
            total = -losses.importance_weighted_bound(log_likelihood_BxK + ratio_BxK).mean()
        else:
            kl = metrics["kl"]
            if self.loss.free_bits:
                kl = losses.free_bits_kl(kl_BxZ, self.loss.free_bits, shared["mean_kl_Z"]).mean()
            total = metrics["reconstruction"] + shared["kl_weight"] * kl
        return total, metrics | {"loss": total}

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        shape, loss = batch["x"].shape, self.loss
        x = self._binarized(
            batch["x"], lambda: batch_uniform(step_key(state, _BINARIZATION), shape)
        )
        noise_shape = (shape[0], loss.importance_samples, self.model.latent_dim)
        rows = {"x": x, "noise": batch_normal(step_key(state, _NOISE), noise_shape)}
        if self.model.conditional:
            rows["label"] = batch["label"]
        shared: dict[str, Any] = {"kl_weight": loss.kl_weight}
        if loss.kl_warmup_steps:
            shared["kl_weight"] *= jnp.minimum(1.0, (state.step + 1) / loss.kl_warmup_steps)
        if loss.free_bits:  # of the global batch, whose parts and devices must agree on it
            posterior = self.q(state.params, x, rows.get("label"))
            shared["mean_kl_Z"] = batch_mean(losses.gaussian_kl(*posterior).mean(0))
        return rows, shared

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        encoder_key, decoder_key = jax.random.split(init_key(key))
        shape = self.spec.shape
        if self.model.network == "conv":
            x = jnp.zeros((1, *shape[:2], shape[2] + self._classes))
        else:
            x = jnp.zeros((1, math.prod(shape) + self._classes))
        z = jnp.zeros((1, self.model.latent_dim + self._classes))
        params = {
            "encoder": self.encoder.init(encoder_key, x)["params"],
            "decoder": self.decoder.init(decoder_key, z)["params"],
        }
        if self.loss.likelihood != "bernoulli" and self.loss.learned_scale:
            params["log_scale"] = jnp.float32(math.log(self.loss.scale))
        return first_state(key, params, self.optimizer, self)

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""
        return minimize(self.elbo_loss, state, *self.inputs(state, batch), self.optimizer, self)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """See `Family`."""
        params, mask_B = state.eval_params, batch["mask"]
        label_B = batch["label"] if self.model.conditional else None
        gray, size = batch["x"], math.prod(self.spec.shape)
        uniform = example_uniform(_BINARIZATION, gray, jnp.arange(1), size)
        x = self._binarized(gray, lambda: uniform.reshape(gray.shape))
        mean, log_variance = self.q(params, x, label_B)

        def draw(numbers_N: jax.Array) -> tuple[jax.Array, jax.Array]:
            noise_BxNxZ = example_normal(_NOISE, gray, numbers_N, self.model.latent_dim)
            z_BxNxZ = losses.reparameterize(mean[:, None], log_variance[:, None], noise_BxNxZ)
            ratio_BxN = losses.log_prior_ratio(z_BxNxZ, noise_BxNxZ, log_variance[:, None])
            return self.log_likelihood(params, x, label_B, z_BxNxZ), ratio_BxN

        chunk = max(1, _CHUNK_ELEMENTS // x.size)
        bounds = losses.likelihood_bounds(draw, self.loss.eval_samples, chunk=chunk)
        values = {"count": jnp.ones_like(mask_B)}
        values |= bound_terms(bounds, mean, log_variance, self.loss.eval_samples)
        return batch_sum({name: (mask_B * v.T).sum(-1) for name, v in values.items()})

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """Turns the moments of the posterior means into the number of active units."""
        return count_active(means)

    # What it is used for.

    def posterior(
        self, state: State, x: jax.Array, label_B: Any = None
    ) -> tuple[jax.Array, jax.Array]:
        """Encodes examples (B, …), with `binarize=dynamic` gray ones: mean and log-variance."""
        return self.q(state.eval_params, self._seen(x), label_B)

    def encode(self, state: State, x: jax.Array, label_B: Any = None) -> jax.Array:
        """Encodes examples (B, …) in the range of the data: posterior means (B, latent_dim)."""
        return self.posterior(state, x, label_B)[0]

    def decode(self, state: State, z_BxZ: jax.Array, label_B: Any = None) -> jax.Array:
        """Decodes latents (B, latent_dim): means of p(x|z), (B, …); labels: the classes in turn."""
        if self._classes and label_B is None:
            label_B = jnp.arange(len(z_BxZ)) % self._classes
        return self._mean(self._decoded(state.eval_params, z_BxZ, label_B))

    def reconstruct(self, state: State, x: jax.Array, label_B: Any = None) -> jax.Array:
        """Takes examples (B, …) through the posterior mean and back."""
        return self.decode(state, self.encode(state, x, label_B), label_B)

    def features(self, state: State, x: jax.Array, label_B: Any = None) -> dict[str, jax.Array]:
        """Computes the hidden layers of the encoder, and the posterior means."""
        watching, layers = watched(self, encoder="encoder")
        mean = watching.encode(state, x, label_B)
        return layers | {"encoder.code": mean}

    def latents(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Draws `n` latents (n, latent_dim)."""
        return jax.random.normal(key, (n, self.model.latent_dim))

    def sample(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Draws `n` examples."""
        return self.decode(state, self.latents(state, key, n))

    def sample_at(self, state: State, key: jax.Array, label_B: jax.Array) -> jax.Array:
        """Draws an example (B, …) of each label."""
        return self.decode(state, self.latents(state, key, len(label_B)), label_B)

    # Behind them.

    @property
    def _classes(self) -> int:
        return self.spec.num_classes if self.model.conditional else 0

    def _one_hot(self, label_B: jax.Array | None, rows: int) -> jax.Array:
        if not self._classes:
            return jnp.zeros((rows, 0))
        if label_B is None:
            raise ValueError("label_B: missing; a conditional model needs one for each example")
        checks.integers("B", {"B": (rows, "x")}, label_B=label_B)
        checks.indices("label_B", label_B, self._classes)
        return jax.nn.one_hot(label_B, self._classes)

    def _decoded(self, params: Any, z_BxZ: jax.Array, label_B: Any) -> jax.Array:
        """Computes the decoder's output: logits of the mean for images, else the mean."""
        inputs = jnp.concatenate([z_BxZ, self._one_hot(label_B, len(z_BxZ))], axis=-1)
        output = applied(self.decoder, params["decoder"], inputs)
        return output.astype(jnp.float32)

    def _mean(self, output: jax.Array) -> jax.Array:
        return nn.sigmoid(output) if self.spec.kind == "image" else output

    def _log_scale(self, params: Any) -> Any:
        if "log_scale" not in params:
            return math.log(self.loss.scale)
        return jnp.maximum(params["log_scale"], _MIN_LOG_SCALE)

    def _seen(self, x: jax.Array) -> jax.Array:
        """Returns what networks are shown of examples that nothing is drawn for."""
        if self.loss.binarize != "fixed":
            return x
        return (x > self.loss.threshold).astype(x.dtype)

    def _binarized(self, x: jax.Array, uniform: Callable[[], jax.Array]) -> jax.Array:
        binarize = self.loss.binarize
        if binarize == "none":
            return x
        return (x > (uniform() if binarize == "dynamic" else self.loss.threshold)).astype(x.dtype)


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> VAE:
    """Builds the family from a config like `configs/vae.py`; raises `ConfigError`."""
    model, loss = read(Model, config, "model"), read(Loss, config, "loss")
    model.check(spec)
    _check(model, loss, config, spec)
    encoder, decoder = make_coders(model, (2, model.latent_dim), spec, config.precision)
    return VAE(
        **shared_fields(config, spec, total_steps),
        model=model,
        loss=loss,
        encoder=encoder,
        decoder=decoder,
        optimizer=make_optimizer(config.optimizer, total_steps),
    )


def _check(model: Model, loss: Loss, config: ConfigDict, spec: DataSpec) -> None:
    loss.check(spec)
    if model.conditional and not spec.num_classes:
        raise fail("model.conditional", True, f"data.name={config.data.name} has no labels")
    plain = {"kl_weight": 1.0, "kl_warmup_steps": 0, "free_bits": 0.0}
    for name, value in plain.items():
        if loss.importance_samples > 1 and (given := getattr(loss, name)) != value:
            raise fail(
                f"loss.{name}",
                given,
                "the importance weighted bound has no such term; must be "
                f"{value} with loss.importance_samples={loss.importance_samples}",
            )
