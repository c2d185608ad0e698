"""genjax's own classifier: sure of real digits, unsure of what is none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from genjax.core.config import ConfigError
from genjax.evaluation.image.classifier import Classifier, sample_quality, train_classifier

pytestmark = pytest.mark.slow  # training one takes a quarter of a minute


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    x, y = (data.images / 16).astype(np.float32)[..., None], data.target
    held_out = np.arange(len(x)) % 6 == 0
    return x[~held_out], y[~held_out], x[held_out], y[held_out]


@pytest.fixture(scope="module")
def classifier(digits):
    return train_classifier(digits[0], digits[1], 10, key=jax.random.key(0))


def test_it_knows_held_out_digits(classifier, digits):
    x, y = digits[2:]
    quality = sample_quality(classifier, x)
    assert classifier.accuracy(x, y) > 0.96
    assert quality["confident"] > 0.9
    assert quality["classes"] == 10
    assert quality["class_entropy"] > 0.98 * np.log(10)


def test_it_is_right_where_it_is_confident(classifier, digits):
    x, y = digits[2:]
    probabilities = np.asarray(classifier.probabilities(x))
    confident = probabilities.max(axis=1) > 0.9
    assert (probabilities.argmax(axis=1) == y)[confident].mean() > 0.98


def _blurred(x):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    return sum(padded[:, i : i + 8, j : j + 8] for i in range(3) for j in range(3)) / 9


_NOT_DIGITS = {  # and the share of them that may pass for one
    "uniform noise": (lambda x, rng: rng.rand(*x.shape), 0.02),
    "binary noise": (lambda x, rng: (rng.rand(*x.shape) > 0.5) * 1.0, 0.02),
    "normal noise": (lambda x, rng: np.clip(0.5 + 0.3 * rng.randn(*x.shape), 0, 1), 0.02),
    "constant images": (lambda x, rng: np.ones_like(x) * rng.rand(len(x), 1, 1, 1), 0.02),
    "averages of ten": (lambda x, rng: x[rng.randint(len(x), size=(9, 10))].mean(axis=1), 0.15),
    "blurred digits": (lambda x, rng: _blurred(x), 0.15),
}


@pytest.mark.parametrize("name", _NOT_DIGITS)
def test_it_is_not_confident_of(classifier, digits, name):
    make, allowed = _NOT_DIGITS[name]
    images = make(digits[2], np.random.RandomState(0)).astype(np.float32)
    assert sample_quality(classifier, images)["confident"] <= allowed


def test_averages_of_two_classes_are_mostly_doubted(classifier, digits):
    x, y = digits[2:]
    other = np.random.RandomState(0).permutation(len(x))
    averages = (0.5 * (x + x[other]))[y != y[other]]
    assert sample_quality(classifier, averages)["confident"] < 0.4


def test_a_collapsed_generator_is_found_out(classifier, digits):
    threes = digits[2][digits[3] == 3]
    quality = sample_quality(classifier, threes)
    assert quality["confident"] > 0.8
    assert quality["classes"] <= 2
    assert quality["class_entropy"] < 0.3
    assert int(jnp.argmax(quality["class_histogram"])) == 3


def test_no_confident_sample_gives_finite_numbers(classifier):
    quality = sample_quality(classifier, np.zeros((4, 8, 8, 1), np.float32))
    assert (quality["confident"], quality["classes"], quality["class_entropy"]) == (0, 0, 0)
    assert all(np.isfinite(v).all() for v in quality.values())


def test_samples_that_are_not_numbers_are_never_confident(classifier):
    quality = sample_quality(classifier, np.full((4, 8, 8, 1), np.nan, np.float32))
    assert (quality["confident"], quality["classes"]) == (0, 0)


def test_quality_of_a_population_equals_single_ones(classifier, digits):
    samples = jnp.asarray(digits[2][:80]).reshape(2, 40, 8, 8, 1)
    population = jax.jit(jax.vmap(lambda x: sample_quality(classifier, x)))(samples)
    for i in range(2):
        for name, value in sample_quality(classifier, samples[i]).items():
            np.testing.assert_allclose(population[name][i], value, rtol=1e-5)


def test_equal_keys_train_equal_classifiers(digits):
    first, second = (
        train_classifier(digits[0], digits[1], 10, key=jax.random.key(3), steps=20)
        for _ in range(2)
    )
    assert isinstance(first, Classifier)
    jax.tree.map(np.testing.assert_array_equal, first.params, second.params)


def test_it_learns_color_images_that_are_not_square():
    rng = np.random.RandomState(0)
    y = rng.randint(3, size=300)
    x = 0.2 * rng.rand(300, 6, 10, 3)
    x[np.arange(300), :, :, y] += 0.7  # the class is the brightest channel
    classifier = train_classifier(
        x.astype(np.float32), y, 3, key=jax.random.key(0), steps=60, batch_size=32
    )
    assert classifier.accuracy(x, y) > 0.99
    whole, part = classifier.features(x), classifier.features(x[7:9])
    assert whole.shape == (300, 256) and (whole >= 0).all()
    np.testing.assert_allclose(part, whole[7:9], rtol=1e-4, atol=1e-5)
    in_blocks = jax.jit(lambda x: classifier.probabilities(jnp.tile(x, (20, 1, 1, 1))))(x)
    np.testing.assert_allclose(in_blocks[-300:], classifier.probabilities(x), rtol=1e-4, atol=1e-5)


_X, _Y = np.zeros((4, 8, 8, 1), np.float32), np.zeros(4, np.int32)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (_X[..., 0], _Y, {}, "must be .N, H, W, C."),
        (_X, _Y[:3], {}, "must be .N, H, W, C."),
        (_X[:0], _Y[:0], {}, "must be .N, H, W, C."),
        (_X, _Y + 10, {}, "must be 0 to 9"),
        (_X, _Y - 1, {}, "must be 0 to 9"),
        (_X + 255, _Y, {}, "must be in .0, 1."),
        (_X - 1, _Y, {}, "must be in .0, 1."),
        (_X * np.nan, _Y, {}, "must be in .0, 1."),
        (_X, _Y, {"batch_size": 10}, "multiple of 8"),
    ],
)
def test_unfit_data_are_refused_in_one_line(x, y, options, message):
    with pytest.raises(ConfigError, match=message) as error:
        train_classifier(x, y, 10, key=jax.random.key(0), **options)
    assert "\n" not in str(error.value)


def test_images_of_another_shape_are_refused(classifier):
    with pytest.raises(ConfigError, match="the classifier takes"):
        classifier.probabilities(np.zeros((2, 28, 28, 1), np.float32))
