"""Pictures that a classifier is trained on: moved ones are what they should be."""

import jax
import jax.numpy as jnp
import numpy as np

from genjax.evaluation.image import augmentation


def test_an_axis_is_mirrored_moved_and_zoomed():
    x = jnp.arange(6.0)

    def resampled(scale, offset):
        found = augmentation._interpolation(6, jnp.array([scale]), jnp.array([offset]))
        return (found[0] @ x).tolist()

    assert resampled(1.0, 0.0) == [0, 1, 2, 3, 4, 5]
    assert resampled(-1.0, 0.0) == [5, 4, 3, 2, 1, 0]
    np.testing.assert_allclose(resampled(1.0, 1 / 6), [1, 2, 3, 4, 5, 5], rtol=1e-5)
    np.testing.assert_allclose(resampled(0.5, 0.0), [1.25, 1.75, 2.25, 2.75, 3.25, 3.75], rtol=1e-5)


def test_redrawn_pictures_stay_pictures_and_white_stays_white():
    x = np.ones((50, 7, 12, 3), np.float32)
    x[:, 3, 4:8] = 0.2
    found = np.asarray(augmentation.redrawn(jax.random.key(0), x))
    assert found.shape == x.shape and found.min() >= 0 and found.max() <= 1
    np.testing.assert_allclose(found[:, 0], 1.0, rtol=1e-6)
    assert len(np.unique(found.reshape(50, -1), axis=0)) == 50
