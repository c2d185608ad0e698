"""The hazards of weight clipping: weights at the bounds, gradients that vanish, distance missed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import weight_clipping
from experiments.weight_clipping import layer_norms
from genjax.models.dense import MLP
from tests.experiments.results import read_results

pytestmark = pytest.mark.slow  # a study, if a tiny one

ARGS = ("--data=swiss_roll", "--clips=0.01,0.1", "--seeds=1", "--steps=100")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a short study."""
    folder = tmp_path_factory.mktemp("weight_clipping")
    assert weight_clipping.main([f"--workdir={folder}", *ARGS]) == 0
    return folder


def part(folder, name):
    """The arrays of a finished part, without the axes of one data set and one seed."""
    with np.load(folder / f"{name}.npz") as file:
        return {n: np.squeeze(v) for n, v in file.items()}


def test_clipped_weights_stay_within_the_bounds_and_pile_up_there(finished):
    found = part(finished, "surfaces_clip")
    assert (np.abs(found["weights"]).max(-1) <= np.float32([0.01, 0.1])).all()
    # They began uniformly, with one in a hundred there.
    assert (found["at_bound"] > 0.1).all()
    assert np.isnan(part(finished, "surfaces_penalty")["at_bound"])


def test_gradients_vanish_with_small_clip_values_and_not_with_the_penalty(finished):
    norms = part(finished, "layers_clip")["norms"][:, -1]  # by clip value and layer
    assert norms.shape == (2, 12)
    assert (norms > 0).all()
    assert norms[0, 0] < 1e-8 * norms[0, -1]
    assert norms[0, 0] < 1e-6 * norms[1, 0]
    penalized = part(finished, "layers_penalty")["norms"][-1]
    assert 0.01 < penalized[0] / penalized[-1] < 100


def test_layer_norms_are_those_of_injected_perturbations():
    critic = MLP((5, 4), activation="tanh")
    x = jax.random.normal(jax.random.key(0), (3, 2))
    params = critic.init(jax.random.key(1), x)["params"]

    def value(perturbations, x_D):
        first, second = perturbations
        hidden = jnp.tanh(x_D @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"] + first)
        hidden = hidden @ params["Dense_1"]["kernel"] + params["Dense_1"]["bias"] + second
        last = params["Dense_2"]
        return (jnp.tanh(hidden) @ last["kernel"] + last["bias"])[0]

    gradients = jax.vmap(jax.grad(value), (None, 0))((jnp.zeros(5), jnp.zeros(4)), x)
    expected = [np.linalg.norm(g, axis=1).mean() for g in gradients]
    np.testing.assert_allclose(layer_norms(critic, params, x), expected, rtol=1e-5)
    # Also where the squares of the gradients are below the smallest number of float32.
    tiny = params | {"Dense_2": {"kernel": 1e-30 * params["Dense_2"]["kernel"], "bias": x[0, :1]}}
    np.testing.assert_allclose(layer_norms(critic, tiny, x), 1e-30 * np.array(expected), rtol=1e-4)


@pytest.mark.parametrize("name", weight_clipping.DATA)
def test_pools_are_standardized_and_follow_their_seed(name):
    x = weight_clipping.pool(name, 0)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.std(), 1.0, atol=0.05)
    np.testing.assert_array_equal(x, weight_clipping.pool(name, 0))
    assert (x != weight_clipping.pool(name, 1)).any()


def test_a_study_ends_in_a_table_and_pictures_and_others_are_refused(finished, capsys):
    rows = read_results(finished)["Critics of 12 hidden layers"]
    assert [row["critic"] for row in rows] == ["clip 0.01", "clip 0.1", "gradient penalty"]
    for name in ("surfaces", "weights", "layers"):
        assert (finished / f"{name}.png").stat().st_size > 1000
    assert weight_clipping.main([f"--workdir={finished}", *ARGS, "--seed=1"]) == 2
    assert "seed is 0 there, 1 here" in capsys.readouterr().err
