"""Continual learning: what each method keeps of a task, held against computations by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from genjax import losses
from genjax.core.config import ConfigError
from genjax.core.random import data_key
from genjax.engine.run import prepare
from genjax.families import _continual_penalties as penalties
from genjax.families import _episodic_memory as episodic
from genjax.families import continual
from genjax.families._continual_fields import METHODS, SCENARIOS
from genjax.families._continual_scenarios import Scenario
from genjax.models.dense import MLP
from tests.contracts.trees import leaves

RNG = np.random.default_rng(0)
EACH = 6  # steps of a task


def config(method="none", scenario="class", **changes):
    c = continual.default_config()
    c.update({"steps": 5 * EACH, "batch_size": 16, "log_every": EACH})
    c.data.update(steps_per_task=EACH, joint=method == "joint")
    c.loss.update(method=method, scenario=scenario, budget=3, fisher_steps=2)
    c.model.hidden, c.generator.hidden, c.generator.latent_dim = (8, 8), (8,), 3
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return c


def tree(*shape, positive=False):
    draw = (lambda s: RNG.uniform(0.1, 2, s)) if positive else (lambda s: RNG.normal(size=s))
    return {"a": jnp.asarray(draw(shape)), "b": jnp.asarray(draw(shape[:1]))}


def flat(t):
    return np.concatenate([np.ravel(np.asarray(x, np.float64)) for x in jax.tree.leaves(t)])


def test_fisher_information_is_that_of_each_examples_gradients():
    network, x = MLP((5, 4), (3,)), jnp.asarray(RNG.normal(size=(6, 7)), jnp.float32)
    params = network.init(jax.random.key(0), x)["params"]
    params = jax.tree.map(lambda p: p + 0.1, params)  # biases as well

    def log_p(params, x):
        return jax.nn.log_softmax(network.apply({"params": params}, x[None])[0][:2])

    each = jax.vmap(jax.jacrev(log_p), (None, 0))(params, x)
    p = np.exp(jax.vmap(log_p, (None, 0))(params, x))

    def expected(g):
        return np.einsum("bc,bc...->...", p, np.square(np.asarray(g, np.float64))) / len(x)

    found = penalties.fisher_information(network, params, x, lambda logits, _: logits[:, :2])
    assert jax.tree.structure(found) == jax.tree.structure(params)
    np.testing.assert_allclose(flat(found), flat(jax.tree.map(expected, each)), rtol=2e-5)


def test_penalties_of_several_tasks_are_one_around_their_weighted_mean():
    with jax.enable_x64(True):
        centers, weights = [tree(3, 2) for _ in range(3)], [tree(3, 2, positive=True)] * 2
        weights.append({"a": jnp.zeros((3, 2)), "b": jnp.ones(3)})  # where nothing matters
        zeros = jax.tree.map(jnp.zeros_like, centers[0])
        total, anchor = zeros, tree(3, 2)
        for center, weight in zip(centers, weights):
            total, anchor = penalties.joined(total, anchor, weight, center)
        theta = tree(3, 2)
        gradient = jax.grad(losses.quadratic_penalty)(theta, anchor, total)
        each = [jax.grad(losses.quadratic_penalty)(theta, *pair) for pair in zip(centers, weights)]
        np.testing.assert_allclose(flat(gradient), sum(map(flat, each)), rtol=1e-12)
    w = sum(flat(w) * (flat(theta) - flat(c)) for c, w in zip(centers, weights))
    np.testing.assert_allclose(flat(gradient), 2 * w, rtol=1e-12)


def test_a_gem_projects_what_would_raise_the_kept_loss():
    with jax.enable_x64(True):
        g, r = tree(4, 2), tree(4, 2)
        if flat(g) @ flat(r) > 0:
            r = jax.tree.map(jnp.negative, r)
        found = flat(penalties.projected(g, r))
        a, b = flat(g), flat(r)
        np.testing.assert_allclose(found, a - (a @ b) / (b @ b) * b, rtol=1e-12)
        assert abs(found @ b) < 1e-12
        helps = jax.tree.map(jnp.negative, r)
        np.testing.assert_array_equal(flat(penalties.projected(g, helps)), a)
        zeros = jax.tree.map(jnp.zeros_like, r)
        np.testing.assert_array_equal(flat(penalties.projected(g, zeros)), a)


def test_the_path_integral_of_si_is_what_the_loss_has_fallen_by():
    """Of small steps down the same loss; of each parameter alone against its own sum."""
    sgd = {"optimizer__name": "sgd", "optimizer__b1": 0.0, "optimizer__learning_rate": 0.003}
    long = {"data__steps_per_task": 1000, "steps": 5000}
    family = prepare(config("si", "domain", **sgd, **long).lock()).family
    state, rng = family.init(jax.random.key(0)), np.random.default_rng(1)
    batch = {
        "x": jnp.asarray(rng.uniform(size=(16, 8, 8, 1)), jnp.float32),
        "label": jnp.asarray(rng.integers(0, 10, 16), jnp.int32),
        "task": jnp.zeros(16, jnp.int32),
    }
    step = jax.jit(family.step)
    before, by_hand = state, 0.0
    slope = jax.jit(jax.grad(lambda p, s: family.classifier_loss(p, *family.inputs(s, batch))[0]))
    value = lambda s: family.classifier_loss(s.params, *family.inputs(s, batch))[0]  # noqa: E731
    for _ in range(50):
        gradient, old = slope(state.params, state), state.params
        state, _ = step(state, batch)
        by_hand = by_hand - flat(gradient) * (flat(state.params) - flat(old))
    path = flat(state.variables["running"])
    np.testing.assert_allclose(path, by_hand, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(path.sum(), value(before) - value(state), rtol=0.05)
    start, moved = before.params["classifier"], state.params["classifier"]
    omega = penalties.path_importance(state.variables["running"], start, moved, 0.1)
    expected = np.maximum(path, 0) / ((flat(moved) - flat(start)) ** 2 + 0.1)
    np.testing.assert_allclose(flat(omega), expected, rtol=1e-5)


def test_the_path_begins_where_another_run_ended():
    family = prepare(config("si", "domain").lock()).family
    state = family.init(jax.random.key(0))
    taken = jax.tree.map(lambda p: p + 1.0, state.params)
    rows = {"x": jnp.ones((16, 8, 8, 1)), "label": jnp.arange(16) % 10, "task": jnp.zeros(16, int)}
    step = jax.jit(family.step)
    first = step(state.replace(params=taken), rows)[0]
    second = step(first, rows)[0]
    for found in (first, second):
        np.testing.assert_array_equal(flat(found.variables["anchor"]), flat(taken["classifier"]))


def test_a_whole_state_brings_the_seed_that_dealt_out_its_classes():
    other = config(seed=5)
    assert continual.adopt(config(start__what="state"), other) == {"seed": 5}
    assert continual.adopt(config(start__what="state", start__member=2), other) == {"seed": 7}
    assert continual.adopt(config(start__what="params"), other) == {}


@pytest.mark.parametrize("name", SCENARIOS)
def test_errors_of_a_scenario_are_those_by_hand(name):
    scenario, rows = Scenario(name, num_tasks=3, classes=2), 5
    outputs = {"task": 6, "domain": 2, "class": 6}[name]
    assert scenario.outputs == outputs
    logits, teacher = (RNG.normal(size=(rows, outputs)).astype(np.float32) for _ in range(2))
    task, label = RNG.integers(0, 2, rows), RNG.integers(0, 2, rows)
    found = scenario.label_error(jnp.asarray(logits), jnp.asarray(task), jnp.asarray(label), 2)
    parts = {"task": lambda b: slice(2 * task[b], 2 * task[b] + 2), "domain": lambda b: slice(2)}
    part = parts.get(name, lambda b: slice(4))  # class: those of two tasks
    at = lambda b: 2 * task[b] + label[b] if name == "class" else label[b]  # noqa: E731
    expected = [-log_softmax(logits[b, part(b)].astype(np.float64))[at(b)] for b in range(rows)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)

    def soft(student, teacher, temperature=2.0):
        p = softmax(teacher / temperature)
        q = log_softmax(student / temperature)[: len(p)]
        return temperature**2 * (p * (np.log(p) - q)).sum()

    # three tasks so far: of the first two there is a teacher
    far = scenario.teacher_error(jnp.asarray(logits), jnp.asarray(teacher), None, 3, 2.0)
    hard = scenario.teacher_error(jnp.asarray(logits), jnp.asarray(teacher), None, 3, 0.0)
    for b in range(rows):
        s, t = logits[b].astype(np.float64), teacher[b].astype(np.float64)
        if name == "task":
            pairs = [(s[:2], t[:2]), (s[2:4], t[2:4])]
        else:
            pairs = [(s, t)] if name == "domain" else [(s, t[:4])]
        np.testing.assert_allclose(far[b], np.mean([soft(*p) for p in pairs]), rtol=1e-5, atol=1e-6)
        expected = np.mean([-log_softmax(s)[t.argmax()] for s, t in pairs])
        np.testing.assert_allclose(hard[b], expected, rtol=1e-5)

    der = scenario.logit_error(jnp.asarray(logits), jnp.asarray(teacher), jnp.asarray(task))
    for b in range(rows):
        own = part(b) if name == "task" else slice(None)
        expected = np.mean((logits[b, own] - teacher[b, own]) ** 2)
        np.testing.assert_allclose(der[b], expected, rtol=1e-5)


def test_a_reservoir_keeps_each_row_with_the_same_probability():
    rows, size, batch, trials = 40, 5, 8, 4000

    def fill(key):
        memory = episodic.empty(2, size, {"x": jax.ShapeDtypeStruct((), jnp.int32)})
        for first in range(0, rows, batch):
            number = jnp.arange(first, first + batch)
            uniform = jax.random.uniform(jax.random.fold_in(key, first), (batch,))
            memory = episodic.insert(memory, {"x": number}, number % 2, uniform)
        return memory

    memory = jax.jit(jax.vmap(fill))(jax.random.split(jax.random.key(0), trials))
    assert (memory["seen"] == rows // 2).all()
    kept = np.asarray(memory["rows"]["x"])
    assert (kept[:, :size] % 2 == 0).all() and (kept[:, size:] % 2 == 1).all()
    assert all(len(set(row)) == 2 * size for row in kept)
    share = np.bincount(kept.ravel(), minlength=rows) / trials
    expected = size / (rows // 2)
    error = np.sqrt(expected * (1 - expected) / trials)
    assert np.abs(share - expected).max() < 4 * error


def test_rows_are_drawn_from_the_first_groups_alone():
    memory = episodic.empty(3, 4, {"x": jax.ShapeDtypeStruct((), jnp.int32)})
    uniform = jax.random.uniform(jax.random.key(0), (200, 2))
    assert not episodic.draw(memory, jnp.int32(0), uniform)["x"].any()
    group = jnp.array([0, 0, 1, 1, 1, 2])
    memory = episodic.insert(memory, {"x": 10 + jnp.arange(6)}, group, jnp.zeros(6))
    drawn = np.asarray(episodic.draw(memory, jnp.int32(2), uniform)["x"])
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [10, 11, 12, 13, 14]
    assert abs(counts[:2].sum() - 100) < 35  # groups have the same probability


def test_ewc_holds_still_while_it_estimates_and_then_anchors_there():
    run = prepare(config("ewc").lock())
    moved, _ = run.executor.run(run.executor.init(), 0, EACH - 2)
    after, _ = run.executor.run(jax.tree.map(jnp.copy, moved), EACH - 2, 2)
    assert_same(after.params, moved.params)
    assert_same(after.variables["anchor"], moved.params["classifier"])
    assert flat(after.variables["importance"]).max() > 0
    assert not flat(after.variables["running"]).any()
    assert (flat(moved.variables["importance"]) == 0).all()


def assert_same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


def test_der_keeps_the_logits_that_an_example_had_when_it_was_seen():
    run = prepare(config("der", loss__budget=100).lock())
    state = run.executor.init()
    first = run.family
    plan = run.dataset.train.plan(data_key(state.key), np.uint32(0), 1, (16,))
    arrays = jax.tree.map(jnp.asarray, run.dataset.train.arrays)
    batch = run.dataset.train.fetch(arrays, jax.tree.map(lambda a: a[0], plan))
    expected = first.logits(state.params, batch["x"])
    after, metrics = jax.jit(first.step)(state, batch)
    memory = after.variables["memory"]
    np.testing.assert_array_equal(memory["rows"]["x"][:16], batch["x"])
    np.testing.assert_allclose(memory["rows"]["logits"][:16], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(metrics["loss"], metrics["current"], rtol=1e-6)  # nothing was kept


@functools.cache
def evaluated(method, scenario):
    run = prepare(config(method, scenario).lock())
    state = run.executor.init()
    for first in range(0, 2 * EACH, EACH):
        state, metrics = run.executor.run(state, first, EACH)
    return run, state, metrics, run.executor.evaluate(state)


# Each method in one scenario; those of every scenario are the recipes' contracts.
CASES = [(m, SCENARIOS[i % 3]) for i, m in enumerate(METHODS)]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "scenario"), CASES)
def test_every_method_learns_two_tasks(method, scenario):
    _, state, metrics, evaluation = evaluated(method, scenario)
    assert all(np.isfinite(x).all() for x in leaves(state).values())
    assert all(np.isfinite(x).all() for x in metrics.values())
    each = [evaluation[f"accuracy_task_{t + 1}"] for t in range(5)]
    known = each if method == "joint" else each[:2]
    np.testing.assert_allclose(evaluation["accuracy"], np.mean(known))
    if scenario == "class" and method != "joint":
        assert max(each[2:]) == 0  # of classes that were not seen none is found
    if "previous" in state.variables:
        assert_same(state.variables["previous"], state.params["classifier"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data__steps_per_task": 7}, r"data.steps_per_task=7: times data.num_tasks=5 must be"),
        ({"data__num_tasks": 3, "steps": 18}, "data.num_tasks=3: must divide the 10 classes"),
        ({"data__joint": True}, "data.joint=True: must be false with loss.method=none"),
        ({"loss__weight": 1.0}, "loss.weight=1.0: is of ewc, online_ewc, si; must be 0"),
        ({"loss__method": "ewc", "loss__fisher_steps": 6}, "must be below data.steps_per_task=6"),
        ({"data__name": "ring"}, "data.name=ring has no labels"),
    ],
)
def test_what_excludes_each_other_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        prepare(config(**changes).lock())
