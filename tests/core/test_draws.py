"""Samples drawn in passes are those of one draw, whatever the passes, one run, many or devices."""

import jax
import numpy as np
import pytest

from genjax.core import draws
from genjax.core.family import DataSpec
from genjax.engine.run import prepare
from genjax.trained.model import Model
from tests.contracts import recipes

NAMES = ("vae", "wgan_gp", "flow_matching+mlp+conditional")


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_its_latents_decoded_and_passes_change_no_row(name, tmp_path):
    run = prepare(recipes.tiny(name, tmp_path))
    family, key = run.family, jax.random.key(3)
    state = family.init(jax.random.key(0))
    whole = np.asarray(jax.jit(lambda: family.sample(state, key, 47))())
    decoded = jax.jit(lambda: family.decode(state, family.latents(state, key, 47)))()
    np.testing.assert_array_equal(decoded, whole)
    for most in (10, 20, 40):
        found = jax.jit(lambda most=most: draws.draw(family, state, key, 47, most))()
        np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)
        assert len(found) == 47
    within = jax.jit(lambda: draws.draw(family, state, key, 47, 47))()
    np.testing.assert_array_equal(within, whole)  # no passes, no other bits


def test_labels_go_with_their_rows(tmp_path):
    run = prepare(recipes.tiny("flow_matching+mlp+conditional", tmp_path))
    family, key = run.family, jax.random.key(3)
    state, label = family.init(jax.random.key(0)), np.arange(23) % 3
    whole = family.sample_at(state, key, label)
    found = draws.draw(family, state, key, 23, 10, label)
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("executor", ["scan", "vmap", "sharded"])
def test_a_run_and_its_model_draw_in_passes_what_they_draw_at_once(executor, tmp_path, monkeypatch):
    changes = {"num_seeds": 2} if executor == "vmap" else {}
    found = []
    for most in (1024, 10):
        monkeypatch.setattr(draws, "_MOST", most)
        run = prepare(recipes.tiny("wgan_gp", tmp_path, executor=executor, **changes))
        state = run.executor.init()
        model = Model(run, state, 0, run.executor.num_members)
        found.append((run.executor.sample(state, 34), model.sample(34), model.sample(34, seed=5)))
    at_once, in_passes = found
    for a, b in zip(at_once, in_passes):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(at_once[0], at_once[1])


def test_a_pass_is_bounded_by_examples_members_and_classes():
    small, colour = DataSpec("image", (28, 28, 1), 10), DataSpec("image", (64, 64, 3))
    assert draws.pass_size(small, 0) == 1030 and draws.pass_size(small, 3) == 350
    assert draws.pass_size(colour, 0) == 170 and draws.pass_size(colour, 400) == 1
    assert draws.pass_size(DataSpec("point", (2,)), 32) == 32768
