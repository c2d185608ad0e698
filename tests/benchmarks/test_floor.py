"""The counted operations against those that the program's own matrix products make."""

import jax
import numpy as np
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

from benchmarks.harness import floor, training
from benchmarks.rows import all_rows
from genjax.families import build
from tests.benchmarks.sides import set_up


def _dot_flops(jaxpr, times=1):
    total = 0.0
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "dot_general":
            (contracted, _), _ = eqn.params["dimension_numbers"]
            k = np.prod([eqn.invars[0].aval.shape[i] for i in contracted])
            total += 2.0 * k * np.prod(eqn.outvars[0].aval.shape) * times
        inner_times = times * eqn.params.get("length", 1)
        for value in jax.tree.leaves(
            list(eqn.params.values()), is_leaf=lambda v: isinstance(v, (Jaxpr, ClosedJaxpr))
        ):
            if isinstance(value, (Jaxpr, ClosedJaxpr)):
                inner = value.jaxpr if isinstance(value, ClosedJaxpr) else value
                total += _dot_flops(inner, inner_times)
    return total


def _step_flops(config, dataset):
    family = build(config, dataset.spec, 10)
    state = jax.eval_shape(lambda: family.init(jax.random.key(0)))
    kind = "float32" if dataset.spec.kind == "image" else "int32"
    batch = {"x": jax.ShapeDtypeStruct((*family.batch_shape, *dataset.spec.shape), kind)}
    return _dot_flops(jax.make_jaxpr(family.step)(state, batch).jaxpr)


@pytest.mark.parametrize(
    "name",
    ["wgan_gp_mlp", "wgan_gp_conv", "wgan_gp_resnet", "dcgan", "autoencoder_torch", "gpt"],
)
def test_counted_operations_are_those_of_the_program(name, monkeypatch):
    row = all_rows()[name]
    made_of = []
    monkeypatch.setattr(training, "timed", lambda *settings, **_: made_of.append(settings))
    size = {"num_tokens": 640} if name == "gpt" else {"num_examples": 640}
    set_up(row.ours, **size)
    updates = 60_000 // 128 if name == "autoencoder_torch" else 1
    counted, made = floor.flops(row.products) / updates, _step_flops(*made_of[0][:2])
    if name == "gpt":  # the one-hot product that looks tokens up, and its gradient: not needed
        made -= 2 * 2.0 * 12 * 64 * 70 * 128
    # The program may make products that its result does not need (a last layer's value).
    assert 0.97 * made <= counted <= made


def test_counts_by_hand():
    two = floor.dense(1, [4, 3, 2])
    assert floor.flops(two) == 2 * (12 + 6)
    assert floor.flops(floor.autoencoder(two)) == 3 * 36 - 24
    # G: 4-3-2, D: 2-5-1: F(G) = 36, F_1(G) = 24, F(D) = 30, F_1(D) = 20, F_L(D) = 10
    critic = floor.dense(1, [2, 5, 1])
    critic_update = 36 + 2 * (3 * 30 - 20) + (30 - 10 + 30) + (30 - 10 + 30)
    generator_update = 3 * 36 - 24 + 2 * 30
    assert floor.flops(floor.wgan_gp(two, critic, 5)) == 5 * critic_update + generator_update
