"""Several tasks: their losses, weights and projected gradients, held against float64 by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from genjax.core.config import ConfigError
from genjax.core.random import step_key
from genjax.engine.run import prepare
from genjax.families import _gradient_surgery as surgery
from genjax.families import multitask

RNG = np.random.default_rng(0)
TARGET = np.array([[1, -1, 0], [-1, 2, -1], [0, -1, 1], [3, 1, -1], [-1, -1, 0]], np.int32)


def config(method="fixed", **changes):
    c = multitask.default_config()
    c.update({"steps": 4, "batch_size": 16})
    c.model.hidden, c.loss.method = 8, method
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return c.lock()


@functools.cache
def made(method, **changes):
    family = prepare(config(method, **changes)).family
    return family, family.init(jax.random.key(0))


def given():
    x = jnp.asarray(RNG.uniform(size=(len(TARGET), 8, 8, 1)), jnp.float32)
    target = jnp.asarray(np.minimum(TARGET, [9, 3, 1]))
    return {"x": x, "target": target}


def errors(family, params, batch):
    """L_t by hand, float64 (T,), and the share of examples that each task is asked of."""
    logits = [np.asarray(z, np.float64) for z in family.logits(params, batch["x"])]
    target = np.asarray(batch["target"])
    each = [
        [-log_softmax(z[b])[target[b, t]] if target[b, t] >= 0 else 0.0 for b in range(len(target))]
        for t, z in enumerate(logits)
    ]
    return np.mean(each, 1), (target >= 0).mean(0)


def test_fixed_weights_weigh_the_means_over_the_batch():
    family, state = made("fixed", loss__weights=(1.0, 0.5, 2.0))
    batch = given()
    value, metrics = family.tasks_loss(state.params, *family.inputs(state, batch))
    expected, _ = errors(family, state.params, batch)
    np.testing.assert_allclose(value, expected @ [1, 0.5, 2], rtol=1e-6)
    assert metrics["loss"] == value


def test_uncertainty_is_the_loss_of_kendall_and_has_its_minimum_where_it_says():
    family, state = made("uncertainty")
    batch, s = given(), np.array([0.3, -0.7, 1.1])
    params = state.params | {"log_variances": jnp.asarray(s, jnp.float32)}
    rows, shared = family.inputs(state, batch)
    value, metrics = family.tasks_loss(params, rows, shared)
    loss, share = errors(family, params, batch)
    np.testing.assert_allclose(value, (np.exp(-s) * loss + share * s / 2).sum(), rtol=1e-6)
    np.testing.assert_allclose(metrics["weight_rotation"], np.exp(0.7), rtol=1e-6)

    def slope(s):
        own = params | {"log_variances": jnp.asarray(s, jnp.float32)}
        return jax.grad(lambda p: family.tasks_loss(p, rows, shared)[0])(own)["log_variances"]

    np.testing.assert_allclose(slope(s), share / 2 - np.exp(-s) * loss, rtol=1e-5)
    np.testing.assert_allclose(slope(np.log(2 * loss / share)), 0, atol=1e-6)


def by_hand(gradients, orders):
    """Algorithm 1 of Yu et al. 2020, of vectors."""
    total = np.zeros_like(gradients[0])
    for i, order in enumerate(orders):
        g = gradients[i].copy()
        for j in order:
            if j != i and g @ gradients[j] < 0:
                g -= g @ gradients[j] / (gradients[j] @ gradients[j]) * gradients[j]
        total += g
    return total


@pytest.mark.parametrize("tasks", [1, 2, 5])
def test_projected_gradients_are_those_of_algorithm_1(tasks):
    conflicting = 0
    for seed in range(20):
        g = np.random.default_rng(seed).normal(size=(tasks, 6))
        with jax.enable_x64(True):
            orders = surgery.draw_orders(jax.random.key(seed), tasks)
            tree = {"a": jnp.asarray(g[:, :4].reshape(tasks, 2, 2)), "b": jnp.asarray(g[:, 4:])}
            products = surgery.inner_products(tree)
            weights = np.asarray(surgery.projection_weights(products, orders))
            conflicting += float(surgery.conflicts(products)) > 0
        np.testing.assert_allclose(products, g @ g.T, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(
            weights @ g, by_hand(g, np.asarray(orders)), rtol=1e-9, atol=1e-9
        )
        assert (np.sort(orders, 1) == np.arange(tasks)).all()
    assert conflicting == 0 if tasks == 1 else conflicting > 5


def test_a_gradient_of_nothing_changes_none():
    products = jnp.array([[1.0, 0.0], [0.0, 0.0]])
    orders = surgery.draw_orders(jax.random.key(0), 2)
    np.testing.assert_array_equal(surgery.projection_weights(products, orders), [1, 1])


def test_a_step_projects_in_the_order_of_its_key_and_the_shared_network_alone():
    sgd = {"optimizer__name": "sgd", "optimizer__b1": 0.0, "optimizer__learning_rate": 1.0}
    family, state = made("pcgrad", **sgd)
    batch = given()
    rows, shared = family.inputs(state, batch)

    def own(params, t):
        return family.task_losses(params, rows, shared)[t]

    each = [jax.grad(own)(state.params, t) for t in range(3)]
    flat = [jax.flatten_util.ravel_pytree(g["encoder"])[0] for g in each]
    orders = surgery.draw_orders(step_key(state, 1), 3)
    expected = by_hand(np.asarray(flat, np.float64), np.asarray(orders))
    after, metrics = family.step(state, batch)
    moved = jax.tree.map(lambda a, b: a - b, state.params, after.params)
    found, _ = jax.flatten_util.ravel_pytree(moved["encoder"])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    for name in family.heads:
        together = sum(np.asarray(g[name]["kernel"]) for g in each)
        np.testing.assert_allclose(moved[name]["kernel"], together, rtol=1e-3, atol=1e-5)
    assert metrics["conflicts"] in np.arange(4) / 3
    later = [
        surgery.draw_orders(step_key(state.replace(step=state.step + i), 1), 3) for i in (1, 2)
    ]
    assert any((o != orders).any() for o in later)


def test_evaluation_tells_each_task_over_its_own_examples():
    family, state = made("fixed")
    batch = given() | {"mask": jnp.array([1.0, 1, 1, 1, 0])}
    sums = {n: np.asarray(v) for n, v in family.evaluate(state, batch).items()}
    means = {n: v / sums["count"] for n, v in sums.items()}
    found = family.summary(means)
    right = np.stack([z.argmax(-1) for z in family.logits(state.params, batch["x"])], -1)
    target = np.asarray(batch["target"])
    for t, name in enumerate(family.tasks):
        asked = (target[:4, t] >= 0).nonzero()[0]
        expected = (right[asked, t] == target[asked, t]).mean()
        np.testing.assert_allclose(found[f"accuracy_{name}"], expected)
    np.testing.assert_allclose(
        found["accuracy"], np.mean([found[f"accuracy_{n}"] for n in family.tasks])
    )


@pytest.mark.parametrize("network", ["bag", "recurrent"])
def test_texts_of_several_tasks_make_a_step(network, tmp_path):
    lines = [f"word{i} of {n}\t{n}\n" for n in ("a/x", "a/y", "b/x", "b/z") for i in range(4)]
    (tmp_path / "texts.tsv").write_text("".join(lines))
    c = multitask.text_config()
    c.data.update(name=f"tsv:{tmp_path}/texts.tsv", tasks=("b", "a"), length=5, test_fraction=0.25)
    c.data.cache_dir = str(tmp_path / "cache")
    c.update({"steps": 2, "batch_size": 8})
    c.model.update(network=network, hidden=4, embed_dim=4)
    family = prepare(c.lock()).family
    state = family.init(jax.random.key(0))
    batch = {"x": jnp.ones((8, 5), jnp.int32), "target": jnp.tile(jnp.array([[0, -1]]), (8, 1))}
    after, metrics = family.step(state, batch)
    assert np.isfinite(metrics["loss"]) and family.classify(after, batch["x"]).shape == (8, 2)
    moved = jax.tree.map(lambda a, b: (a != b).any(), state.params, after.params)
    assert moved["head_b"]["bias"] and not moved["head_a"]["bias"]  # nobody asked for a


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"loss__weights": (1.0,)},
            "loss.weights=.*: must be a number of at least 0 for each of 3 tasks",
        ),
        ({"loss__weights": (0.0, 0.0, 0.0)}, "not all 0"),
        (
            {"method": "uncertainty", "loss__weights": (1.0, 1.0, 1.0)},
            "loss.weights=.*: must be empty with loss.method=uncertainty",
        ),
        ({"model__network": "bag"}, "model.network='bag': must be mlp or conv for pictures"),
        ({"model__layers": 0}, "model.layers=0: must be at least 1"),
        (
            {"model__layers": 1, "model__dropout": 0.1},
            "model.dropout=0.1: must be 0 with model.network=mlp and model.layers=1",
        ),
        (
            {"model__network": "conv", "model__dropout": 0.1},
            "model.dropout=0.1: must be 0 with model.network=conv",
        ),
        ({"data__tasks": ()}, r"data.tasks=\(\): must be at least one"),
        ({"data__temperature": 0.0}, "data.temperature=0.0: must be above 0"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        prepare(config(**changes))
