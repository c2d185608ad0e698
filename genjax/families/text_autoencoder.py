"""Text autoencoders: a sentence to one vector and back, by recurrent networks.

The encoder turns a sentence x into a vector z; the decoder is a language model of the sentence that
begins from z. The loss of a sentence is, in nats,

    -sum_t log p(x_t | x_1 … x_{t-1}, z),

and with `loss.variational` that of a variational autoencoder, with one draw z ~ q(z|x) and the
prior p(z) = N(0, I),

    -sum_t log p(x_t | x_1 … x_{t-1}, z) + w KL(q(z|x) || p(z)).

A decoder that predicts well without z makes q(z|x) collapse into p(z). Three things work against
it: a weight w that rises from 0, nats that each latent may use without cost, and words that the
decoder does not see. A denoising autoencoder reads a corrupted sentence and predicts the clean one.

Sources: Dai and Le 2015 (Semi-supervised sequence learning); Hill et al. 2016 (denoising); Bowman
et al. 2016 (Generating sentences from a continuous space: the variational form, annealing, word
dropout); Kingma et al. 2016 (free bits); Fu et al. 2019 (cyclical annealing); Long et al. 2019
(Preventing posterior collapse in sequence VAEs with pooling).
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import tokens
from genjax.core.batch import batch_mean, batch_sum
from genjax.core.config import Base, Optimizer, TextData, fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, compute_dtype, shared_fields
from genjax.core.fields import read, subsection
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import batch_normal, batch_uniform, example_normal, init_key, step_key
from genjax.core.update import first_state, minimize
from genjax.data.text.corruption import corrupt_tokens, hide_tokens
from genjax.families._language_models import inputs_and_targets, mean_count, token_nll
from genjax.families._posteriors import bound_terms, count_active
from genjax.families._recurrent import make_recurrent
from genjax.families._text_autoencoder_fields import Loss, Model
from genjax.generation import GREEDY, PLAIN, Decoder, Sampling, generate
from genjax.models.features import watched
from genjax.models.sentence import RecurrentEncoder
from genjax.models.sentence_autoencoder import SentenceDecoder, SentenceEncoder
from genjax.ops.cross_entropy import token_logits

_NOISE, _DROPOUT, _CORRUPTION, _HIDDEN = range(4)  # uses of the step's key; the first: evaluation's


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for short texts."""

    family: str = "text_autoencoder"
    data: TextData = subsection(
        TextData, kind="sentence", tokenizer="word", lowercase=True, length=32
    )
    optimizer: Optimizer = subsection(Optimizer, clip_norm=5.0)
    model: Model = subsection(Model)
    loss: Loss = subsection(Loss)


