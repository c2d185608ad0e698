"""The autoencoder's options do in a step what their papers say, and nothing in evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import losses
from genjax.core.capabilities import uses
from genjax.core.family import DataSpec
from genjax.core.random import step_key
from genjax.data.corruption import corrupt
from genjax.families import autoencoder

SPEC = DataSpec("image", (4, 4, 1), num_classes=10)
X = jax.random.uniform(jax.random.key(7), (16, 4, 4, 1))
SIGMOID = {"model__code_activation": "sigmoid"}


def family(**changes):
    c = autoencoder.default_config()
    c.update({"steps": 10, "batch_size": 16})
    c.model.update({"latent_dim": 3, "encoder_hidden": (5,), "decoder_hidden": (5,)})
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return autoencoder.build(c, SPEC, 10)


def metrics_of_a_step(f, state, x=X):
    return jax.jit(f.step)(state, {"x": x})[1]


def evaluation(f, state):
    return f.evaluate(state, {"x": X, "mask": jnp.ones(len(X))})


@pytest.mark.parametrize("kind", ["gaussian", "masking", "salt_and_pepper"])
def test_the_input_is_corrupted_and_the_target_is_clean(kind):
    f = family(loss__corruption=kind, loss__corruption_level=0.4)
    state = f.init(jax.random.key(0))
    corrupted = corrupt(X, step_key(state, 1), kind, 0.4)
    output = f.reconstruct(state, corrupted)
    logits = jnp.log(output) - jnp.log1p(-output)
    expected = losses.bernoulli_cross_entropy(logits, X).mean()
    wrong = losses.bernoulli_cross_entropy(logits, jnp.clip(corrupted, 0, 1)).mean()
    loss = metrics_of_a_step(f, state)["reconstruction"]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert abs(loss - wrong) > 1e-4


@pytest.mark.parametrize("kind", ["gaussian", "masking", "salt_and_pepper"])
def test_nothing_is_corrupted_in_evaluation(kind):
    clean, noisy = family(), family(loss__corruption=kind, loss__corruption_level=0.9)
    state = clean.init(jax.random.key(0))
    for name, value in evaluation(clean, state).items():
        assert evaluation(noisy, state)[name] == value
    for name in uses(clean) - {"sample"}:
        z = jnp.zeros((2, 3)) if name == "decode" else X
        found = [getattr(f, name)(state, z) for f in (clean, noisy)]
        jax.tree.map(np.testing.assert_array_equal, *found)


def test_corruption_differs_from_step_to_step():
    f = family(loss__corruption="masking", loss__corruption_level=0.5)
    state = f.init(jax.random.key(0))
    later = state.replace(step=state.step + 1)
    assert metrics_of_a_step(f, state)["loss"] != metrics_of_a_step(f, later)["loss"]


def test_sparsity_is_the_divergence_of_the_batch_means_of_the_code():
    f = family(loss__sparsity_weight=0.5, loss__sparsity_target=0.1, **SIGMOID)
    state = f.init(jax.random.key(0))
    rate = np.asarray(f.encode(state, X), np.float64).mean(0)
    expected = (0.1 * np.log(0.1 / rate) + 0.9 * np.log(0.9 / (1 - rate))).sum()
    metrics = metrics_of_a_step(f, state)
    np.testing.assert_allclose(metrics["sparsity"], expected, rtol=1e-5)
    np.testing.assert_allclose(
        metrics["loss"], metrics["reconstruction"] + 0.5 * expected, rtol=1e-5
    )
    np.testing.assert_allclose(evaluation(f, state)["activation_rate"], 16 * rate.mean(), rtol=1e-5)


def test_contraction_is_that_of_the_encoders_jacobian_at_clean_examples():
    f = family(loss__contraction=0.5, loss__corruption="masking", model__dropout=0.5)
    state = f.init(jax.random.key(0))
    encode = f.encode
    jacobian = jax.vmap(jax.jacrev(lambda x: encode(state, x[None])[0]))(X)
    each = jnp.square(jacobian).sum((1, 2, 3, 4))
    np.testing.assert_allclose(metrics_of_a_step(f, state)["contraction"], each.mean(), rtol=1e-4)
    np.testing.assert_allclose(evaluation(f, state)["contraction"], each.sum(), rtol=1e-4)


@pytest.mark.parametrize(
    ("option", "watched"),
    [
        ({"loss__sparsity_weight": 1.0, **SIGMOID}, "activation_rate"),
        ({"loss__contraction": 1.0}, "contraction"),
    ],
)
def test_what_an_option_holds_small_becomes_small(option, watched):
    f = family(optimizer__learning_rate=0.02, **option)
    state, step = f.init(jax.random.key(0)), jax.jit(f.step)
    before = evaluation(f, state)[watched]
    for _ in range(60):
        state, _ = step(state, {"x": X})
    assert evaluation(f, state)[watched] < 0.5 * before


def test_samples_of_a_sigmoid_code_decode_codes_between_0_and_1():
    f = family(**SIGMOID)
    state = f.init(jax.random.key(0))
    code = jax.nn.sigmoid(jax.random.normal(jax.random.key(1), (4, 3)))
    expected = f.decode(state, code)
    np.testing.assert_allclose(f.sample(state, jax.random.key(1), 4), expected, rtol=1e-6)
