"""Variational autoencoders: the scale of their terms, their bounds, labels and binarization."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import losses
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.families import vae

SPEC = DataSpec("image", (4, 4, 1), num_classes=3)
ROWS = 6
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (ROWS, *SPEC.shape)).astype(np.float32) / 255
LABELS = np.arange(ROWS, dtype=np.int32) % 3
BATCH = {"x": X, "label": LABELS, "mask": np.ones(ROWS, np.float32)}


def make(**changes):
    c = vae.default_config()
    c.steps = 10
    c.batch_size = ROWS
    c.model.update(latent_dim=5, encoder_hidden=(7,), decoder_hidden=(7,))
    c.update_from_flattened_dict({name.replace("__", "."): v for name, v in changes.items()})
    return vae.build(c, SPEC, 10)


def first_step(family, **params):
    """The state before and after a step, and its metrics; `params` are set before."""
    state = family.init(jax.random.key(0))
    state = state.replace(params=state.params | params)
    after, metrics = jax.jit(family.step)(state, BATCH)
    return state, after, metrics


def evaluation(family, state, batch=BATCH):
    sums = dict(jax.jit(family.evaluate)(state, batch))
    count = sums.pop("count")
    return {name: np.asarray(value) / count for name, value in sums.items()}


def kernels(params, value):
    """All weights zero; the last bias of the encoder gives every latent's mean and log-variance."""
    params = jax.tree.map(jnp.zeros_like, params)
    params["encoder"]["Dense_1"]["bias"] = jnp.repeat(jnp.float32(value), 5)
    return params


def test_terms_are_summed_over_pixels_and_latents_and_averaged_over_the_batch():
    """With zero weights every pixel costs log 2 and the KL is known: no factor is left open."""
    family = make()
    mean, log_variance = 0.7, -1.2
    state = family.init(jax.random.key(0))
    state = state.replace(params=kernels(state.params, [mean, log_variance]))
    _, metrics = jax.jit(family.step)(state, BATCH)
    each = 0.5 * (mean**2 + math.exp(log_variance) - 1 - log_variance)
    np.testing.assert_allclose(metrics["reconstruction"], 16 * math.log(2), rtol=1e-5)
    np.testing.assert_allclose(metrics["kl"], 5 * each, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], 16 * math.log(2) + 5 * each, rtol=1e-5)
    means = evaluation(family, state)
    np.testing.assert_allclose(means["kl_per_latent"], [each] * 5, rtol=1e-5)
    np.testing.assert_allclose(means["elbo"], -float(metrics["loss"]), rtol=1e-5)


def test_gradient_of_the_loss_is_that_of_the_bound_with_the_same_noise():
    """Kingma and Welling 2014, equation 10, written out for an MLP."""
    state, after, _ = first_step(make(optimizer__name="sgd", optimizer__b1=0.0))

    def bound(params, noise):
        def layers(p, h):
            h = jax.nn.relu(h @ p["Dense_0"]["kernel"] + p["Dense_0"]["bias"])
            return h @ p["Dense_1"]["kernel"] + p["Dense_1"]["bias"]

        code = layers(params["encoder"], X.reshape(ROWS, -1))
        mean, log_variance = code[:, :5], code[:, 5:]
        logits = layers(params["decoder"], mean + jnp.exp(log_variance / 2) * noise)
        p = jax.nn.sigmoid(logits)
        x = X.reshape(ROWS, -1)
        log_likelihood = (x * jnp.log(p) + (1 - x) * jnp.log(1 - p)).sum(1)
        kl = -0.5 * (1 + log_variance - mean**2 - jnp.exp(log_variance)).sum(1)
        return (kl - log_likelihood).mean()

    from genjax.core.random import step_key

    noise = jax.random.normal(step_key(state, 0), (ROWS, 1, 5))[:, 0]
    gradient = jax.grad(bound)(state.params, noise)
    moved = jax.tree.map(lambda a, b: (a - b) / 1e-3, state.params, after.params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-3), moved, gradient)


def test_beta_weighs_the_kl_and_warms_up():
    plain, beta, warm = (
        first_step(make(**changes))[2]
        for changes in (
            {},
            {"loss__kl_weight": 4.0},
            {"loss__kl_weight": 4.0, "loss__kl_warmup_steps": 8},
        )
    )
    for metrics, weight in ((plain, 1.0), (beta, 4.0), (warm, 0.5)):
        expected = metrics["reconstruction"] + weight * metrics["kl"]
        np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)


def test_free_bits_leave_the_posterior_alone_below_the_threshold():
    family = make(loss__free_bits=100.0)
    state, _, metrics = first_step(family)
    np.testing.assert_allclose(metrics["loss"], metrics["reconstruction"] + 500, rtol=1e-5)
    zeroed = kernels(state.params, [0.7, -1.2])  # the decoder ignores z: only the KL could pull
    after = jax.jit(family.step)(state.replace(params=zeroed), BATCH)[0]
    np.testing.assert_array_equal(
        after.params["encoder"]["Dense_1"]["bias"], zeroed["encoder"]["Dense_1"]["bias"]
    )


def test_importance_weighted_loss_of_more_draws_is_a_tighter_bound():
    means = []
    for k in (1, 50):
        family = make(loss__importance_samples=k)
        state, step = family.init(jax.random.key(0)), jax.jit(family.step)
        starts = [state.replace(step=jnp.int32(i)) for i in range(20)]
        means.append(np.mean([step(start, BATCH)[1]["loss"] for start in starts]))
    assert means[1] < means[0]


