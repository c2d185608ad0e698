"""Residual networks of GANs: against float64 written out, in both layouts, differentiated twice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from genjax import losses
from genjax.models.attention import PixelAttention
from genjax.models.critic_head import CriticHead
from genjax.models.norms import ConditionalBatchNorm, GroupNorm
from genjax.models.r3gan import R3Critic, R3Generator
from genjax.models.resnet import ResNetCritic, ResNetGenerator

RNG = np.random.default_rng(0)
LABELS = np.array([2, 0, 1], np.int32)
X, Z = RNG.normal(size=(3, 4, 4, 2)), RNG.normal(size=(3, 5))


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def drawn(variables):
    """Parameters that are nowhere zero, so that no layer hides another."""
    return jax.tree.map(lambda p: jnp.asarray(0.3 * RNG.normal(size=p.shape)), variables)


def conv(p, x, groups=1):
    y = jax.lax.conv_general_dilated(
        x, p["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )  # fmt: skip
    return y + p.get("bias", 0.0)


def pooled(x):
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def doubled(x):
    return x.repeat(2, 1).repeat(2, 2)


relu = jax.nn.relu


def test_the_critic_is_that_of_the_paper():
    critic = ResNetCritic((3, 4), plain_blocks=1, lowering="stock", dtype=jnp.float64)
    p = drawn(critic.init(jax.random.key(0), X))["params"]
    first, second, short = p["Conv_0"], p["ConvPool_0"], p["Conv_1"]
    x = pooled(conv(second, relu(conv(first, X)))) + conv(short, pooled(X))
    first, second, short = p["Conv_2"], p["ConvPool_1"], p["Conv_3"]
    x = pooled(conv(second, relu(conv(first, relu(x))))) + conv(short, pooled(x))
    x = x + conv(p["Conv_5"], relu(conv(p["Conv_4"], relu(x))))
    head = p["CriticHead_0"]["Dense_0"]
    expected = (relu(x).mean((1, 2)) @ head["kernel"] + head["bias"])[:, 0]
    np.testing.assert_allclose(critic.apply({"params": p}, X), expected, rtol=1e-10)


def test_the_generator_is_that_of_the_paper():
    generator = ResNetGenerator((3, 4), (8, 8, 2), lowering="stock", dtype=jnp.float64)
    variables = generator.init(jax.random.key(0), Z)
    p = drawn(variables["params"])
    norms = iter(range(9))

    def activated(x):
        scale = p[f"Norm_{next(norms)}"]["BatchNorm_0"]
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        return relu((x - mean) / np.sqrt(variance + 1e-5) * scale["scale"] + scale["bias"])

    x = (Z @ p["Dense_0"]["kernel"] + p["Dense_0"]["bias"]).reshape(3, 2, 2, 4)
    for i in range(2):
        h = conv(p[f"RepeatConv_{i}"], doubled(activated(x)))
        h = conv(p[f"Conv_{2 * i}"], activated(h))
        x = h + doubled(conv(p[f"Conv_{2 * i + 1}"], x))
    expected = conv(p["Conv_4"], activated(x))
    found, _ = generator.apply(
        {"params": p, "batch_stats": variables["batch_stats"]}, Z, train=True,
        mutable=["batch_stats"],
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)  # statistics: float32


def test_a_block_of_r3gan_is_an_identity_until_it_has_learned():
    critic = R3Critic((4,), group_size=4, dtype=jnp.float64)
    p = critic.init(jax.random.key(0), X)["params"]
    last = [n for n in p if n.startswith("Conv_") and not np.any(p[n]["kernel"])]
    assert len(last) == 4  # two blocks at each of two sizes
    kernels = {p[n]["kernel"].shape for n in p if n.startswith("Conv_")}
    assert kernels == {(1, 1, 2, 4), (1, 1, 4, 8), (3, 3, 4, 8), (1, 1, 8, 4)}


@pytest.mark.parametrize("name", ["plain", "projection", "auxiliary", "r3gan"])
def test_both_layouts_compute_the_same(name):
    options = {
        "plain": {"norm": "layer", "attention": 2},
        "projection": {"condition": "projection", "num_classes": 3, "resampling": "blur"},
        "auxiliary": {"condition": "auxiliary", "num_classes": 3},
    }
    found = []
    for lowering in ("stock", "matmul"):
        if name == "r3gan":
            critic = R3Critic((4,), 4, "projection", 3, lowering, jnp.float64)
            generator = R3Generator((4,), (4, 4, 2), 4, 3, lowering, jnp.float64)
        else:
            shared = options[name] | {"lowering": lowering, "dtype": jnp.float64}
            critic = ResNetCritic((8,), 1, **shared)
            shared.pop("condition", None)
            shared["norm"] = "batch"
            generator = ResNetGenerator((8,), (4, 4, 2), **shared)
        rng, outputs = np.random.default_rng(3), []
        for network, x in ((critic, X), (generator, Z)):
            variables = network.init(jax.random.key(0), x, LABELS)
            params = jax.tree.map(lambda p: rng.normal(size=p.shape), variables["params"])  # noqa: B023
            outputs += jax.tree.leaves(network.apply({**variables, "params": params}, x, LABELS))
        found.append(outputs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-8), *found)


LAYERS = {
    "attention": (PixelAttention({"batch_last": False, "dtype": jnp.float64}), ()),
    "layer norm": (GroupNorm(groups=1, dtype=jnp.float64), ()),
    "conditional batch norm": (ConditionalBatchNorm(3, dtype=jnp.float64), (LABELS,)),
    "resnet": (ResNetCritic((2,), 1, activation="silu", dtype=jnp.float64), ()),
    "blurred resnet": (
        ResNetCritic((2,), 0, activation="silu", resampling="blur", norm="layer", attention=2,
                     dtype=jnp.float64), (),
    ),
    "r3gan": (R3Critic((2,), 2, dtype=jnp.float64), ()),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_second_derivatives_of_every_layer_are_those_of_differences(name):
    layer, labels = LAYERS[name]
    train = {"train": False} if "batch" in name else {}
    variables = layer.init(jax.random.key(0), X, *labels, **train)
    params = drawn(variables["params"])

    def f(params, x):
        y = layer.apply({**variables, "params": params}, x, *labels, **train)
        return jnp.sin(y).sum()

    check_grads(jax.jit(f), (params, X), order=2, modes=["rev"], eps=1e-4)


@pytest.mark.parametrize("name", ["resnet", "blurred resnet", "r3gan"])
def test_both_forms_of_the_penalty_have_equal_gradients(name):
    critic, _ = LAYERS[name]
    params = drawn(critic.init(jax.random.key(0), X)["params"])

    def penalty(params, formulation):
        score = lambda x: critic.apply({"params": params}, x)  # noqa: E731
        return losses.input_gradient_penalty(score, X, formulation=formulation).mean()

    both = jax.jit(jax.value_and_grad(penalty), static_argnums=1)
    one, other = (both(params, form) for form in losses.FORMULATIONS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-10), one, other)


def test_the_head_projects_features_on_the_class_or_guesses_it():
    features = jnp.asarray(RNG.normal(size=(3, 4)))
    head = CriticHead("projection", 3, jnp.float64)
    p = drawn(head.init(jax.random.key(0), features, LABELS))["params"]
    plain = features @ p["Dense_0"]["kernel"][:, 0] + p["Dense_0"]["bias"]
    of_class = p["Embed_0"]["embedding"][LABELS]
    expected = plain + np.einsum("bf,bf->b", of_class, features)
    found = head.apply({"params": p}, features, LABELS)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    with pytest.raises(ValueError, match="label_B"):
        head.apply({"params": p}, features)
    for generator in (ResNetGenerator((4,), (4, 4, 2), 3), R3Generator((4,), (4, 4, 2), 4, 3)):
        with pytest.raises(ValueError, match="label_B"):
            generator.init(jax.random.key(0), Z)
    guessing = CriticHead("auxiliary", 3)
    score, logits = guessing.init_with_output(jax.random.key(0), features)[0]
    assert score.shape == (3,) and logits.shape == (3, 3)


def test_scales_of_a_class_are_applied_to_its_examples():
    norm = ConditionalBatchNorm(3, dtype=jnp.float64)
    variables = norm.init(jax.random.key(0), X, LABELS, train=True)
    params = drawn(variables["params"])
    y, _ = norm.apply(
        {**variables, "params": params}, X, LABELS, train=True, mutable=["batch_stats"]
    )
    normal = (X - X.mean((0, 1, 2))) / np.sqrt(X.var((0, 1, 2)) + 1e-5)
    scale, shift = (params[n][LABELS][:, None, None] for n in ("scale", "shift"))
    np.testing.assert_allclose(
        y, normal * scale + shift, rtol=1e-5, atol=1e-7
    )  # statistics are float32
