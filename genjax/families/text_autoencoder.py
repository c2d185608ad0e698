"""Text autoencoders: a sentence to one vector and back, by recurrent networks.

The encoder reads a sentence x and says a vector z of it; the decoder is a language model of the
sentence that begins from z. The loss of a sentence is, in nats,

    -sum_t log p(x_t | x_1 … x_{t-1}, z),

and with `loss.variational` that of a variational autoencoder, with one draw z ~ q(z|x) and the
prior p(z) = N(0, I),

    -sum_t log p(x_t | x_1 … x_{t-1}, z) + w KL(q(z|x) || p(z)).

A decoder that predicts well without z makes q(z|x) collapse into p(z). Three things are there
against it: a weight w that rises from 0, nats that each latent may use without cost, and words that
the decoder does not see. A denoising autoencoder reads a corrupted sentence and says the clean one.

Sources: Dai and Le 2015 (Semi-supervised sequence learning); Hill et al. 2016 (denoising); Bowman
et al. 2016 (Generating sentences from a continuous space: the variational form, annealing, word
dropout); Kingma et al. 2016 (free bits); Fu et al. 2019 (cyclical annealing); Long et al. 2019
(Preventing posterior collapse in sequence VAEs with pooling).
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import tokens
from genjax.core.batch import batch_mean, batch_normal, batch_sum, batch_uniform
from genjax.core.config import base, choose, fail, optimizer, text_data
from genjax.core.family import (
    Batch,
    DataSpec,
    Metrics,
    OldFamily,
    State,
    compute_dtype,
    init_key,
    step_key,
)
from genjax.core.optimizer import make_optimizer
from genjax.core.update import first_state, minimise
from genjax.decoding import GREEDY, Decoder, Sampling, generate
from genjax.families._language_models import inputs_and_targets
from genjax.families._recurrent import check_recurrent, make_recurrent, recurrent_fields
from genjax.families.vae import ACTIVE
from genjax.losses.annealing import ANNEALINGS, annealed
from genjax.losses.bounds import example_normal, likelihood_bounds
from genjax.losses.tokens import chunked_cross_entropy, token_cross_entropy, token_logits
from genjax.models.sentence import POOLINGS, RecurrentEncoder
from genjax.models.sentence_autoencoder import SentenceDecoder, SentenceEncoder
from genjax.models.token_corruption import corrupt_tokens, hide_tokens

_NOISE, _DROPOUT, _CORRUPTION, _HIDDEN = range(4)  # uses of the step's key; the first: evaluation's
_MAX_LOG_VARIANCE = 20.0  # of the posterior: beyond it, squares of draws leave float32


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for short texts; recipes change what they need."""
    c = base()
    c.family = "text_autoencoder"
    text_data(c, kind="sentence", tokenizer="word", lowercase=True, length=32)
    c.model = recurrent_fields(embed_dim=128, hidden=256)
    c.model.latent_dim = 128
    c.model.bidirectional = True  # the encoder
    c.model.pooling = "last"  # of the encoder's outputs; or "mean", "max"
    c.model.every_step = True  # the decoder reads z with each token, not at the beginning alone
    c.loss = ConfigDict()
    c.loss.variational = False
    # Of the sentences that are read in training; what is to be said is the clean sentence.
    c.loss.drop = 0.0  # rate at which words are left out
    c.loss.swap = 0  # words change places, none by more than so many
    c.loss.mask = 0.0  # rate at which words are hidden by MASK
    c.loss.word_dropout = 0.0  # rate at which words that the decoder reads become UNK, in training
    # Of the variational form.
    c.loss.kl_weight = 1.0  # w, once it has risen
    c.loss.kl_annealing = "constant"  # or "linear", "sigmoid", "cyclical": how w rises from 0
    c.loss.kl_annealing_steps = 0  # of its rise
    c.loss.kl_cycles = 4  # of cyclical: rises, each followed by as many steps at kl_weight
    c.loss.free_bits = 0.0  # nats that each latent may use without cost
    c.loss.eval_samples = 1  # draws of z for each test sentence
    c.loss.chunk = 0  # places of a row whose logits are held at once, made twice; 0: all, made once
    c.optimizer = optimizer(learning_rate=1e-3, clip_norm=5.0)
    return c


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> OldFamily:
    """The family `text_autoencoder` for a config like `configs/text_autoencoder.py`.

    Vectors of sentences are z, of the variational form the mean of q(z|x). Evaluation reports
    `reconstruction`, nats a sentence, and `loss`, nats a token; of the variational form also `kl`
    and `elbo`, nats a sentence, the importance weighted bound `iwae_K`, `perplexity` (e to the
    `loss`, which bounds it from above: -elbo / tokens), `kl_per_latent` and `active_units`. There
    the noise of a sentence is a function of the sentence, the same for all runs.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    m, loss, dtype = config.model, config.loss, compute_dtype(config.precision)
    words = RecurrentEncoder(
        spec.vocab_size, m.embed_dim,
        make_recurrent(m, dtype, bidirectional=m.bidirectional), m.pooling,
    )  # fmt: skip
    parts = 2 if loss.variational else 1  # mean and log-variance, or z itself
    encoder = SentenceEncoder(words, (parts, m.latent_dim), dtype)
    decoder = SentenceDecoder(spec.vocab_size, m.embed_dim, make_recurrent(m, dtype), m.every_step)
    tx = make_optimizer(config.optimizer, total_steps)
    corruption = {"swap": loss.swap, "drop": loss.drop, "mask": loss.mask}
    (length,) = spec.shape

    def init(key: jax.Array) -> State:
        encoder_key, decoder_key = jax.random.split(init_key(key))
        x_BxT = jnp.full((1, length), tokens.EOS)
        z_BxZ = jnp.zeros((1, m.latent_dim))
        params = {
            "encoder": encoder.init(encoder_key, x_BxT)["params"],
            "decoder": decoder.init(decoder_key, z_BxZ, x_BxT)["params"],
        }
        return first_state(key, params, tx, config)

    def posterior_with(params: Any, x_BxT: jax.Array, **kwargs: Any) -> tuple[jax.Array, Any]:
        """Mean and log-variance of q(z|x), both (B, Z); z and None where it is not variational."""
        said: Any = encoder.apply({"params": params["encoder"]}, x_BxT, **kwargs)
        if not loss.variational:
            return said[:, 0], None
        return said[:, 0], jnp.minimum(said[:, 1], _MAX_LOG_VARIANCE)

    def decoded(params: Any, *args: Any, **kwargs: Any) -> tuple[jax.Array, Any]:
        found: Any = decoder.apply({"params": params["decoder"]}, *args, **kwargs)
        return found

    def logits(params: Any, h: jax.Array) -> jax.Array:
        return token_logits(h, params["decoder"]["kernel"], params["decoder"]["bias"])

    def nll(
        params: Any, z_BxZ: jax.Array, inputs_BxT: jax.Array, x_BxT: jax.Array, **kwargs: Any
    ) -> jax.Array:
        """-log p(x|z), (B,), of a decoder that reads `inputs_BxT`."""
        h_BxTxH, _ = decoded(params, z_BxZ, inputs_BxT, **kwargs)
        if not loss.chunk:
            return token_cross_entropy(logits(params, h_BxTxH), x_BxT).sum(-1)
        head = params["decoder"]
        return chunked_cross_entropy(
            h_BxTxH, head["kernel"], x_BxT, chunk=loss.chunk, bias_V=head["bias"]
        ).sum(-1)

    def corrupted(x_BxT: jax.Array, key: jax.Array) -> jax.Array:
        if not any(corruption.values()):
            return x_BxT
        return corrupt_tokens(x_BxT, batch_uniform(key, (*x_BxT.shape, 3)), **corruption)

    def objective(
        params: Any, rows: Batch, part: jax.Array, key: jax.Array, kl_weight: Any, mean: Metrics
    ) -> tuple[jax.Array, Metrics]:
        keys = jax.random.split(jax.random.fold_in(key, part))
        z_BxZ, log_variance = posterior_with(
            params, rows["read"], train=True, rngs={"dropout": keys[0]}
        )
        kl_BxZ: Any = None
        if loss.variational:
            kl_BxZ = losses.gaussian_kl(z_BxZ, log_variance)
            z_BxZ += jnp.exp(0.5 * log_variance) * rows["noise"]
        nll_B = nll(params, z_BxZ, rows["inputs"], rows["x"], train=True, rngs={"dropout": keys[1]})
        metrics, total_B = {"reconstruction": nll_B.mean()}, nll_B
        if loss.variational:
            metrics |= {"kl": kl_BxZ.sum(-1).mean(), "kl_weight": kl_weight}
            kl_B = kl_BxZ.sum(-1)
            if loss.free_bits:
                kl_B = losses.free_bits_kl(kl_BxZ, loss.free_bits, mean["kl"])
            total_B += kl_weight * kl_B
        total = total_B.mean() / jnp.maximum(mean["tokens"], 1e-6)
        return total, metrics | {"loss": total}

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        x_BxT = batch["x"]
        rows = {"x": x_BxT, "read": corrupted(x_BxT, step_key(state, _CORRUPTION))}
        rows["inputs"] = inputs_and_targets(x_BxT, running=False)[0]
        if loss.word_dropout:
            u_BxT = batch_uniform(step_key(state, _HIDDEN), x_BxT.shape)
            rows["inputs"] = hide_tokens(rows["inputs"], u_BxT, loss.word_dropout, tokens.UNK)
        # Of the global batch, whose parts and devices must agree on them.
        mean = {"tokens": batch_mean(tokens.is_token(x_BxT).sum(-1).mean())}
        kl_weight: Any = loss.kl_weight
        if loss.variational:
            rows["noise"] = batch_normal(step_key(state, _NOISE), (len(x_BxT), m.latent_dim))
            kl_weight *= annealed(
                state.step + 1, loss.kl_annealing, loss.kl_annealing_steps, loss.kl_cycles
            )
            if loss.free_bits:
                posterior = posterior_with(state.params, rows["read"])
                mean["kl"] = batch_mean(losses.gaussian_kl(*posterior).mean(0))
        key = step_key(state, _DROPOUT)
        return minimise(
            lambda params, rows, part: objective(params, rows, part, key, kl_weight, mean),
            state, rows, tx, config,
        )  # fmt: skip

    def evaluate(state: State, batch: Batch) -> Metrics:
        params, x_BxT, mask_B = state.ema or state.params, batch["x"], batch["mask"]
        inputs_BxT, _ = inputs_and_targets(x_BxT, running=False)
        z_BxZ, log_variance = posterior_with(params, x_BxT)
        values = {"count": jnp.ones_like(mask_B), "tokens": tokens.is_token(x_BxT).sum(-1)}
        if not loss.variational:
            values["reconstruction"] = nll(params, z_BxZ, inputs_BxT, x_BxT)
        else:

            def draw(number_1: jax.Array) -> tuple[jax.Array, jax.Array]:
                noise_BxZ = example_normal(_NOISE, x_BxT, number_1, m.latent_dim)[:, 0]
                drawn_BxZ = z_BxZ + jnp.exp(0.5 * log_variance) * noise_BxZ
                ratio_B = losses.log_prior_ratio(drawn_BxZ, noise_BxZ, log_variance)
                return -nll(params, drawn_BxZ, inputs_BxT, x_BxT)[:, None], ratio_B[:, None]

            bounds = likelihood_bounds(draw, loss.eval_samples, chunk=1)
            kl_BxZ = losses.gaussian_kl(z_BxZ, log_variance)
            values |= {
                "reconstruction": -bounds.log_likelihood_B,
                "kl": kl_BxZ.sum(-1),
                "elbo": bounds.log_likelihood_B - kl_BxZ.sum(-1),
                f"iwae_{loss.eval_samples}": bounds.importance_B,
                "kl_per_latent": kl_BxZ,
                "mean_per_latent": z_BxZ,
                "squared_mean_per_latent": jnp.square(z_BxZ),
            }
        return batch_sum({name: (mask_B * v.T).sum(-1) for name, v in values.items()})

    # What is made of sentences, and of latents.

    def posterior(state: State, x_BxT: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sentences (B, T) to mean and log-variance of q(z|x), both (B, Z)."""
        return posterior_with(state.ema or state.params, x_BxT)

    def encode(state: State, x_BxT: jax.Array) -> jax.Array:
        """Sentences (B, T) to their vectors (B, Z)."""
        return posterior(state, x_BxT)[0]

    def start_from(state: State, z_BxZ: jax.Array) -> tuple[jax.Array, Any]:
        """Latents (B, Z) to the logits (B, V) of the first tokens, and the cache behind BOS."""
        bos_B = jnp.full(len(z_BxZ), tokens.BOS)
        return decode(state, (z_BxZ, None), bos_B)

    def start(state: State, x_BxS: jax.Array) -> tuple[jax.Array, Any]:
        """As `start_from`, of the vectors of sentences (B, S)."""
        return start_from(state, encode(state, x_BxS))

    def decode(state: State, cache: Any, token_B: jax.Array) -> tuple[jax.Array, Any]:
        """One token further: logits (B, V) of the next one, and the cache behind it."""
        params, (z_BxZ, carry) = state.ema or state.params, cache
        h_Bx1xH, carry = decoded(params, z_BxZ, token_B[:, None], carry)
        return logits(params, h_Bx1xH[:, 0]), (z_BxZ, carry)

    def write(
        state: State, z_BxZ: jax.Array, key: Any = None, options: Sampling = GREEDY
    ) -> jax.Array:
        """Latents (B, Z) to sentences, int32 (B, T): the likeliest tokens one by one, or draws."""
        bound = Decoder(lambda _: start_from(state, z_BxZ), functools.partial(decode, state))
        nothing = jnp.full((len(z_BxZ), 1), tokens.PAD)
        key = jax.random.key(0) if key is None else key
        return generate(bound, nothing, key, options, length, size=length)

    def reconstruct(state: State, x_BxT: jax.Array) -> jax.Array:
        """Sentences (B, T) through their vectors and back, greedily; int32 (B, T)."""
        return write(state, encode(state, x_BxT))

    def interpolate(
        state: State, x_BxT: jax.Array, y_BxT: jax.Array, share_K: jax.Array
    ) -> jax.Array:
        """Sentences between x and y, int32 (B, K, T): those of (1 - share) z_x + share z_y."""
        ends = encode(state, x_BxT)[:, None], encode(state, y_BxT)[:, None]
        share = jnp.asarray(share_K)[:, None]
        z_BxKxZ = (1 - share) * ends[0] + share * ends[1]
        written = write(state, z_BxKxZ.reshape(-1, m.latent_dim))
        return written.reshape(*z_BxKxZ.shape[:2], length)

    def augment(state: State, key: jax.Array, x_BxT: jax.Array) -> jax.Array:
        """A draw of a similar sentence for each of x, int32 (B, T).

        Words, of a z drawn from q(z|x), or of the vector of the sentence corrupted as in training.
        """
        keys = jax.random.split(key, 3)
        uniform_BxTx3 = jax.random.uniform(keys[0], (*x_BxT.shape, 3))
        z_BxZ, log_variance = posterior(state, corrupt_tokens(x_BxT, uniform_BxTx3, **corruption))
        if loss.variational:
            z_BxZ += jnp.exp(0.5 * log_variance) * jax.random.normal(keys[1], z_BxZ.shape)
        return write(state, z_BxZ, keys[2], Sampling())

    def sample(state: State, key: jax.Array, n: int) -> jax.Array:
        latent_key, words_key = jax.random.split(key)
        z_BxZ = jax.random.normal(latent_key, (n, m.latent_dim))
        return write(state, z_BxZ, words_key, Sampling())

    functions: dict[str, Callable[..., Any]] = {
        "start": start, "start_from": start_from, "decode": decode, "encode": encode,
        "write": write, "reconstruct": reconstruct, "interpolate": interpolate, "augment": augment,
    }  # fmt: skip
    return OldFamily(
        init=init, step=step, evaluate=evaluate, sample=sample, batch_shape=(config.batch_size,),
        functions=functions | ({"posterior": posterior} if loss.variational else {}),
        summary=_summary, has_prior=loss.variational,
    )  # fmt: skip