def test_evaluation_orders_elbo_and_importance_weighted_bound():
    family = make(loss__eval_samples=50)
    means = evaluation(family, family.init(jax.random.key(1)))
    assert means["iwae_50"] > means["elbo"]
    np.testing.assert_allclose(means["elbo"], -means["reconstruction"] - means["kl"], rtol=1e-5)
    np.testing.assert_allclose(means["kl"], means["kl_per_latent"].sum(), rtol=1e-5)


def test_active_units_are_those_whose_mean_varies():
    family = make()
    square = np.array([1.0, 1.0, 0.02, 4.0])
    mean = np.array([0.0, 0.999, 0.0, 2.0])
    means = {"mean_per_latent": mean, "squared_mean_per_latent": square, "kl": 3.0}
    assert family.summary(means) == {"kl": 3.0, "active_units": 2}
    population = {name: np.stack([v, v]) for name, v in means.items()}
    np.testing.assert_array_equal(family.summary(population)["active_units"], [2, 2])


@pytest.mark.parametrize("likelihood", ["gaussian", "discretized_logistic"])
@pytest.mark.parametrize("learned", [True, False])
def test_scale_is_learned_or_fixed(likelihood, learned):
    family = make(loss__likelihood=likelihood, loss__scale=0.2, loss__learned_scale=learned)
    state, after, _ = first_step(family)
    assert ("log_scale" in state.params) == learned
    if learned:
        assert math.isclose(float(state.params["log_scale"]), math.log(0.2), rel_tol=1e-6)
        assert after.params["log_scale"] != state.params["log_scale"]
    params = kernels(state.params, [0.0, 0.0]) | {
        n: p for n, p in state.params.items() if n == "log_scale"
    }
    means = evaluation(family, state.replace(params=params))
    of = losses.gaussian_log_likelihood
    if likelihood == "discretized_logistic":
        of = losses.discretized_logistic_log_likelihood
    expected = -of(np.full_like(X, 0.5), X, math.log(0.2)).mean()
    np.testing.assert_allclose(means["reconstruction"], expected, rtol=1e-5)


def test_binarized_targets_are_binary_and_drawn_anew():
    drawn = make(loss__binarize="dynamic", optimizer__learning_rate=0.0)
    state = drawn.init(jax.random.key(0))
    step = jax.jit(drawn.step)
    losses_at = [
        float(step(state.replace(step=jnp.int32(i)), BATCH)[1]["reconstruction"]) for i in (0, 0, 1)
    ]
    assert losses_at[0] == losses_at[1] != losses_at[2]
    # x is 1 with probability x, and a fixed threshold cuts at it.
    x = np.full((1000, *SPEC.shape), 0.3, np.float32)
    x[:, 0, 0, 0] = np.arange(1000) / 4096  # equal examples would have equal noise
    batch = {"x": x, "mask": np.ones(1000, np.float32)}
    for binarize, share in (("dynamic", x.mean()), ("fixed", 0.0)):
        family = make(loss__binarize=binarize, loss__eval_samples=1)
        state = family.init(jax.random.key(0))
        certain = kernels(state.params, [0.0, 0.0])
        certain["decoder"]["Dense_1"]["bias"] += 3.0  # log p(1) = -log(1 + e^-3)
        means = evaluation(family, state.replace(params=certain), batch)
        cost = 16 * (math.log1p(math.exp(-3)) + 3 * (1 - share))
        np.testing.assert_allclose(means["reconstruction"], cost, rtol=0.02)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_conditional_model_uses_labels_on_both_sides(network):
    family = make(
        model__conditional=True,
        model__network=network,
        model__encoder_channels=(3,),
        model__decoder_channels=(3,),
    )
    state = family.init(jax.random.key(0))
    same = np.repeat(X[:1], 3, 0)
    codes = np.asarray(family.encode(state, same, jnp.arange(3)))
    assert len(np.unique(codes.round(6), axis=0)) == 3
    z = jnp.zeros((4, 5))
    images = np.asarray(family.decode(state, z))
    assert (images[0] == images[3]).all() and not np.allclose(images[0], images[1])
    np.testing.assert_array_equal(images, family.decode(state, z, jnp.arange(4) % 3))
    at_two = family.sample_at(state, jax.random.key(3), jnp.full(4, 2))
    assert at_two.shape == (4, *SPEC.shape)
    with pytest.raises(ValueError, match="label_B: missing"):
        family.encode(state, X)


def test_samples_of_a_conditional_model_go_through_the_classes():
    family = make(model__conditional=True)
    state = family.init(jax.random.key(0))
    key = jax.random.key(7)
    expected = family.sample_at(state, key, jnp.arange(8) % 3)
    np.testing.assert_array_equal(family.sample(state, key, 8), expected)


def test_points_are_modeled_by_a_gaussian():
    c = vae.default_config()
    c.steps, c.loss.likelihood = 10, "gaussian"
    family = vae.build(c, DataSpec("point", (2,), center=0.0, scale=2.0), 10)
    state = family.init(jax.random.key(0))
    assert family.sample(state, jax.random.key(0), 3).shape == (3, 2)
    _, metrics = jax.jit(family.step)(state, {"x": jnp.full((4, 2), -3.0)})
    assert np.isfinite(metrics["loss"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss__scale": 0.0}, r"loss\.scale=0\.0"),
        ({"loss__eval_samples": 0}, r"loss\.eval_samples=0: must be at least 1"),
        ({"loss__levels": 1}, r"loss\.levels=1: must be at least 2"),
        ({"loss__threshold": 1.0}, r"loss\.threshold=1\.0: must be at least 0 and below 1"),
        ({"model__latent_dim": 0}, r"model\.latent_dim=0"),
        ({"loss__binarize": "dynamic", "loss__likelihood": "gaussian"}, "must be none"),
        ({"loss__importance_samples": 5, "loss__free_bits": 0.1}, r"importance_samples=5"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        make(**changes)
