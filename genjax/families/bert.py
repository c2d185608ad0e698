"""BERT: a transformer that guesses hidden tokens from what stands on both sides of them.

    loss = - sum over guessed places of log p(x_t | the text with these places hidden)
           - log p(the second text follows the first or not)         (loss.next_sentence)

Source: Devlin et al. 2019 (BERT: Pre-training of deep bidirectional transformers), sections 3 and
A.1. Which tokens are hidden is drawn anew in each step (as Liu et al. 2019, RoBERTa, advise), and
only what stands at these places is projected to the vocabulary. BOS and EOS are what the paper
calls [CLS] and [SEP].
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax.core import tokens
from genjax.core.batch import batch_gather, batch_mean, batch_rows, batch_sum, batch_uniform
from genjax.core.config import base, fail, optimizer, text_data
from genjax.core.family import (
    Batch,
    DataSpec,
    Metrics,
    OldFamily,
    State,
    init_key,
    step_key,
)
from genjax.core.optimizer import make_optimizer
from genjax.core.update import first_state, minimise
from genjax.families._encoders import NUM_TYPES, places
from genjax.families._transformers import check_layers, layer_fields, make_layers
from genjax.losses.bounds import example_uniform
from genjax.losses.precision import softplus
from genjax.losses.tokens import token_cross_entropy
from genjax.models.bert import Encoder, Heads, one_text, two_texts
from genjax.models.masking import mask_tokens
from genjax.models.sentence import pool

_MASK, _PAIR, _DROPOUT = range(3)  # uses of the step's key, and of an example's own noise


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for small texts; recipes change what they need."""
    c = base()
    c.family = "bert"
    text_data(c, kind="text", tokenizer="word", min_count=2, length=64)
    c.model = layer_fields(norm_first=False, dropout=0.1)
    c.loss = ConfigDict()
    c.loss.mask_rate = 0.15  # share of a text's tokens that are guessed
    c.loss.whole_word = False  # tokens of a word are guessed together
    c.loss.next_sentence = False  # running text: its halves, of which half the second are another's
    c.optimizer = optimizer(learning_rate=1e-3, b2=0.98, weight_decay=0.01, clip_norm=1.0)
    return c


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> OldFamily:
    """The family `bert` for a config like `configs/bert.py`.

    It learns windows of running text, or sentences. Evaluation hides each token that it asks for,
    a fixed choice for each text, and reports the nats of a hidden token (`loss`), `perplexity`,
    e to it, and `accuracy`; with `loss.next_sentence` also `next_sentence_accuracy`, for which a
    text is paired with one half a batch away.

    Functions: `embed(state, x_BxT)`, the vectors (B, T, D) of tokens in their text;
    `encode(state, x_BxT)`, the mean (B, D) of a text's; `fill(state, x_BxT)`, the text with the
    likeliest token in place of each MASK.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    m, loss = config.model, config.loss
    paired = loss.next_sentence
    length = places(config, spec.shape[0])
    layers = make_layers(config)
    encoder = Encoder(spec.vocab_size, length, layers, m.positions, NUM_TYPES)
    heads = Heads(spec.vocab_size, layers, paired)
    tx = make_optimizer(config.optimizer, total_steps)
    word_parts = spec.word_parts if loss.whole_word else b""

    def encoded(params: Any, *args: Any, **kwargs: Any) -> jax.Array:
        h_BxTxD: Any = encoder.apply({"params": params["encoder"]}, *args, **kwargs)
        return h_BxTxD

    def logits(params: Any, h_BxMxD: jax.Array) -> jax.Array:
        table_VxD = params["encoder"]["embedding"]["tokens"]
        logits_BxMxV: Any = heads.apply({"params": params["heads"]}, h_BxMxD, table_VxD)
        return logits_BxMxV

    def init(key: jax.Array) -> State:
        encoder_key, heads_key = jax.random.split(init_key(key))
        ids, h = jnp.full((1, length), tokens.BOS), jnp.zeros((1, length, m.width))
        table_VxD = jnp.zeros((spec.vocab_size, m.width))

        def both(heads: Heads) -> None:
            heads(h, table_VxD)
            if paired:
                heads.next_sentence(h)

        params = {
            "encoder": encoder.init(encoder_key, ids)["params"],
            "heads": heads.init(heads_key, method=both)["params"],
        }
        return first_state(key, params, tx, config)

    def texts(x_BxT: jax.Array, uniform_B: jax.Array, keep_B: jax.Array) -> Batch:
        """Rows as the encoder reads them: `ids`, and of pairs `types` and `follows`."""
        if not paired:
            return {"ids": one_text(x_BxT)}
        other_BxT, is_other_B = _others(x_BxT, keep_B)
        follows_B = (uniform_B < 0.5) | ~is_other_B
        half = x_BxT.shape[1] // 2
        second = jnp.where(follows_B[:, None], x_BxT[:, half:], other_BxT[:, half:])
        ids, types = two_texts(x_BxT[:, :half], second)
        return {"ids": ids, "types": types, "follows": follows_B.astype(jnp.float32)}

    def hide(rows: Batch, uniform_BxTx3: jax.Array) -> Batch:
        masked = mask_tokens(
            rows["ids"], uniform_BxTx3, vocab_size=spec.vocab_size, rate=loss.mask_rate,
            word_parts=word_parts,
        )  # fmt: skip
        return rows | masked._asdict()

    def guesses(params: Any, rows: Batch, **kwargs: Any) -> tuple[jax.Array, jax.Array]:
        """Logits (B, M, V) at the places to guess, and vectors (B, T, D) at all places."""
        h_BxTxD = encoded(params, rows["inputs"], rows.get("types"), **kwargs)
        at_BxMxD = jnp.take_along_axis(h_BxTxD, rows["positions"][..., None], axis=1)
        return logits(params, at_BxMxD), h_BxTxD

    def pair_logits(params: Any, h_BxTxD: jax.Array) -> jax.Array:
        variables = {"params": params["heads"]}
        logits_B: Any = heads.apply(variables, h_BxTxD, method="next_sentence")
        return logits_B

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        x_BxT = batch["x"]
        uniform_B = batch_uniform(step_key(state, _PAIR), x_BxT.shape[:1])
        rows = texts(x_BxT, uniform_B, jnp.ones(len(x_BxT)))
        noise_BxTx3 = batch_uniform(step_key(state, _MASK), (*rows["ids"].shape, 3))
        rows = hide(rows, noise_BxTx3)
        mean_count = batch_mean(tokens.is_token(rows["targets"]).sum(-1).mean())
        key = step_key(state, _DROPOUT)

        def objective(params: Any, rows: Batch, part: jax.Array) -> tuple[jax.Array, Metrics]:
            rngs = {"dropout": jax.random.fold_in(key, part)}
            logits_BxMxV, h_BxTxD = guesses(params, rows, train=True, rngs=rngs)
            nll_BxM = token_cross_entropy(logits_BxMxV, rows["targets"])
            # A batch without a token to guess has the loss 0.
            masked = (nll_BxM.sum(-1) / jnp.maximum(mean_count, 1e-6)).mean()
            if not paired:
                return masked, {"loss": masked}
            wrong = _wrong(pair_logits(params, h_BxTxD), rows["follows"]).mean()
            return masked + wrong, {
                "loss": masked + wrong, "masked": masked, "next_sentence": wrong,
            }  # fmt: skip

        return minimise(objective, state, rows, tx, config)

    def hidden(x_BxT: jax.Array, keep_B: jax.Array) -> Batch:
        """Rows with what evaluation asks for hidden, a function of each row's own tokens."""
        own_B = example_uniform(_PAIR, x_BxT, jnp.arange(1), 1).reshape(-1)
        rows = texts(x_BxT, own_B, keep_B)
        noise = example_uniform(_MASK, x_BxT, jnp.arange(rows["ids"].shape[1]), 3)
        return hide(rows, noise.at[..., 1].set(0.0))  # all become MASK

    def evaluate(state: State, batch: Batch) -> Metrics:
        params, mask_B = state.ema or state.params, batch["mask"]
        rows = hidden(batch["x"], mask_B)
        logits_BxMxV, h_BxTxD = guesses(params, rows)
        target_BxM, nll_BxM = rows["targets"], token_cross_entropy(logits_BxMxV, rows["targets"])
        real_BxM = tokens.is_token(target_BxM)
        right_BxM = real_BxM * (logits_BxMxV.argmax(-1) == target_BxM)
        each = {"nll": nll_BxM.sum(-1), "guessed": real_BxM.sum(-1), "right": right_BxM.sum(-1)}
        if paired:
            says_B = pair_logits(params, h_BxTxD) > 0
            each["next_sentence_accuracy"] = says_B == (rows["follows"] > 0)
        sums = {name: (mask_B * value).sum() for name, value in each.items()}
        return batch_sum({"count": mask_B.sum()} | sums)

    def embed(state: State, x_BxT: jax.Array) -> jax.Array:
        return encoded(state.ema or state.params, one_text(x_BxT))[:, 1:]

    def encode(state: State, x_BxT: jax.Array) -> jax.Array:
        return pool(embed(state, x_BxT), tokens.is_token(x_BxT), "mean")

    def fill(state: State, x_BxT: jax.Array) -> jax.Array:
        logits_BxTxV = logits(state.ema or state.params, embed(state, x_BxT))
        best_BxT = logits_BxTxV[..., tokens.NUM_SPECIALS :].argmax(-1) + tokens.NUM_SPECIALS
        return jnp.where(x_BxT == tokens.MASK, best_BxT.astype(jnp.int32), x_BxT)

    def reconstruct(state: State, x_BxT: jax.Array) -> jax.Array:
        """Texts (B, T) with the guesses in place of what evaluation hides, likewise."""
        noise = example_uniform(_MASK, x_BxT, jnp.arange(x_BxT.shape[1]), 3)
        masked = mask_tokens(
            x_BxT, noise.at[..., 1].set(0.0), vocab_size=spec.vocab_size, rate=loss.mask_rate,
            word_parts=word_parts,
        )  # fmt: skip
        return fill(state, masked.inputs)

    return OldFamily(
        init=init, step=step, evaluate=evaluate, sample=None, batch_shape=(config.batch_size,),
        functions={"embed": embed, "encode": encode, "fill": fill, "reconstruct": reconstruct},
        summary=_summary, has_prior=False,
    )  # fmt: skip


