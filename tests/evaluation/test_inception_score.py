"""The form of the Inception score against SciPy's divergence, and at its ends."""

import numpy as np
import pytest
import scipy.special

from genjax.core.config import ConfigError
from genjax.evaluation.image.inception_score import inception_score
from tests.evaluation.features import logits, softmax


def test_one_part_is_the_exponential_of_the_mean_divergence():
    p = softmax(logits())
    divergence = scipy.special.rel_entr(p, p.mean(axis=0)).sum(axis=1).mean()
    found = inception_score(p, splits=1)
    assert found["inception_score"] == pytest.approx(np.exp(divergence), rel=1e-12)
    assert found["inception_score_std"] == pytest.approx(0.0, abs=1e-12)


def test_sure_and_equally_frequent_classes_score_their_number():
    found = inception_score(np.eye(10)[np.arange(200) % 10], splits=1)
    assert found["inception_score"] == pytest.approx(10.0, rel=1e-12)


def test_samples_that_look_alike_score_one():
    collapsed = np.tile(softmax(logits(1)), (50, 1))
    sure = np.tile(np.eye(10)[3], (50, 1))
    for p in (collapsed, sure):
        assert inception_score(p)["inception_score"] == pytest.approx(1.0, rel=1e-12)


def test_parts_of_unequal_size_hold_all_samples():
    found = inception_score(softmax(logits(23)), splits=10)
    assert np.isfinite(list(found.values())).all() and found["inception_score"] >= 1


def test_more_parts_than_samples_are_refused():
    with pytest.raises(ConfigError, match="N at least splits=10"):
        inception_score(softmax(logits(9)))