default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class TextAutoencoder(Family):
    """The family `text_autoencoder`.

    Vectors of sentences are z. Evaluation reports `reconstruction`, nats a sentence, and `loss`,
    nats a token. Samples are texts of standard normal vectors, which no sentence need have.
    """

    has_prior = False
    continues_text = False

    model: Model
    loss: Loss
    encoder: nn.Module
    decoder: nn.Module
    optimizer: optax.GradientTransformation

    # The networks.

    def code(self, params: Any, x_BxT: jax.Array, **options: Any) -> jax.Array:
        """Computes the vectors (B, Z) of sentences (B, T)."""
        return self._encoded(params, x_BxT, **options)[:, 0]

    def nll(
        self,
        params: Any,
        z_BxZ: jax.Array,
        inputs_BxT: jax.Array,
        x_BxT: jax.Array,
        **options: Any,
    ) -> jax.Array:
        """Computes -log p(x|z), (B,), with a decoder that reads `inputs_BxT`."""
        h_BxTxH, _ = self._decoded(params, z_BxZ, inputs_BxT, **options)
        output = params["decoder"]["kernel"], params["decoder"]["bias"]
        return token_nll(h_BxTxH, output, x_BxT, self.loss.logits_chunk).sum(-1)

    # The loss.

    def sentence_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes -log p(x|z) over the mean number of a sentence's tokens (Dai and Le 2015).

        Args:
          params: of encoder and decoder.
          rows: sentences `x`, what the encoder reads of them, `read`, and the decoder, `inputs`.
          shared: `key` of dropout, and `mean_count` of tokens over the batch.
          part: number of the part, folded into the key.
        """
        keys = jax.random.split(jax.random.fold_in(shared["key"], part))
        z_BxZ = self.code(params, rows["read"], train=True, rngs={"dropout": keys[0]})
        rngs = {"dropout": keys[1]}
        nll_B = self.nll(params, z_BxZ, rows["inputs"], rows["x"], train=True, rngs=rngs)
        total = nll_B.mean() / shared["mean_count"]
        return total, {"reconstruction": nll_B.mean(), "loss": total}

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        x_BxT, loss = batch["x"], self.loss
        rows = {"x": x_BxT, "read": x_BxT, "inputs": inputs_and_targets(x_BxT, running=False)[0]}
        if any(loss.corruption.values()):
            u_BxTx3 = batch_uniform(step_key(state, _CORRUPTION), (*x_BxT.shape, 3))
            rows["read"] = corrupt_tokens(x_BxT, u_BxTx3, **loss.corruption)
        if loss.word_dropout:
            u_BxT = batch_uniform(step_key(state, _HIDDEN), x_BxT.shape)
            rows["inputs"] = hide_tokens(rows["inputs"], u_BxT, loss.word_dropout, tokens.UNK)
        return rows, {"mean_count": mean_count(x_BxT), "key": step_key(state, _DROPOUT)}

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        encoder_key, decoder_key = jax.random.split(init_key(key))
        x_BxT = jnp.full((1, *self.spec.shape), tokens.EOS)
        z_BxZ = jnp.zeros((1, self.model.latent_dim))
        params = {
            "encoder": self.encoder.init(encoder_key, x_BxT)["params"],
            "decoder": self.decoder.init(decoder_key, z_BxZ, x_BxT)["params"],
        }
        return first_state(key, params, self.optimizer, self)

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""
        return minimize(self.sentence_loss, state, *self.inputs(state, batch), self.optimizer, self)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """See `Family`."""
        x_BxT, mask_B = batch["x"], batch["mask"]
        values = {"count": jnp.ones_like(mask_B), "tokens": tokens.is_token(x_BxT).sum(-1)}
        values |= self._terms(state.eval_params, x_BxT)
        return batch_sum({name: (mask_B * v.T).sum(-1) for name, v in values.items()})

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """Turns nats a sentence into nats a token."""
        means = dict(means)
        length = means.pop("tokens")
        return means | {"loss": means["reconstruction"] / length}

    # What it is used for.

    def encode(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Encodes sentences (B, T): vectors (B, Z)."""
        return self.code(state.eval_params, x_BxT)

    def features(self, state: State, x_BxT: jax.Array) -> dict[str, jax.Array]:
        """Computes the outputs (B, T, H) of each layer of the encoder, and the vectors (B, Z)."""
        watching, layers = watched(self, encoder="encoder")
        code = watching.encode(state, x_BxT)
        return layers | {"encoder.code": code}

    def prefill(self, state: State, x_BxS: jax.Array) -> tuple[jax.Array, Any]:
        """Reads sentences (B, S) as their vectors, see `prefill_codes`."""
        return self.prefill_codes(state, self.encode(state, x_BxS))

    def prefill_codes(self, state: State, z_BxZ: jax.Array) -> tuple[jax.Array, Any]:
        """Begins texts of latents (B, Z): logits (B, V) of the first tokens, the cache with BOS."""
        return self.decode_step(state, (z_BxZ, None), jnp.full(len(z_BxZ), tokens.BOS))

    def decode_step(self, state: State, cache: Any, token_B: jax.Array) -> tuple[jax.Array, Any]:
        """Reads a token: logits (B, V) of the next one, and the cache behind it."""
        params, (z_BxZ, carry) = state.eval_params, cache
        h_Bx1xH, carry = self._decoded(params, z_BxZ, token_B[:, None], carry)
        return self._logits(params, h_Bx1xH[:, 0]), (z_BxZ, carry)

    def decode(self, state: State, z_BxZ: jax.Array) -> jax.Array:
        """Decodes latents (B, Z): sentences, int32 (B, T), of the likeliest tokens."""
        return self.write(state, z_BxZ, jax.random.key(0), GREEDY)

    def write(self, state: State, z_BxZ: jax.Array, key: jax.Array, options: Sampling) -> jax.Array:
        """Draws sentences, int32 (B, T), that begin from latents (B, Z)."""
        (length,) = self.spec.shape
        decoder = Decoder(
            lambda _: self.prefill_codes(state, z_BxZ), functools.partial(self.decode_step, state)
        )
        nothing = jnp.full((len(z_BxZ), 1), tokens.PAD)
        return generate(decoder, nothing, key, options, length, size=length)

    def reconstruct(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Takes sentences (B, T) through their vectors and back, greedily; int32 (B, T)."""
        return self.decode(state, self.encode(state, x_BxT))

    def interpolate(
        self, state: State, x_BxT: jax.Array, y_BxT: jax.Array, share_K: jax.Array
    ) -> jax.Array:
        """Writes sentences between x and y, int32 (B, K, T): of (1 - share) z_x + share z_y."""
        ends = self.encode(state, x_BxT)[:, None], self.encode(state, y_BxT)[:, None]
        share = jnp.asarray(share_K)[:, None]
        z_BxKxZ = (1 - share) * ends[0] + share * ends[1]
        written = self.decode(state, z_BxKxZ.reshape(-1, self.model.latent_dim))
        return written.reshape(*z_BxKxZ.shape[:2], *self.spec.shape)

    def augment(
        self, state: State, key: jax.Array, x_BxT: jax.Array, options: Sampling = PLAIN
    ) -> jax.Array:
        """Draws a sentence similar to each of x, int32 (B, T).

        Its words are drawn from the decoder, of the vector of the sentence corrupted as in
        training; in the variational form of a z drawn from q(z|x).
        """
        keys = jax.random.split(key, 3)
        uniform_BxTx3 = jax.random.uniform(keys[0], (*x_BxT.shape, 3))
        corrupted = corrupt_tokens(x_BxT, uniform_BxTx3, **self.loss.corruption)
        return self.write(state, self._drawn(state, corrupted, keys[1]), keys[2], options)

    def sample(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Draws `n` sentences of standard normal latents."""
        latent_key, words_key = jax.random.split(key)
        z_BxZ = jax.random.normal(latent_key, (n, self.model.latent_dim))
        return self.write(state, z_BxZ, words_key, PLAIN)

    # Behind them.

    def _encoded(self, params: Any, x_BxT: jax.Array, **options: Any) -> jax.Array:
        return applied(self.encoder, params["encoder"], x_BxT, **options)

    def _decoded(self, params: Any, *arguments: Any, **options: Any) -> tuple[jax.Array, Any]:
        logits, carry = self.decoder.apply({"params": params["decoder"]}, *arguments, **options)
        return logits, carry

    def _logits(self, params: Any, h: jax.Array) -> jax.Array:
        return token_logits(h, params["decoder"]["kernel"], params["decoder"]["bias"])

    def _terms(self, params: Any, x_BxT: jax.Array) -> dict[str, jax.Array]:
        """Computes what evaluation sums over sentences."""
        inputs_BxT, _ = inputs_and_targets(x_BxT, running=False)
        z_BxZ = self.code(params, x_BxT)
        return {"reconstruction": self.nll(params, z_BxZ, inputs_BxT, x_BxT)}

    def _drawn(self, state: State, x_BxT: jax.Array, key: jax.Array) -> jax.Array:
        """Returns latents of sentences; the variational form draws them."""
        return self.encode(state, x_BxT)


@dataclass(frozen=True, kw_only=True, eq=False)
class VariationalTextAutoencoder(TextAutoencoder):
    """The family `text_autoencoder` with `loss.variational`.

    Vectors of sentences are means of q(z|x). Evaluation reports nats a sentence: `reconstruction`,
    `kl`, `elbo`, the importance weighted bound `iwae_K` and `kl_per_latent`; nats a token: `loss`,
    -elbo / tokens; `perplexity`, e to the `loss`, which bounds it from above; and `active_units`.
    The noise of a sentence is a function of the sentence, the same for all runs.
    """

    has_prior = True

    def q(self, params: Any, x_BxT: jax.Array, **options: Any) -> tuple[jax.Array, jax.Array]:
        """Computes mean and log-variance of q(z|x), both (B, Z)."""
        output = self._encoded(params, x_BxT, **options)
        return output[:, 0], jnp.minimum(output[:, 1], losses.MAX_LOG_VARIANCE)

    def sentence_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes the negative bound over the mean number of a sentence's tokens.

        -log p(x|z) + w KL(q(z|x) || N(0, I)), z ~ q(z|x) (Bowman et al. 2016, equation 1).

        Args:
          params: of encoder and decoder.
          rows: as `TextAutoencoder` has them, and standard normal `noise` (B, Z).
          shared: the same, `kl_weight` w and, with free bits, `mean_kl_Z` over the batch.
          part: number of the part, folded into the key of dropout.
        """
        keys = jax.random.split(jax.random.fold_in(shared["key"], part))
        posterior = self.q(params, rows["read"], train=True, rngs={"dropout": keys[0]})
        kl_BxZ = losses.gaussian_kl(*posterior)
        z_BxZ, rngs = losses.reparameterize(*posterior, rows["noise"]), {"dropout": keys[1]}
        nll_B = self.nll(params, z_BxZ, rows["inputs"], rows["x"], train=True, rngs=rngs)
        kl_B, kl_weight = kl_BxZ.sum(-1), shared["kl_weight"]
        metrics = {"reconstruction": nll_B.mean(), "kl": kl_B.mean(), "kl_weight": kl_weight}
        if self.loss.free_bits:
            kl_B = losses.free_bits_kl(kl_BxZ, self.loss.free_bits, shared["mean_kl_Z"])
        total = (nll_B + kl_weight * kl_B).mean() / shared["mean_count"]
        return total, metrics | {"loss": total}

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        (rows, shared), loss = super().inputs(state, batch), self.loss
        shape = (len(batch["x"]), self.model.latent_dim)
        rows["noise"] = batch_normal(step_key(state, _NOISE), shape)
        shared["kl_weight"] = loss.kl_weight * losses.annealed(
            state.step + 1, loss.kl_annealing, loss.kl_annealing_steps, loss.kl_cycles
        )
        if loss.free_bits:
            posterior = self.q(state.params, rows["read"])
            shared["mean_kl_Z"] = batch_mean(losses.gaussian_kl(*posterior).mean(0))
        return rows, shared

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """Turns nats a sentence into nats a token, moments into the number of active units."""
        means = count_active(means)
        nats = -means["elbo"] / means.pop("tokens")
        return means | {"loss": nats, "perplexity": np.exp(nats)}

    def posterior(self, state: State, x_BxT: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Encodes sentences (B, T): mean and log-variance of q(z|x), both (B, Z)."""
        return self.q(state.eval_params, x_BxT)

    def _terms(self, params: Any, x_BxT: jax.Array) -> dict[str, jax.Array]:
        inputs_BxT, _ = inputs_and_targets(x_BxT, running=False)
        mean_BxZ, log_variance_BxZ = self.q(params, x_BxT)

        def drawn(number_1: jax.Array) -> tuple[jax.Array, jax.Array]:
            noise_BxZ = example_normal(_NOISE, x_BxT, number_1, self.model.latent_dim)[:, 0]
            z_BxZ = losses.reparameterize(mean_BxZ, log_variance_BxZ, noise_BxZ)
            ratio_B = losses.log_prior_ratio(z_BxZ, noise_BxZ, log_variance_BxZ)
            return -self.nll(params, z_BxZ, inputs_BxT, x_BxT)[:, None], ratio_B[:, None]

        bounds = losses.likelihood_bounds(drawn, self.loss.eval_samples, chunk=1)
        return bound_terms(bounds, mean_BxZ, log_variance_BxZ, self.loss.eval_samples)

    def _drawn(self, state: State, x_BxT: jax.Array, key: jax.Array) -> jax.Array:
        mean_BxZ, log_variance_BxZ = self.posterior(state, x_BxT)
        noise_BxZ = jax.random.normal(key, mean_BxZ.shape)
        return losses.reparameterize(mean_BxZ, log_variance_BxZ, noise_BxZ)


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> TextAutoencoder:
    """Builds the family from a config like `configs/text_autoencoder.py`; raises `ConfigError`."""
    _check(config, spec)
    m, loss = read(Model, config, "model"), read(Loss, config, "loss")
    loss.check()
    dtype, parts = compute_dtype(config.precision), 2 if loss.variational else 1
    recurrent = make_recurrent(m, dtype, bidirectional=m.bidirectional)
    words = RecurrentEncoder(spec.vocab_size, m.embed_dim, recurrent, m.pooling)
    kind = VariationalTextAutoencoder if loss.variational else TextAutoencoder
    return kind(
        **shared_fields(config, spec, total_steps),
        model=m,
        loss=loss,
        encoder=SentenceEncoder(words, (parts, m.latent_dim), dtype),
        decoder=SentenceDecoder(
            spec.vocab_size, m.embed_dim, make_recurrent(m, dtype), m.every_step
        ),
        optimizer=make_optimizer(config.optimizer, total_steps),
    )


def _check(config: ConfigDict, spec: DataSpec) -> None:
    data = config.data
    if spec.kind != "sentence":
        raise fail("data.name", data.name, "must be sentences: data.kind=sentence, or tsv:FILE")
    if data.packed:
        raise fail("data.packed", data.packed, "must be False: a vector is of one sentence")
