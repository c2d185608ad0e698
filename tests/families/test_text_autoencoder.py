"""Text autoencoders: their loss written out, padding, noise, decoding from latents."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.capabilities import HasPosterior
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.core.random import step_key
from genjax.core.tokens import BOS, EOS, MASK, NUM_SPECIALS, PAD, UNK, lengths
from genjax.families import text_autoencoder
from genjax.generation import GREEDY, decoder_of, generate
from tests.families.compiled import compiled

V, T, Z, ROWS = 17, 7, 3, 5
SPEC = DataSpec("sentence", (T,), vocab_size=V)
RNG = np.random.default_rng(0)
X = RNG.integers(NUM_SPECIALS, V, (ROWS, T)).astype(np.int32)
for _row, _n in zip(X, (1, 3, 4, 6, 7)):  # EOS alone, up to a row without padding
    _row[_n - 1], _row[_n:] = EOS, PAD
TOKENS = 21  # of all rows
BATCH = {"x": X, "mask": np.ones(ROWS, np.float32)}
VARIATIONAL = {"loss__variational": True}
NOISY = {
    "loss__drop": 0.5, "loss__swap": 3, "loss__mask": 0.5, "loss__word_dropout": 0.5,
    "model__dropout": 0.5,
}  # fmt: skip


@functools.cache
def make(**changes):
    """A tiny family, all of whose functions are compiled once."""
    c = text_autoencoder.default_config()
    c.steps = 10
    c.batch_size = ROWS
    c.model.update(latent_dim=Z, embed_dim=4, hidden=6)
    c.update_from_flattened_dict({name.replace("__", "."): v for name, v in changes.items()})
    return compiled(text_autoencoder.build(c, SPEC, 10))


def begun(family):
    """A state whose networks do say something: the first weights, larger."""
    state = family.init(jax.random.key(0))
    return state.replace(params=jax.tree.map(lambda p: 2 * p, state.params))


def stepped(family, state=None):
    return family.step(begun(family) if state is None else state, {"x": X})


def evaluation(family, state, batch=BATCH):
    return {name: np.asarray(value) for name, value in family.evaluate(state, batch).items()}


def constant(params, said):
    """All weights zero; the encoder says `said` of every sentence, the decoder knows nothing."""
    params = jax.tree.map(jnp.zeros_like, params)
    params["encoder"]["Dense_0"]["bias"] = jnp.repeat(jnp.float32(said), Z)
    return params


# The loss.


def test_loss_is_nats_of_all_tokens_over_their_number():
    """Of a decoder that knows nothing a token costs log V, so no factor is left open."""
    family = make()
    state = begun(family)
    state = state.replace(params=constant(state.params, [0.3]))
    _, metrics = stepped(family, state)
    np.testing.assert_allclose(metrics["loss"], math.log(V), rtol=1e-6)
    np.testing.assert_allclose(metrics["reconstruction"], TOKENS / ROWS * math.log(V), rtol=1e-6)
    sums = evaluation(family, state)
    assert sums["count"] == ROWS and sums["tokens"] == TOKENS
    means = family.summary({name: v / ROWS for name, v in sums.items() if name != "count"})
    assert set(means) == {"reconstruction", "loss"}
    np.testing.assert_allclose(means["loss"], math.log(V), rtol=1e-6)


def test_variational_loss_adds_the_kl_of_a_sentence():
    family = make(**VARIATIONAL, loss__eval_samples=3)
    state = begun(family)
    mean, log_variance = 0.7, -1.2
    state = state.replace(params=constant(state.params, [mean, log_variance]))
    kl = Z * 0.5 * (mean**2 + math.exp(log_variance) - 1 - log_variance)
    nll = TOKENS / ROWS * math.log(V)
    _, metrics = stepped(family, state)
    np.testing.assert_allclose(metrics["kl"], kl, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], (nll + kl) * ROWS / TOKENS, rtol=1e-5)
    sums = evaluation(family, state)
    means = family.summary({name: v / ROWS for name, v in sums.items() if name != "count"})
    np.testing.assert_allclose(means["elbo"], -nll - kl, rtol=1e-5)
    np.testing.assert_allclose(means["perplexity"], math.exp((nll + kl) * ROWS / TOKENS), rtol=1e-5)
    np.testing.assert_allclose(means["kl_per_latent"], [kl / Z] * Z, rtol=1e-5)
    assert means["active_units"] == 0 and means["iwae_3"] > means["elbo"]


def test_gradient_is_that_of_the_bound_written_out():
    """Bowman et al. 2016: one draw of z, a decoder from tanh(z W + b) that reads z each time."""
    family = make(
        **VARIATIONAL,
        loss__word_dropout=0.5,
        loss__kl_weight=0.6,
        model__cell="gru",
        optimizer__name="sgd",
        optimizer__b1=0.0,
        optimizer__clip_norm=0.0,
        model__pooling="mean",
        model__bidirectional=False,
    )
    state = begun(family)
    after, _ = stepped(family, state)

    def gru(p, xs, h):
        """All states of a GRU (T, B, H), gates r, z, n."""
        out = []
        for x in xs:
            a, b = x @ p["kernel_x"] + p["bias"], h @ p["kernel_h"]
            (ar, az, an), (br, bz, bn) = jnp.split(a, 3, 1), jnp.split(b, 3, 1)
            r, z = jax.nn.sigmoid(ar + br), jax.nn.sigmoid(az + bz)
            n = jnp.tanh(an + r * bn)
            h = n + z * (h - n)
            out.append(h)
        return jnp.stack(out)

    def bound(params, noise):
        p, n = params["encoder"], np.asarray(lengths(X))
        words = p["network"]["words"]["tokens"][X].swapaxes(0, 1)
        hs = gru(p["network"]["recurrent"]["Direction_0"], words, jnp.zeros((ROWS, 6)))
        pooled = jnp.stack([hs[: n[i], i].mean(0) for i in range(ROWS)])
        said = pooled @ p["Dense_0"]["kernel"] + p["Dense_0"]["bias"]
        mean, log_variance = said[:, :Z], said[:, Z:]
        z = mean + jnp.exp(log_variance / 2) * noise

        p = params["decoder"]
        read = np.pad(X[:, :-1], ((0, 0), (1, 0)), constant_values=BOS)
        read = np.where(hidden & (read >= NUM_SPECIALS), UNK, read)
        words = p["words"]["tokens"][read].swapaxes(0, 1)
        inputs = jnp.concatenate([words, jnp.broadcast_to(z, (T, *z.shape))], -1)
        first = jnp.tanh(z @ p["first"]["kernel"] + p["first"]["bias"])
        logits = gru(p["recurrent"]["Direction_0"], inputs, first) @ p["kernel"] + p["bias"]
        log_p = jax.nn.log_softmax(logits).swapaxes(0, 1)
        nll = -sum(log_p[i, t, X[i, t]] for i in range(ROWS) for t in range(n[i]))
        kl = 0.5 * (mean**2 + jnp.exp(log_variance) - 1 - log_variance).sum()
        return (nll + 0.6 * kl) / TOKENS

    noise = jax.random.normal(step_key(state, 0), (ROWS, Z))
    hidden = np.asarray(jax.random.uniform(step_key(state, 3), (ROWS, T)) < 0.5)
    expected = jax.jit(jax.grad(bound))(state.params, noise)
    moved = jax.tree.map(lambda a, b: (a - b) / 1e-3, state.params, after.params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-3), moved, expected)


def test_the_weight_of_the_kl_is_annealed():
    family = make(
        **VARIATIONAL, loss__kl_weight=4.0, loss__kl_annealing="linear", loss__kl_annealing_steps=8
    )
    _, metrics = stepped(family)
    np.testing.assert_allclose(metrics["kl_weight"], 0.5)
    expected = (metrics["reconstruction"] + 0.5 * metrics["kl"]) * ROWS / TOKENS
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)


def test_free_bits_leave_the_posterior_alone_below_the_threshold():
    family = make(**VARIATIONAL, loss__free_bits=100.0)
    state = begun(family)
    state = state.replace(params=constant(state.params, [0.7, -1.2]))
    after, metrics = stepped(family, state)
    expected = (metrics["reconstruction"] + Z * 100) * ROWS / TOKENS
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)
    said = [s.params["encoder"]["Dense_0"]["bias"] for s in (state, after)]
    np.testing.assert_array_equal(*said)


def test_chunked_logits_make_the_same_step():
    ends = [
        stepped(make(**VARIATIONAL, loss__logits_chunk=chunk, optimizer__eps=1e-3))[0].params
        for chunk in (0, 3)
    ]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), *ends)


# Padding.


def test_padding_has_no_effect_and_no_gradient():
    """Nothing behind a sentence counts: the vector, the loss; and PAD learns nothing."""
    family = make(model__pooling="max")
    state, wide = begun(family), np.pad(X, ((0, 0), (0, 4)))
    codes = (family.encode(state, x) for x in (X, wide))
    np.testing.assert_allclose(*codes, atol=1e-6)
    after, _ = stepped(family, state)
    for tables in (("encoder", "network", "words"), ("decoder", "words")):
        before, moved = state.params, after.params
        for part in tables:
            before, moved = before[part], moved[part]
        changed = (before["tokens"] != moved["tokens"]).any(-1)
        assert not changed[PAD] and changed[BOS if tables[0] == "decoder" else EOS]
    # The logits of PAD are never a target, and those at padding are not read.
    sums = evaluation(family, state)
    wider = evaluation(family, state, BATCH | {"x": wide})
    np.testing.assert_allclose(sums["reconstruction"], wider["reconstruction"], rtol=1e-6)
    assert sums["tokens"] == wider["tokens"]


# Noise.


def test_corruption_is_of_what_is_read_not_of_what_is_said():
    """A mask over every word leaves one sentence of each length to be read."""
    family = make(loss__mask=1.0, optimizer__name="sgd", optimizer__clip_norm=0.0)
    state = begun(family)
    after, metrics = stepped(family, state)
    hidden = np.where(X >= NUM_SPECIALS, MASK, X)
    z = family.encode(state, hidden)
    nll = 0.0
    logits, cache = family.prefill_codes(state, z)
    for t in range(T):
        log_p = np.asarray(jax.nn.log_softmax(logits))
        nll -= log_p[np.arange(ROWS), X[:, t]][X[:, t] != PAD].sum()
        logits, cache = family.decode_step(state, cache, X[:, t])
    np.testing.assert_allclose(metrics["reconstruction"], nll / ROWS, rtol=1e-5)
    moved = (
        state.params["encoder"]["network"]["words"]["tokens"]
        - (after.params["encoder"]["network"]["words"]["tokens"])
    )
    assert (moved[NUM_SPECIALS:] == 0).all() and (moved[MASK] != 0).any()


@pytest.mark.parametrize("changes", [NOISY, VARIATIONAL])
def test_noise_is_drawn_anew_in_each_step(changes):
    family = make(**changes)
    state = begun(family)
    starts = [state.replace(step=jnp.int32(i)) for i in (0, 0, 1)]
    losses = [float(stepped(family, start)[1]["loss"]) for start in starts]
    assert losses[0] == losses[1] != losses[2]


def test_evaluation_is_of_clean_sentences_and_the_same_each_time():
    noisy = make(**NOISY)
    state = begun(noisy)
    for name, value in evaluation(make(), state).items():
        np.testing.assert_allclose(evaluation(noisy, state)[name], value, rtol=1e-6)
    family = make(**VARIATIONAL)
    state = begun(family)
    alone = [
        evaluation(family, state, {"x": X[i : i + 1], "mask": np.ones(1)}) for i in range(ROWS)
    ]
    together = evaluation(family, state)
    for name, value in together.items():
        np.testing.assert_allclose(sum(a[name] for a in alone), value, rtol=1e-4, atol=1e-5)


# Latents and sentences.


@pytest.mark.parametrize(
    "changes", [{}, {"model__every_step": False, "model__cell": "rnn", "model__layers": 2}]
)
def test_decoding_step_by_step_is_reading_the_whole(changes):
    """Logits of `prefill` and `decode_step` give the sums that evaluation gives from one pass."""
    family = make(**changes)
    state = begun(family)
    logits, cache = family.prefill(state, X)
    from_latents, _ = family.prefill_codes(state, family.encode(state, X))
    np.testing.assert_allclose(logits, from_latents, rtol=1e-6)
    assert all(leaf.shape[0] == ROWS for leaf in jax.tree.leaves(cache))
    nll = np.zeros(ROWS)
    for t in range(T):
        log_p = np.asarray(jax.nn.log_softmax(logits))[np.arange(ROWS), X[:, t]]
        nll -= np.where(X[:, t] == PAD, 0, log_p)
        logits, cache = family.decode_step(state, cache, X[:, t])
    sums = evaluation(family, state)
    np.testing.assert_allclose(nll.sum(), sums["reconstruction"], rtol=1e-5)


def test_reconstructions_are_greedy_texts_of_the_codes():
    family = make(**VARIATIONAL)
    state = begun(family)
    found = family.reconstruct(state, X)
    assert found.shape == (ROWS, T) and found.dtype == jnp.int32
    decoder = decoder_of(family, state)
    np.testing.assert_array_equal(found, generate(decoder, X, jax.random.key(9), GREEDY, T, size=T))
    np.testing.assert_array_equal(found, family.decode(state, family.encode(state, X)))


def test_interpolations_begin_and_end_with_the_reconstructions():
    family = make()
    state = begun(family)
    found = family.interpolate(state, X, X[::-1], np.array([0, 0.5, 1], np.float32))
    assert found.shape == (ROWS, 3, T)
    ends = family.reconstruct(state, X)
    np.testing.assert_array_equal(found[:, 0], ends)
    np.testing.assert_array_equal(found[:, 2], ends[::-1])
    half = (family.encode(state, X) + family.encode(state, X[::-1])) / 2
    np.testing.assert_array_equal(found[:, 1], family.decode(state, half))


def test_variants_differ_by_key_and_stay_sentences():
    for changes in (NOISY, VARIATIONAL):
        family = make(**changes)
        state = begun(family)
        first, again, other = (family.augment(state, jax.random.key(i), X) for i in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert first.shape == (ROWS, T) and (first != other).any()
        ended = jnp.cumsum(first == EOS, 1) - (first == EOS)
        assert ((first == PAD) == (ended > 0)).all()


def test_only_the_variational_form_has_a_prior_and_posteriors():
    plain, variational = make(), make(**VARIATIONAL)
    assert not plain.has_prior and variational.has_prior
    assert not isinstance(plain, HasPosterior) and isinstance(variational, HasPosterior)
    mean, _ = variational.posterior(begun(variational), X)
    np.testing.assert_array_equal(mean, variational.encode(begun(variational), X))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__latent_dim": 0}, r"model\.latent_dim=0: must be at least 1"),
        ({"model__pooling": "sum"}, r"model\.pooling='sum': must be one of mean, max, last"),
        ({"loss__drop": 1.5}, r"loss\.drop=1\.5: must be between 0 and 1"),
        ({"loss__swap": -1}, r"loss\.swap=-1"),
        ({**VARIATIONAL, "loss__kl_annealing": "cosine"}, "constant, linear, sigmoid, cyclical"),
        ({**VARIATIONAL, "loss__kl_annealing": "linear"}, r"kl_annealing_steps=0: must be at .* 1"),
        ({"loss__free_bits": 0.5}, r"loss\.free_bits=0\.5: needs loss\.variational"),
        ({"data__packed": True}, r"data\.packed=True: must be False"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        make(**changes)


def test_other_data_are_refused():
    c = text_autoencoder.default_config()
    c.steps = 10
    with pytest.raises(ConfigError, match="must be sentences"):
        text_autoencoder.build(c, SPEC._replace(kind="text"), 10)