def _summary(means: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nats a token; the moments of the posterior means become the number of active units."""
    means = dict(means)
    length = means.pop("tokens")
    if "elbo" not in means:
        return means | {"loss": means["reconstruction"] / length}
    variance = means.pop("squared_mean_per_latent") - means.pop("mean_per_latent") ** 2
    nats = -means["elbo"] / length
    return means | {
        "loss": nats, "perplexity": np.exp(nats), "active_units": (variance > ACTIVE).sum(-1),
    }  # fmt: skip


def _check(config: ConfigDict, spec: DataSpec) -> None:
    m, loss, data = config.model, config.loss, config.data
    if spec.kind != "sentence":
        raise fail("data.name", data.name, "must be sentences: data.kind=sentence, or tsv:FILE")
    if data.packed:
        raise fail("data.packed", data.packed, "must be False: a vector is of one sentence")
    check_recurrent(m)
    choose("model.pooling", m.pooling, POOLINGS)
    choose("loss.kl_annealing", loss.kl_annealing, ANNEALINGS)
    for name in ("drop", "mask", "word_dropout"):
        if not 0 <= loss[name] <= 1:
            raise fail(f"loss.{name}", loss[name], "is a rate; must be at least 0 and at most 1")
    for field, least in (
        ("model.latent_dim", 1), ("loss.swap", 0), ("loss.kl_weight", 0), ("loss.free_bits", 0),
        ("loss.kl_annealing_steps", int(loss.kl_annealing != "constant")), ("loss.kl_cycles", 1),
        ("loss.eval_samples", 1), ("loss.chunk", 0),
    ):  # fmt: skip
        section, name = field.split(".")
        if config[section][name] < least:
            raise fail(field, config[section][name], f"must be at least {least}")
    if loss.variational:
        return
    plain = {"kl_weight": 1.0, "kl_annealing": "constant", "free_bits": 0.0}
    for name, value in plain.items():
        if loss[name] != value:
            raise fail(f"loss.{name}", loss[name], f"needs loss.variational; must be {value}")
