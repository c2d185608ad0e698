"""Wasserstein against Jensen-Shannon: the exact values, and what trained networks make of them."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from experiments import wasserstein
from experiments.wasserstein import SIGMA, exact, penalized_w1
from tests.experiments.results import read_results

pytestmark = pytest.mark.slow  # a study, if a tiny one

THETAS = np.array(wasserstein.THETAS)
ARGS = ("--moved=lines", "--dimensions=2", "--seeds=1", "--steps=200")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a short study."""
    folder = tmp_path_factory.mktemp("wasserstein")
    assert wasserstein.main([f"--workdir={folder}", *ARGS]) == 0
    return folder


def part(folder, name):
    """The arrays of a finished part, without the axis of one seed."""
    with np.load(folder / f"{name}.npz") as file:
        return {n: np.squeeze(v, 1) for n, v in file.items()}


@pytest.mark.parametrize("theta", [-1.0, -0.1, 0.05, 0.3])
def test_divergences_of_moved_gaussians_equal_their_integrals(theta):
    p, q = stats.norm(0, SIGMA), stats.norm(theta, SIGMA)

    def integral(function):
        ends = (min(0, theta) - 10 * SIGMA, max(0, theta) + 10 * SIGMA)
        return integrate.quad(function, *ends, points=[theta / 2], limit=500)[0]

    def term(a, m, x):
        return a.pdf(x) * (a.logpdf(x) - m)

    def js(x):
        m = np.logaddexp(p.logpdf(x), q.logpdf(x)) - math.log(2)
        return (term(p, m, x) + term(q, m, x)) / 2

    found = exact("gaussians", theta)
    assert found["w1"] == abs(theta)
    np.testing.assert_allclose(found["js"], integral(js), rtol=1e-6)
    np.testing.assert_allclose(found["kl"], integral(lambda x: term(p, q.logpdf(x), x)), rtol=1e-6)
    tv = integral(lambda x: abs(p.pdf(x) - q.pdf(x)) / 2)
    np.testing.assert_allclose(found["tv"], tv, rtol=1e-6)


@pytest.mark.parametrize("moved", wasserstein.MOVED)
def test_nothing_moved_is_at_no_distance(moved):
    assert all(value == pytest.approx(0, abs=1e-12) for value in exact(moved, 0.0).values())


def test_between_lines_only_wasserstein_tells_how_far():
    near, far = exact("lines", 0.01), exact("lines", 1.0)
    assert (near["w1"], far["w1"]) == (0.01, 1.0)
    assert near["js"] == far["js"] == math.log(2)
    assert near["tv"] == far["tv"] == 1
    assert near["kl"] == far["kl"] == math.inf


@pytest.mark.parametrize("moved", wasserstein.MOVED)
def test_transport_between_samples_of_the_plane_is_near_the_exact_distance(moved):
    found = wasserstein.transport_of_moved(moved, (0.25, -1.0), (0, 1))["transport"]
    np.testing.assert_allclose(found, [[0.25, 0.25], [1.0, 1.0]], rtol=0.05)


def test_critics_find_the_distance_and_the_way(finished):
    found = part(finished, "lines_wasserstein")
    expected = [penalized_w1(theta) for theta in THETAS]
    np.testing.assert_allclose(found["estimate"][:, -1], expected, rtol=0.05, atol=0.02)
    # Downhill is back to theta = 0, at about the same speed from near and from far.
    moved = THETAS != 0
    slopes = found["gradient_wasserstein"][moved, -1]
    np.testing.assert_allclose(slopes, np.sign(THETAS[moved]), rtol=0.1)


def test_discriminators_are_sure_of_every_distance_and_their_gradient_vanishes(finished):
    found, far = part(finished, "lines_minimax"), np.abs(THETAS) >= 0.25
    np.testing.assert_allclose(found["estimate"][far, -1], math.log(2), rtol=0.02)
    slopes = np.abs(found["gradient_minimax"][far])
    assert (slopes[:, -1] < 0.1 * slopes.max(1)).all()


def test_critics_on_draws_and_on_samples_are_near_the_exact_distances(finished):
    (row,) = read_results(finished)["Gaussians at distance 1"]
    found = {name: value["mean"] for name, value in row.items() if name != "dimension"}
    assert found["transport_same"] < 0.3 < found["transport"]
    assert found["critic_on_draws"] == pytest.approx(1.0, abs=0.15)
    assert found["critic_on_samples"] == pytest.approx(found["transport"], abs=0.15)


def test_a_part_that_is_gone_is_computed_again_and_no_other(finished, capsys):
    first = read_results(finished)
    assert [row["theta"] for row in first["Moved lines"]] == list(wasserstein.THETAS)
    for name in ("lines", "lines_training", "dimensions"):
        assert (finished / f"{name}.png").stat().st_size > 1000
    (finished / "dimension_2.npz").unlink()
    assert wasserstein.main([f"--workdir={finished}", *ARGS]) == 0
    computed = [x for x in capsys.readouterr().out.splitlines() if x.startswith("computing")]
    assert computed == ["computing dimension_2"]
    assert read_results(finished) == first
