"""The distances equal torch-fidelity's on the same features, from golden values and from itself."""

import pytest

from genjax.evaluation.image.fid import Moments, frechet_distance
from genjax.evaluation.image.inception_score import inception_score
from genjax.evaluation.image.kid import kernel_distance
from genjax.evaluation.image.prdc import prdc
from tests.evaluation import features


@pytest.fixture(scope="module")
def ours():
    real, fake = features.real(), features.fake()
    return {
        "fid": frechet_distance(Moments.of(real), Moments.of(fake)),
        **kernel_distance(real, fake, subset_size=100),
        **inception_score(features.softmax(features.logits())),
        **prdc(real, fake, k=3),
    }


@pytest.mark.parametrize("name", features.GOLDEN)
def test_number_equals_the_golden_value(name, ours):
    assert ours[name] == pytest.approx(features.GOLDEN[name], rel=1e-9)


def test_golden_values_are_those_of_torch_fidelity():
    pytest.importorskip("torch_fidelity", reason="torch-fidelity is not installed")
    # It averages precision and recall in float32.
    assert features.torch_fidelity_numbers() == pytest.approx(features.GOLDEN, rel=1e-7)
