"""Fields that several families declare: what does not fit is refused by name."""

import pytest

from genjax.core.config import ConfigError
from genjax.families._checks import check_halvings, check_level, check_unet


@pytest.mark.parametrize(
    ("channels", "patch", "shape", "message"),
    [
        ((4, 4), 2, (10, 8, 1), "divisible by 4, not 10x8"),
        ((4,), 0, (8, 8, 1), "model.patch=0: must be at least 1"),
        ((), 1, (8, 8, 1), "at least one resolution"),
        ((4, 0), 1, (8, 8, 1), "at least 1"),
        ((4,), 1, (2,), "needs images, not points"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(channels, patch, shape, message):
    with pytest.raises(ConfigError, match=message):
        check_unet(channels, patch, shape)


@pytest.mark.parametrize(
    ("channels", "shape", "message"),
    [
        ((4, 4), (10, 8, 1), r"config.a=\(4, 4\): 2 halvings need .* divisible by 4, not 10x8"),
        ((), (8, 8, 1), "0 halvings"),
        ((4, 0), (8, 8, 1), "at least 1"),
        ((4,), (2,), "needs images, not points"),
    ],
)
def test_images_that_cannot_be_halved_are_refused(channels, shape, message):
    with pytest.raises(ConfigError, match=message):
        check_halvings("a", channels, shape)


def test_a_level_of_noise_is_a_probability_unless_it_is_gaussian():
    with pytest.raises(ConfigError, match=r"config\.a\.b=1\.5: .* at most 1"):
        check_level("a.b", "masking", 1.5)
    with pytest.raises(ConfigError, match=r"config\.a\.b=-1"):
        check_level("a.b", "gaussian", -1)
    check_level("a.b", "gaussian", 1.5)