def _others(x_BxT: jax.Array, keep_B: jax.Array) -> tuple[jax.Array, jax.Array]:
    """For each row of the global batch another one, and whether there is one.

    The one half a batch away, among the rows where `keep` is above 0: the others have no effect.
    """
    all_BxT, kept_B = batch_gather(x_BxT), batch_gather(keep_B) > 0
    order_B, rank_B = jnp.argsort(~kept_B, stable=True), jnp.cumsum(kept_B) - 1
    number = jnp.maximum(kept_B.sum(), 1)
    other_B = order_B[(rank_B + (number + 1) // 2) % number]
    own_B = batch_rows(lambda shape: jnp.arange(shape[0]), (len(x_BxT),))
    return all_BxT[other_B[own_B]], other_B[own_B] != own_B


def _wrong(logit_B: jax.Array, truth_B: jax.Array) -> jax.Array:
    """Cross-entropy of a yes or no."""
    return softplus(logit_B) - truth_B * logit_B


def _summary(means: Any) -> Any:
    guessed = np.maximum(means["guessed"], 1e-9)
    nats = means["nll"] / guessed
    shown = {"loss": nats, "perplexity": np.exp(nats), "accuracy": means["right"] / guessed}
    name = "next_sentence_accuracy"
    return shown | ({name: means[name]} if name in means else {})


def _check(config: ConfigDict, spec: DataSpec) -> None:
    loss = config.loss
    if spec.kind not in ("text", "sentence"):
        raise fail("data.name", config.data.name, "must be running text or sentences")
    check_layers(config.model)
    if config.data.packed:
        raise fail("data.packed", True, "each text is read by itself; must be False")
    if not 0 < loss.mask_rate < 1:
        raise fail("loss.mask_rate", loss.mask_rate, "must be between 0 and 1, exclusive")
    if loss.next_sentence and spec.kind != "text":
        raise fail("loss.next_sentence", True, "halves windows of running text; data.kind=text")
    if loss.next_sentence and config.data.length < 2:
        raise fail("data.length", config.data.length, "must be at least 2 with loss.next_sentence")
