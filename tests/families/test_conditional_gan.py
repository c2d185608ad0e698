"""The family `gan` with classes: both networks see the label, or the critic guesses it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import losses
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.families import gan

SPEC = DataSpec("image", (4, 4, 1), num_classes=3)
BATCH = 6


def make(**changes):
    """Family, state and a batch of one critic update."""
    c = gan.default_config()
    c.steps, c.batch_size = 4, BATCH
    c.model.update(network="resnet", latent_dim=2, plain_blocks=0, conditional=True)
    c.model.update(generator_channels=(3,), critic_channels=(3,))
    c.loss.n_critic = 1
    c.update_from_flattened_dict({f.replace("__", "."): v for f, v in changes.items()})
    family = gan.build(c, SPEC, 4)
    state = family.init(jax.random.key(0))
    x = jax.random.uniform(jax.random.key(1), (1, BATCH, 4, 4, 1))
    return family, state, {"x": x, "label": jnp.array([[0, 1, 2, 2, 1, 0]])}


def test_the_critic_judges_each_example_as_one_of_its_class():
    family, state, batch = make()
    rows, shared = family.critic_inputs(state, batch)
    rows = jax.tree.map(lambda a: a[0], rows)
    params, variables = state.params["critic"], shared["variables"]

    def score(x, label):
        return family.critic.apply({"params": params}, x, label)

    label = batch["label"][0]
    real, fake = score(rows["real"], label), score(rows["fake"], label)
    points = losses.interpolate(rows["real"], rows["fake"], rows["position"])
    one = jax.grad(lambda x, y: score(x[None], y[None])[0])
    norm = jax.vmap(jnp.linalg.norm)(jax.jit(jax.vmap(one))(points, label))
    expected = (fake - real).mean() + jnp.square(norm - 1).mean()
    critic_loss = jax.jit(family.critic_loss)
    value, _ = critic_loss(params, rows, {"variables": variables})
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    other = rows | {"label": (label + 1) % 3}
    assert not np.isclose(critic_loss(params, other, shared)[0], value, rtol=1e-4)


def test_an_auxiliary_classifier_learns_from_real_examples_and_teaches_the_generator():
    weights = {"loss__class_weight": 2.0, "loss__generator_class_weight": 0.5}
    family, state, batch = make(model__condition="auxiliary", loss__penalty="none", **weights)
    label = batch["label"][0]
    rows, shared = family.critic_inputs(state, batch)
    rows = jax.tree.map(lambda a: a[0], rows)
    params = state.params["critic"]
    score, logits = family.critic.apply({"params": params}, rows["real"], label)
    fake, _ = family.critic.apply({"params": params}, rows["fake"], label)
    nll = losses.label_cross_entropy(logits, label).mean()
    value, _ = family.critic_loss(params, rows, shared)
    np.testing.assert_allclose(value, (fake - score).mean() + 2 * nll, rtol=1e-5)

    rows, shared = family.generator_inputs(state, batch)
    g = state.params["generator"]
    x, _ = family.generate(g, shared["variables"], rows["z"], label, train=True)
    score, logits = family.critic.apply({"params": params}, x, label)
    expected = -score.mean() + 0.5 * losses.label_cross_entropy(logits, label).mean()
    value, _ = family.generator_loss(g, rows, shared)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_samples_are_of_the_classes_that_are_asked_for():
    family, state, _ = make(model__generator_norm="none")
    key, label = jax.random.key(3), jnp.array([2, 2, 0])
    z = jax.random.normal(key, (3, 2))
    np.testing.assert_array_equal(
        family.sample_at(state, key, label), family.decode(state, z, label)
    )
    np.testing.assert_array_equal(
        family.sample(state, key, 3), family.sample_at(state, key, jnp.arange(3))
    )
    with pytest.raises(ValueError, match="label_B: missing"):
        family.score(state, jnp.zeros((2, 4, 4, 1)))


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("model.conditional=True", {"model__network": "conv"}),
        ("model.pack=2", {"model__pack": 2}),
        ("model.attention=3: must be one of 0, ", {"model__attention": 3}),
        ("model.attention=2", {"model__network": "r3gan", "model__attention": 2}),
        ("model.critic_norm='layer'", {"model__network": "r3gan", "model__critic_norm": "layer"}),
        ("model.condition='guess'", {"model__condition": "guess"}),
        ("model.generator_channels", {"model__generator_channels": (3, 3, 3)}),
    ],
)
def test_what_does_not_go_together_is_refused(field, changes):
    with pytest.raises(ConfigError, match=field):
        make(**changes)
