"""The family `gan`: a step is the algorithm as written down, and nothing moves that should not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.core.random import step_key
from genjax.families import gan
from genjax.ops.spectral import power_iteration
from tests.contracts import recipes

SPEC = DataSpec("point", (3,), center=0.2, scale=2.0)
BATCH, LATENT, TOTAL = 8, 2, 10
RATE = 0.05


def make_config(**changes):
    """Dense networks of one hidden layer, plain gradient descent; two critic updates a step."""
    c = gan.default_config()
    c.steps, c.batch_size = TOTAL, BATCH
    c.model.update(latent_dim=LATENT, generator_hidden=(5,), critic_hidden=(6,))
    c.model.update(generator_activation="tanh", critic_activation="tanh")
    c.loss.n_critic = 2
    for section in ("optimizer", "critic_optimizer"):
        c[section].update(name="sgd", learning_rate=RATE, b1=0.0, schedule="constant")
    c.update_from_flattened_dict({f.replace("__", "."): v for f, v in changes.items()})
    return c


def make(**changes):
    """Family, initial state and a batch."""
    family = gan.build(make_config(**changes), SPEC, TOTAL)
    state = family.init(jax.random.key(0))
    x = np.random.default_rng(1).normal(size=(*family.batch_shape, 3)).astype(np.float32)
    return family, state, {"x": jnp.asarray(x)}


def network(params, x):
    """One hidden layer with tanh, as two matrix products."""
    first, last = params["Dense_0"], params["Dense_1"]
    return jnp.tanh(x @ first["kernel"] + first["bias"]) @ last["kernel"] + last["bias"]


def normalized(params, vectors):
    """Each kernel over ||W^T u||."""
    return {
        name: {
            "kernel": p["kernel"] / jnp.linalg.norm(p["kernel"] @ vectors[name]["kernel"]),
            "bias": p["bias"],
        }
        for name, p in params.items()
    }


def by_hand(state, x, config):
    """Parameters after a step: Gulrajani et al. 2017, algorithm 1, without scan or concatenation.

    The noise is that of the family; everything else is written again.
    """
    m, loss, n = config.model, config.loss, config.loss.n_critic
    g, d = state.params["generator"], state.params["critic"]
    vectors = state.variables["critic"].get("spectral")

    def normal(use, shape, number=None):
        key = step_key(state, use)
        return jax.random.normal(key if number is None else jax.random.split(key, n)[number], shape)

    def packed(x):
        return x.reshape(-1, 3 * m.pack)

    def score(d, x):
        return network(normalized(d, vectors) if m.spectral_norm else d, x)[:, 0]

    def slope(d, x):
        return jax.vmap(jax.grad(lambda one: score(d, one[None])[0]))(x)

    def penalty(d, real, fake, number):
        if loss.penalty == "wgan_gp":
            key = jax.random.split(step_key(state, gan._PENALTY_POINTS), n)[number]
            weight = jax.random.uniform(key, real.shape[:1])[:, None]
            norm = jnp.linalg.norm(slope(d, weight * real + (1 - weight) * fake), axis=1)
            return (norm - loss.target) ** 2
        if loss.penalty == "dragan":
            noise = normal(gan._PENALTY_POINTS, real.shape, number)
            return (jnp.linalg.norm(slope(d, real + loss.perturbation * noise), axis=1) - 1) ** 2
        at = {"none": [], "r1": [real], "r2": [fake], "r1_r2": [real, fake]}[loss.penalty]
        return sum(((slope(d, x) ** 2).sum(1) / 2 for x in at), jnp.zeros(len(real)))

    sigmoid, s = jax.nn.sigmoid, loss.label_smoothing
    critic_losses = {
        "wasserstein": lambda r, f: f - r,
        "hinge": lambda r, f: jnp.maximum(0, 1 - r) + jnp.maximum(0, 1 + f),
        "least_squares": lambda r, f: ((r - 1 + s) ** 2 + f**2) / 2,
        "relativistic": lambda r, f: -jnp.log(sigmoid(r - f)),
        "non_saturating": lambda r, f: (
            -(1 - s) * jnp.log(sigmoid(r)) - s * jnp.log(sigmoid(-r)) - jnp.log(sigmoid(-f))
        ),
    }
    generator_losses = {
        "wasserstein": lambda r, f: -f,
        "hinge": lambda r, f: -f,
        "least_squares": lambda r, f: (f - 1) ** 2 / 2,
        "relativistic": lambda r, f: -jnp.log(sigmoid(f - r)),
        "non_saturating": lambda r, f: -jnp.log(sigmoid(f)),
    }
    stddev = loss.instance_noise * (1 - int(state.step) / TOTAL)
    for i in range(n):
        real = packed((x[i] - SPEC.center) / SPEC.scale)
        fake = packed(network(g, normal(gan._CRITIC_NOISE, (BATCH, LATENT), i)))
        real += stddev * normal(gan._REAL_NOISE, real.shape, i)
        fake += stddev * normal(gan._FAKE_NOISE, fake.shape, i)
        if m.spectral_norm:
            vectors = power_iteration(d, vectors)

        def critic_loss(d, real=real, fake=fake, i=i):
            value = critic_losses[loss.adversarial](score(d, real), score(d, fake))
            return (value + loss.penalty_weight * penalty(d, real, fake, i)).mean()

        d = jax.tree.map(lambda p, gradient: p - RATE * gradient, d, jax.grad(critic_loss)(d))
        if loss.clip:
            d = jax.tree.map(lambda p: jnp.clip(p, -loss.clip, loss.clip), d)

    def generator_loss(g):
        fake = packed(network(g, normal(gan._GENERATOR_NOISE, (BATCH, LATENT))))
        fake += stddev * normal(gan._LAST_NOISE, fake.shape)
        return generator_losses[loss.adversarial](score(d, real), score(d, fake)).mean()

    g = jax.tree.map(lambda p, gradient: p - RATE * gradient, g, jax.grad(generator_loss)(g))
    return {"generator": g, "critic": d}


METHODS = {
    "WGAN-GP": {},
    "WGAN": {"loss__penalty": "none", "loss__clip": 0.1},
    "GAN with noise and smooth labels": {
        "loss__adversarial": "non_saturating", "loss__penalty": "none",
        "loss__label_smoothing": 0.1, "loss__instance_noise": 0.5,
    },
    "LSGAN with R1": {"loss__adversarial": "least_squares", "loss__penalty": "r1"},
    "hinge with spectral norm and R2": {
        "loss__adversarial": "hinge", "model__spectral_norm": True, "loss__penalty": "r2",
    },
    "DRAGAN": {"loss__adversarial": "non_saturating", "loss__penalty": "dragan"},
    "R3GAN in packs of two, accumulated": {
        "loss__adversarial": "relativistic", "loss__penalty": "r1_r2", "loss__penalty_weight": 0.3,
        "model__pack": 2, "loss__instance_noise": 0.5, "accumulate_steps": 2,
    },
}  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_a_step_is_the_algorithm_as_written_down(method):
    family, state, batch = make(**METHODS[method])
    state = state.replace(step=jnp.int32(3))
    expected = by_hand(state, batch["x"], make_config(**METHODS[method]))
    new, _ = jax.jit(family.step)(state, batch)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6), new.params, expected
    )
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), new.params, state.params)
    assert min(moved["generator"]["Dense_0"].values()) > 1e-5


def test_passes_over_one_critic_batch_and_over_all_make_the_same_step(monkeypatch):
    config = make_config(loss__penalty="r1_r2", model__network="conv")
    config.model.update(generator_channels=(3,), critic_channels=(3,), conv_lowering="stock")
    x = jax.random.uniform(jax.random.key(1), (2, BATCH, 4, 4, 1))
    results = []
    for backend in ("cpu", "gpu"):  # convolutions: small passes on the one, wide ones on the other
        with monkeypatch.context() as patch:
            patch.setattr(jax, "default_backend", lambda backend=backend: backend)
            family = gan.build(config, DataSpec("image", (4, 4, 1)), TOTAL)
        state = family.init(jax.random.key(0))
        results.append(jax.jit(family.step)(state, {"x": x})[0].params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), *results)


def test_spectral_vectors_advance_once_a_critic_update_and_never_else():
    family, state, batch = make(
        model__spectral_norm=True,
        loss__adversarial="hinge",
        loss__n_critic=3,
        optimizer__learning_rate=0.0,
        critic_optimizer__learning_rate=0.0,
    )
    expected = state.variables["critic"]["spectral"]
    for _ in range(3):
        expected = power_iteration(state.params["critic"], expected)
    new, _ = jax.jit(family.step)(state, batch)
    found = new.variables["critic"]["spectral"]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found, expected)


def test_weights_are_clipped_from_the_start_and_after_every_update():
    clip = np.float32(0.03)
    family, state, batch = make(
        loss__clip=0.03, loss__penalty="none", critic_optimizer__learning_rate=10.0
    )
    for _ in range(2):
        weights = np.concatenate([np.ravel(p) for p in jax.tree.leaves(state.params["critic"])])
        assert np.abs(weights).max() == clip
        state, _ = jax.jit(family.step)(state, batch)
    assert max(np.abs(p).max() for p in jax.tree.leaves(state.params["generator"])) > clip


def test_instance_noise_has_gone_at_the_end():
    after = []
    for noise in (0.0, 5.0):
        family, state, batch = make(loss__instance_noise=noise)
        state = state.replace(step=jnp.int32(TOTAL))
        after.append(jax.jit(family.step)(state, batch)[0].params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), *after)


def test_a_lazy_penalty_is_taken_at_every_kth_update_and_k_times_as_strong():
    family, state, batch = make(loss__n_critic=1, loss__penalty_every=2)
    strong, _ = make(loss__n_critic=1, loss__penalty_weight=2.0)[:2]
    free, _ = make(loss__n_critic=1, loss__penalty="none")[:2]
    for step, other in ((4, strong), (5, free)):
        state = state.replace(step=jnp.int32(step))
        found, _ = jax.jit(family.step)(state, batch)
        expected, _ = jax.jit(other.step)(state, batch)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
            found.params,
            expected.params,
        )


def test_statistics_of_the_critic_are_those_of_real_examples():
    family, state, batch = make(
        model__critic_norm="batch",
        loss__penalty="none",
        loss__n_critic=1,
        critic_optimizer__learning_rate=0.0,
    )
    new, _ = jax.jit(family.step)(state, batch)
    first = state.params["critic"]["Dense_0"]
    hidden = (batch["x"][0] - SPEC.center) / SPEC.scale @ first["kernel"] + first["bias"]
    [statistics] = jax.tree.leaves(
        new.variables["critic"]["batch_stats"], is_leaf=lambda t: "mean" in t
    )
    np.testing.assert_allclose(statistics["mean"], 0.1 * hidden.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(statistics["var"], 0.9 + 0.1 * hidden.var(0), rtol=1e-4)


def test_statistics_of_the_generator_move_once_a_step_by_its_own_update():
    family, state, batch = make(
        model__generator_norm="batch", loss__n_critic=3, optimizer__learning_rate=0.0
    )
    new, _ = jax.jit(family.step)(state, batch)
    first = state.params["generator"]["Dense_0"]
    z = jax.random.normal(step_key(state, gan._GENERATOR_NOISE), (BATCH, LATENT))
    [statistics] = jax.tree.leaves(
        new.variables["generator"]["batch_stats"], is_leaf=lambda t: "mean" in t
    )
    hidden = z @ first["kernel"] + first["bias"]
    np.testing.assert_allclose(statistics["mean"], 0.1 * hidden.mean(0), rtol=1e-4, atol=1e-6)


def test_scores_and_samples_are_in_the_units_of_the_data():
    family, state, batch = make()
    x = batch["x"][0]
    expected = network(state.params["critic"], (x - SPEC.center) / SPEC.scale)[:, 0]
    np.testing.assert_allclose(family.score(state, x), expected, rtol=1e-5, atol=1e-6)
    z = jax.random.normal(jax.random.key(5), (4, LATENT))
    expected = network(state.params["generator"], z) * SPEC.scale + SPEC.center
    np.testing.assert_allclose(family.decode(state, z), expected, rtol=1e-5, atol=1e-6)


def test_evaluation_packs_what_is_there():
    family, state, batch = make(model__pack=2)
    x, mask = batch["x"][0], jnp.array([1, 0, 1, 1, 0, 1, 1, 0], jnp.float32)
    sums = family.evaluate(state, {"x": x, "mask": mask})
    scores = family.score(state, x[jnp.array([0, 2, 3, 5])])
    assert sums["count"] == 4  # the fifth has no partner
    np.testing.assert_allclose(sums["critic_real"], 2 * scores.sum(), rtol=1e-5)


def test_packs_that_do_not_divide_a_devices_rows_are_refused():
    family, state, batch = make(model__pack=4)
    with pytest.raises(ConfigError, match=r"config.model.pack=4: .* rows of each device"):
        family.step(state, {"x": batch["x"][:, :2]})


@pytest.mark.parametrize("field", ["spectral_norm", "minibatch_stddev"])
def test_kernels_that_begin_at_zero_are_not_normalized(field):
    c = gan.default_config()
    c.loss.penalty = "none"
    c.model.update({"network": "r3gan", "generator_norm": "none", "critic_norm": "none"})
    c.model[field] = True
    with pytest.raises(ConfigError, match=rf"model.{field}=True: must be False with .*=r3gan"):
        gan.build(c, DataSpec("image", (8, 8, 1)), 10)


def load(recipe, argument):
    from genjax.recipes import load

    return load(f"{recipes.CONFIGS / recipe}.py:{argument}")


@pytest.mark.parametrize("mixture", ["grid", "ring"])
def test_the_mixture_recipe_of_wgan_gp_is_that_of_all_methods(mixture):
    one, many = load("wgan_gp_mixture", mixture), load("gan_mixture", f"wgan_gp,{mixture}")
    assert one.to_dict() == many.to_dict()


def test_the_fashion_recipe_of_wgan_gp_is_that_of_all_methods_with_labels():
    by_class = recipes.load("wgan_gp_fashion")
    by_class.model.conditional = False
    assert load("gan_fashion", "wgan_gp").to_dict() == by_class.to_dict()


@pytest.mark.parametrize(
    ("recipe", "argument", "spec"),
    [
        ("gan_mixture", f"{m},ring", DataSpec("point", (2,)))
        for m in ("gan", "pacgan2", "wgan", "r3gan")
    ]
    + [
        ("gan_fashion", m, DataSpec("image", (28, 28, 1)))
        for m in ("wgan", "ns_gan", "hinge_sn", "r3gan")
    ],
)
def test_methods_under_one_budget_share_networks_and_data(recipe, argument, spec):
    config = load(recipe, argument)
    family = gan.build(config, spec, 1)
    base = load(recipe, "wgan_gp,ring" if recipe == "gan_mixture" else "wgan_gp")
    for field in ("batch_size", "data", "ema_decay", "seed", "num_seeds"):
        assert config[field] == base[field]
    if recipe == "gan_mixture":  # pictures share minutes, not updates
        assert config.steps == base.steps
    assert config.loss.n_critic == base.loss.n_critic
    state = jax.eval_shape(family.init, jax.random.key(0))
    expected = jax.eval_shape(gan.build(base, spec, 1).init, jax.random.key(0))
    assert jax.tree.map(jnp.shape, state.params["generator"]) == jax.tree.map(
        jnp.shape, expected.params["generator"]
    )


@pytest.mark.parametrize("recipe", ["gan_mixture", "gan_fashion"])
def test_an_unknown_method_is_told(recipe):
    with pytest.raises(ConfigError, match=rf"{recipe}.py:wgam.*must be.*wgan_gp"):
        load(recipe, "wgam")
