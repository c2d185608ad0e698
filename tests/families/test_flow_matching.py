"""Flow matching: it learns known flows, guidance and evaluation are what they are called."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.family import DataSpec
from genjax.families import flow_matching

POINTS = DataSpec("point", (2,), center=0.0, scale=3.0)
LABELED = DataSpec("image", (4, 4, 1), num_classes=3)


def family(spec, **changes):
    c = flow_matching.default_config()
    c.update({"steps": 10, "batch_size": 64})
    c.model.update({"network": "mlp", "hidden": (32, 32), "features": 16})
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return flow_matching.build(c, spec, c.steps)


def scrambled(state, seed=0):
    rng = np.random.default_rng(seed)
    return state.replace(
        params=jax.tree.map(lambda p: p + 0.3 * rng.normal(size=p.shape), state.params)
    )


MEAN, FACTOR = np.array([1.0, -2.0]), np.array([[2.0, 0.0], [1.5, 0.5]])


@pytest.fixture(scope="module")
def fitted():
    """A field that has learned a correlated Gaussian."""
    f = family(
        POINTS,
        steps=2000,
        batch_size=256,
        optimizer__learning_rate=3e-3,
        optimizer__schedule="linear",
        sampler__likelihood_steps=40,
        ema_decay=0.99,
    )

    def step(state, key):
        x = MEAN + jax.random.normal(key, (256, 2)) @ FACTOR.T
        return f.step(state, {"x": x})

    keys = jax.random.split(jax.random.key(1), 2000)
    return f, jax.jit(lambda s: jax.lax.scan(step, s, keys)[0])(f.init(jax.random.key(0)))


@pytest.mark.slow
def test_samples_of_a_gaussian_have_its_mean_and_covariance(fitted):
    f, state = fitted
    x = np.asarray(f.sample(state, jax.random.key(3), 4000))
    np.testing.assert_allclose(x.mean(0), MEAN, atol=0.15)
    np.testing.assert_allclose(np.cov(x.T), FACTOR @ FACTOR.T, atol=0.35)


@pytest.mark.slow
def test_likelihood_of_a_gaussian_is_its_entropy(fitted):
    f, state = fitted
    x = MEAN + np.random.default_rng(0).normal(size=(2000, 2)) @ FACTOR.T
    sums = jax.jit(f.evaluate)(state, {"x": jnp.asarray(x, jnp.float32), "mask": jnp.ones(2000)})
    entropy = 1 + np.log(2 * np.pi) + np.log(np.linalg.det(FACTOR))
    assert float(sums["nll"] / 2000) == pytest.approx(entropy, abs=0.1)


def test_the_flow_goes_there_and_back(fitted):
    f, state = fitted
    noise = jax.random.normal(jax.random.key(5), (50, 2))
    x = f.decode(state, noise)
    np.testing.assert_allclose(f.encode(state, x), noise, atol=0.05)


def test_evaluation_is_the_same_for_every_batching_and_differs_between_examples():
    f = family(POINTS, sampler__likelihood_steps=2)
    state = scrambled(f.init(jax.random.key(0)))
    x = jax.random.normal(jax.random.key(1), (6, 2))
    evaluate = jax.jit(f.evaluate)

    def sums(x):
        return {k: float(v) for k, v in evaluate(state, {"x": x, "mask": jnp.ones(len(x))}).items()}

    whole, parts = sums(x[::-1]), [sums(x[i : i + 1]) for i in range(6)]
    for name, value in whole.items():
        assert value == pytest.approx(sum(p[name] for p in parts), rel=1e-5)
    assert len({p["loss"] for p in parts}) == 6


def test_images_are_clipped_and_points_are_not():
    f = family(LABELED)
    state = scrambled(f.init(jax.random.key(0)))
    x = f.sample(state, jax.random.key(0), 8)
    assert x.shape == (8, 4, 4, 1) and x.min() == 0 and x.max() <= 1
    g = family(POINTS)
    assert g.sample(scrambled(g.init(jax.random.key(0))), jax.random.key(0), 8).min() < 0


CONDITIONAL = {"model__conditional": True, "sampler__steps": 3}


def test_classes_come_in_turn_and_make_a_difference():
    f = family(LABELED, **CONDITIONAL)
    state, key = scrambled(f.init(jax.random.key(0))), jax.random.key(2)
    x = f.sample(state, key, 6)
    turns = jnp.arange(6) % 3
    np.testing.assert_allclose(f.sample_at(state, key, turns), x, rtol=1e-5)
    other = f.sample_at(state, key, (turns + 1) % 3)
    assert (jnp.abs(other - x).max((1, 2, 3)) > 1e-3).all()


def test_guidance_goes_from_no_class_through_the_class_beyond_it():
    """With one Euler step the sample is linear in the guidance: 0 is no class, 1 the class."""
    spec = DataSpec("point", (2,), num_classes=3, center=0.0, scale=1.0)
    one = CONDITIONAL | {"sampler__steps": 1, "sampler__method": "euler"}
    families = {w: family(spec, **one, sampler__guidance=w) for w in (0.0, 1.0, 3.0)}
    state = scrambled(families[1.0].init(jax.random.key(0)))
    noise, label = jax.random.normal(jax.random.key(1), (5, 2)), jnp.array([0, 1, 2, 0, 1])
    x = {w: f.decode(state, noise, label) for w, f in families.items()}
    nobody = families[1.0].decode(state, noise, jnp.full(5, 3))
    np.testing.assert_allclose(x[0.0], nobody, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(x[3.0], nobody + 3 * (x[1.0] - nobody), rtol=1e-4, atol=1e-4)


def test_labels_are_dropped_in_training_alone():
    """With nearly all labels dropped, the class a step is told makes almost no difference."""
    batch = {"x": jax.random.uniform(jax.random.key(0), (64, 4, 4, 1)), "mask": jnp.ones(64)}
    f = family(LABELED, model__conditional=True, loss__label_dropout=0.999)
    state = scrambled(f.init(jax.random.key(0)))
    step = jax.jit(f.step)
    a, b = (batch | {"label": jnp.full(64, c)} for c in (0, 1))
    np.testing.assert_allclose(step(state, a)[1]["loss"], step(state, b)[1]["loss"], rtol=1e-2)
    assert f.evaluate(state, a)["loss"] != f.evaluate(state, b)["loss"]
