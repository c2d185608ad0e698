"""ELMo: vectors of words in their context, from language models that read from both sides.

    loss = - 1/2 mean_t [log p(w_t | w_1 … w_{t-1}) + log p(w_t | w_{t+1} … w_T)]

Source: Peters et al. 2018 (Deep contextualized word representations). Words are read as characters,
through a CNN that both directions share with the softmax layer; each direction has LSTMs of its
own. The layers are mixed by learned scalars (equation 1), and it is the mix that the softmax reads,
so that the scalars are learned without a further task; in the paper it reads the last layer, and
scalars are a task's. LSTMs are projected behind the recurrence, not within it.

The vocabulary bounds what is predicted and, as texts are tokens before they get here, what is read
in training: words without a token are the token UNK. The network itself reads any characters, see
the function `embed_words`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from genjax.core import tokens
from genjax.core.batch import batch_mean, batch_sum
from genjax.core.config import base, fail, optimizer, text_data
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
from genjax.families._recurrent import check_rates
from genjax.losses.tokens import chunked_cross_entropy, token_cross_entropy, token_logits
from genjax.models.elmo import BiLM, Mix, spell_vocabulary
from genjax.models.sentence import pool

_DROPOUT = 0  # use of the step's key


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for small texts; recipes change what they need."""
    c = base()
    c.family = "elmo"
    text_data(c, kind="text", tokenizer="word", min_count=2, length=32)
    c.model = ConfigDict()
    c.model.width = 128  # of a layer's vectors, in each direction
    c.model.hidden = 256  # units of an LSTM
    c.model.layers = 2  # LSTMs in each direction
    c.model.char_dim = 16  # width of a character's vector
    c.model.char_widths = (1, 2, 3, 4, 5)  # of the CNN's filters, in characters
    c.model.char_filters = (32, 32, 64, 64, 64)  # how many there are of each width
    c.model.highway = 1  # layers behind the CNN
    c.model.dropout = 0.1  # of what LSTMs read and say
    c.loss = ConfigDict()
    c.loss.chunk = 0  # places of a row whose logits are held at once, made twice; 0: all, made once
    c.optimizer = optimizer(learning_rate=2e-3, clip_norm=1.0)
    return c


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> OldFamily:
    """The family `elmo` for a config like `configs/elmo.py`.

    It learns windows of running text, or sentences, of which BOS is the begin. Evaluation reports
    nats a word (`loss`), the mean of those of both directions (`forward_loss`, `backward_loss`),
    and `perplexity`, e to the first.

    Functions: `embed(state, x_BxT)`, the vectors (B, T, 2 width) of words in their text;
    `embed_words(state, chars_BxTxC)`, the same of any words (see `genjax.models.elmo.spell`);
    `layers(state, x_BxT)`, what is mixed, (B, T, layers + 1, 2 width); `encode(state, x_BxT)`, the
    mean (B, 2 width) of a text's vectors.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    m, loss, dtype = config.model, config.loss, compute_dtype(config.precision)
    filters = tuple(zip(m.char_widths, m.char_filters))
    network = BiLM(m.width, m.hidden, m.layers, m.char_dim, filters, m.highway, m.dropout, dtype)
    mix, tx = Mix(), make_optimizer(config.optimizer, total_steps)
    chars_VxC = spell_vocabulary(spec.spellings, config.data.word_length)
    running = spec.kind == "text"

    def init(key: jax.Array) -> State:
        network_key, output_key = jax.random.split(init_key(key))
        chars, real = jnp.ones((1, 1, config.data.word_length), jnp.int32), jnp.ones((1, 1))
        layers, variables = network.init_with_output(network_key, chars, real)
        kernel = nn.initializers.lecun_normal()(output_key, (m.width, spec.vocab_size))
        params = {
            "network": variables["params"],
            "mix": mix.init(output_key, layers)["params"],
            "output": {"kernel": kernel, "bias": jnp.zeros(spec.vocab_size)},
        }
        return first_state(key, params, tx, config)

    def chars_of(ids_BxT: jax.Array) -> jax.Array:
        return jnp.asarray(chars_VxC)[ids_BxT]

    def read(params: Any, chars_BxTxC: jax.Array, **kwargs: Any) -> jax.Array:
        """Layers (2, L + 1, B, T, D)."""
        real_BxT = (chars_BxTxC > 0).any(-1)
        variables = {"params": params["network"]}
        layers: Any = network.apply(variables, chars_BxTxC, real_BxT, **kwargs)
        return layers

    def mixed(params: Any, layers_2xLxBxTxD: jax.Array) -> jax.Array:
        mixed: Any = mix.apply({"params": params["mix"]}, layers_2xLxBxTxD)
        return mixed

    def texts(x_BxT: jax.Array) -> jax.Array:
        return x_BxT if running else jnp.pad(x_BxT, ((0, 0), (1, 0)), constant_values=tokens.BOS)

    def nll(params: Any, ids_BxT: jax.Array, **kwargs: Any) -> jax.Array:
        """Nats (B, T - 1, 2): of each word but the first from the left, but the last from behind.

        Entry t of both has the words t and t + 1, of which one is read and the other predicted.
        """
        left, right = mixed(params, read(params, chars_of(ids_BxT), **kwargs))
        hidden = jnp.concatenate([left[:, :-1], right[:, 1:]], axis=1)
        before, after = ids_BxT[:, :-1], ids_BxT[:, 1:]
        before = jnp.where(after == tokens.PAD, tokens.PAD, before)
        target, out = jnp.concatenate([after, before], axis=1), params["output"]
        if loss.chunk:
            nll = chunked_cross_entropy(
                hidden, out["kernel"], target, chunk=loss.chunk, bias_V=out["bias"]
            )
        else:
            nll = token_cross_entropy(token_logits(hidden, out["kernel"], out["bias"]), target)
        return jnp.stack(jnp.split(nll, 2, axis=1), axis=-1)

    def count(ids_BxT: jax.Array) -> jax.Array:
        """Words that are predicted in each direction, (B,)."""
        return tokens.is_token(ids_BxT[:, 1:]).sum(-1)

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        ids_BxT = texts(batch["x"])
        mean_count = jnp.maximum(batch_mean(count(ids_BxT).mean()), 1e-6)
        key = step_key(state, _DROPOUT)

        def objective(params: Any, rows: Batch, part: jax.Array) -> tuple[jax.Array, Metrics]:
            rngs = {"dropout": jax.random.fold_in(key, part)}
            nll_BxTx2 = nll(params, rows["ids"], train=True, rngs=rngs)
            left, right = (nll_BxTx2.sum(1) / mean_count).mean(0)
            mean = (left + right) / 2
            return mean, {"loss": mean, "forward_loss": left, "backward_loss": right}

        return minimise(objective, state, {"ids": ids_BxT}, tx, config)

    def evaluate(state: State, batch: Batch) -> Metrics:
        """Nats of both directions, and the number of words that each predicts."""
        ids_BxT, mask_B = texts(batch["x"]), batch["mask"]
        left, right = jnp.moveaxis(nll(state.ema or state.params, ids_BxT).sum(1), -1, 0)
        sums = {"forward": left, "backward": right, "words": count(ids_BxT)}
        sums = {name: (mask_B * value).sum() for name, value in sums.items()}
        return batch_sum({"count": mask_B.sum()} | sums)

    def joined(sides_2xBxTxD: jax.Array) -> jax.Array:
        """Both directions side by side, without the BOS that `texts` adds."""
        first = 0 if running else 1
        return jnp.concatenate(list(sides_2xBxTxD), axis=-1)[:, first:]

    def embed(state: State, x_BxT: jax.Array) -> jax.Array:
        params = state.ema or state.params
        return joined(mixed(params, read(params, chars_of(texts(x_BxT)))))

    def embed_words(state: State, chars_BxTxC: jax.Array) -> jax.Array:
        params = state.ema or state.params
        if not running:
            begin_Bx1 = jnp.full((len(chars_BxTxC), 1), tokens.BOS)
            chars_BxTxC = jnp.concatenate([chars_of(begin_Bx1), chars_BxTxC], axis=1)
        return joined(mixed(params, read(params, chars_BxTxC)))

    def layers(state: State, x_BxT: jax.Array) -> jax.Array:
        params = state.ema or state.params
        layers_2xLxBxTxD = read(params, chars_of(texts(x_BxT)))
        return jax.vmap(joined, in_axes=1, out_axes=2)(layers_2xLxBxTxD)

    def encode(state: State, x_BxT: jax.Array) -> jax.Array:
        return pool(embed(state, x_BxT), tokens.is_token(x_BxT), "mean")

    return OldFamily(
        init=init, step=step, evaluate=evaluate, sample=None, batch_shape=(config.batch_size,),
        functions={
            "embed": embed, "embed_words": embed_words, "layers": layers, "encode": encode,
        },
        summary=_summary, has_prior=False,
    )  # fmt: skip


def _summary(means: Any) -> Any:
    left, right = (means[side] / means["words"] for side in ("forward", "backward"))
    nats = (left + right) / 2
    return {
        "loss": nats, "perplexity": np.exp(nats), "forward_loss": left, "backward_loss": right,
    }  # fmt: skip


def _check(config: ConfigDict, spec: DataSpec) -> None:
    m, data = config.model, config.data
    if spec.kind not in ("text", "sentence"):
        raise fail("data.name", data.name, "must be running text or sentences")
    if not spec.spellings:
        raise fail("data.tokenizer", data.tokenizer, "words are read as characters; must be word")
    if data.packed:
        raise fail("data.packed", True, "each text is read by itself; must be False")
    if data.word_length < 3:
        raise fail("data.word_length", data.word_length, "must be at least 3: two are marks")
    for field in ("width", "hidden", "layers", "char_dim"):
        if m[field] < 1:
            raise fail(f"model.{field}", m[field], "must be at least 1")
    for field in ("char_widths", "char_filters"):
        if not m[field] or min(m[field]) < 1:
            raise fail(f"model.{field}", m[field], "must be numbers of at least 1")
    if len(m.char_filters) != len(set(m.char_widths)):
        widths = "must be one number for each of model.char_widths, which are different"
        raise fail("model.char_filters", m.char_filters, f"{widths}: {m.char_widths}")
    if m.highway < 0:
        raise fail("model.highway", m.highway, "must be at least 0")
    if config.loss.chunk < 0:
        raise fail("loss.chunk", config.loss.chunk, "must be at least 0")
    check_rates(m, "dropout")
