"""Precision, recall, density and coverage against scikit-learn's neighbors, and on known sets."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from genjax.core.config import ConfigError
from genjax.evaluation.image import prdc as module
from genjax.evaluation.image.prdc import prdc
from tests.evaluation.features import fake, real


def oracle(real, fake, k):
    """The definitions, with scikit-learn's exact neighbors and distances."""

    def radius(x):
        neighbors = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(x)
        return neighbors.kneighbors(x)[0][:, k]

    real, fake = real.astype(np.float64), fake.astype(np.float64)
    apart = np.linalg.norm(real[:, None] - fake[None], axis=-1)
    in_real_ball = apart <= radius(real)[:, None]
    return {
        "precision": in_real_ball.any(axis=0).mean(),
        "recall": (apart <= radius(fake)).any(axis=1).mean(),
        "density": in_real_ball.sum(axis=0).mean() / k,
        "coverage": in_real_ball.any(axis=1).mean(),
    }


@pytest.mark.parametrize("k", [1, 3, 5, 20])
@pytest.mark.parametrize("block", [7, 1024])
def test_numbers_equal_scikit_learns_neighbors(k, block, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", block)
    assert prdc(real(), fake(), k=k) == pytest.approx(oracle(real(), fake(), k), rel=1e-12)


def test_numbers_do_not_change_far_from_the_origin():
    near, far = (prdc(real() + x, fake() + x) for x in (np.float64(0), np.float64(1e5)))
    assert near == pytest.approx(far, abs=0.01)


def test_a_set_against_itself_is_precise_and_covered():
    found = prdc(real(), real())
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)
    # A ball holds its center and k neighbors, the last of them on its border.
    assert 1.0 <= found["density"] <= 1.2


def test_samples_of_one_mode_of_two_are_precise_and_recall_half():
    two = np.concatenate([real(200), real(200) + 100.0])
    found = prdc(two, real(400)[200:])
    assert found["precision"] > 0.7
    assert found["recall"] < 0.5 and found["coverage"] <= 0.5


def test_samples_far_away_score_nothing():
    assert set(prdc(real(), fake() + 1000.0).values()) == {0.0}


@pytest.mark.filterwarnings("ignore:invalid value")
def test_samples_that_are_not_finite_are_in_no_ball():
    bad = fake()
    bad[::2] = np.nan
    found = prdc(real(), bad)
    assert 0 < found["precision"] <= 0.5
    assert all(np.isfinite(value) for value in found.values())
    some = real()
    some[3] = np.nan
    assert prdc(some, fake())["precision"] > 0.5


@pytest.mark.parametrize("k", [0, 6])
def test_fewer_features_than_k_are_refused(k):
    with pytest.raises(ConfigError, match=f"k={k}: must be 1 to 5, below the number of features"):
        prdc(real(), fake(6), k=k)
