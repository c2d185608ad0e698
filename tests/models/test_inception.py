"""InceptionV3: its parts against NumPy, the whole against PyTorch's two networks."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.evaluation.image.weights import from_torch
from genjax.models import inception
from genjax.models.inception import NUM_CLASSES, SIZE, InceptionV3, prepare
from tests.models import inception_reference
from tests.models.inception_reference import GOLDEN


def draw(seed, shape):
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


# The whole


@pytest.fixture(scope="module", params=NUM_CLASSES)
def variant(request):
    return request.param


@pytest.fixture(scope="module")
def ours(variant):
    variables = from_torch(inception_reference.state_dict(variant), variant)
    images = inception_reference.images() / np.float32(255)

    @jax.jit
    def apply(variables, images):
        return InceptionV3(variant).apply(variables, prepare(images, variant))

    return jax.device_get(apply(variables, images))


def close(actual, expected):
    """Within float32's rounding over 48 layers."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-4 * np.abs(expected).max())


@pytest.mark.slow
def test_features_and_logits_equal_the_golden_ones_of_pytorch(variant, ours):
    features, logits = ours
    assert features.shape == (2, 2048) and logits.shape == (2, NUM_CLASSES[variant])
    close(features[:, :4], GOLDEN[variant][0])
    close(logits[:, :4], GOLDEN[variant][1])


@pytest.mark.slow
def test_features_and_logits_equal_pytorchs(variant, request):
    module = {"fid": "torch_fidelity", "torchvision": "torchvision"}[variant]
    try:
        importlib.import_module(module)
    except (ImportError, RuntimeError) as error:  # the latter where it is built for another torch
        pytest.skip(f"{module} is not installed or does not run: {error}")
    ours = request.getfixturevalue("ours")  # seconds of compiling
    for actual, expected in zip(ours, inception_reference.torchs(variant), strict=True):
        close(actual, expected)


@pytest.mark.parametrize(
    ("variant", "expected"), [("torchvision", 23_834_568), ("fid", 23_849_952)]
)
def test_number_of_parameters(variant, expected):
    """torchvision counts 27,161,264, of which 3,326,696 are the auxiliary classifier's."""
    x = jax.ShapeDtypeStruct((1, SIZE, SIZE, 3), jnp.float32)
    shapes = jax.eval_shape(InceptionV3(variant).init, jax.random.key(0), x)
    assert sum(p.size for p in jax.tree.leaves(shapes["params"])) == expected


# Its parts


def convolved(x, kernel, stride, pad):
    """The definition, pixel by pixel; zeros outside."""
    h, w = kernel.shape[:2]
    x = np.pad(x.astype(np.float64), ((0, 0), (pad[0],) * 2, (pad[1],) * 2, (0, 0)))
    rows, columns = (x.shape[1] - h) // stride + 1, (x.shape[2] - w) // stride + 1
    y = np.zeros((len(x), rows, columns, kernel.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            window = x[:, stride * i : stride * i + h, stride * j : stride * j + w]
            y[:, i, j] = np.einsum("nhwc,hwcf->nf", window, kernel)
    return y


@pytest.mark.parametrize(
    ("kernel_size", "stride", "padding", "pad"),
    [
        ((3, 3), 1, "SAME", (1, 1)),
        ((1, 7), 1, "SAME", (0, 3)),
        ((5, 5), 1, "SAME", (2, 2)),
        ((3, 3), 2, "SAME", (0, 0)),
        ((3, 3), 1, "VALID", (0, 0)),
        ((1, 1), 1, "SAME", (0, 0)),
    ],
)
def test_a_layer_is_convolution_batch_norm_and_relu(kernel_size, stride, padding, pad):
    x = draw(0, (2, 8, 9, 3))
    layer = inception._Conv(4, kernel_size, stride, padding)
    kernel = draw(1, (*kernel_size, 3, 4))
    scale, bias, mean = draw(2, (4,)), draw(3, (4,)), draw(4, (4,))
    var = np.abs(draw(5, (4,)))
    variables = {
        "params": {"conv": {"kernel": kernel}, "bn": {"scale": scale, "bias": bias}},
        "batch_stats": {"bn": {"mean": mean, "var": var}},
    }
    y = convolved(x, kernel, stride, pad)
    expected = np.maximum((y - mean) / np.sqrt(var + 1e-3) * scale + bias, 0.0)
    np.testing.assert_allclose(layer.apply(variables, x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count_include_pad", [True, False])
def test_average_pooling_counts_padding_or_does_not(count_include_pad):
    x = draw(0, (1, 5, 6, 2))
    expected = np.zeros(x.shape)
    for i in range(5):
        for j in range(6):
            window = x[:, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
            total = window.sum(axis=(1, 2))
            expected[:, i, j] = total / (9 if count_include_pad else window[0, ..., 0].size)
    actual = inception._average_pool(x, count_include_pad=count_include_pad)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_the_last_blocks_pool_of_the_fid_network_is_the_maximum():
    x = -1.0 - np.abs(draw(0, (1, 4, 4, 1)))  # zeros of the padding must not win
    assert (np.asarray(inception._max_pool(x)) < 0).all()
    np.testing.assert_array_equal(inception._max_pool(x)[0, 1, 1], x[0, :3, :3].max(axis=(0, 1)))


# What goes in


@pytest.mark.parametrize("half_pixel", [True, False])
@pytest.mark.parametrize("n", [2, 8, 28, 299, 400])
def test_resizing_interpolates_between_neighbors(n, half_pixel):
    x = np.random.RandomState(0).rand(n)
    expected = []
    for i in range(SIZE):
        place = (i + 0.5) * n / SIZE - 0.5 if half_pixel else i * n / SIZE
        # Beyond the outermost pixels their values go on.
        expected.append(np.interp(place, np.arange(n), x))
    matrix = inception._resize_matrix(n, SIZE, half_pixel=half_pixel)
    np.testing.assert_allclose(matrix @ x, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("variant", "black", "white"), [("fid", -1.0, 127 / 128), ("torchvision", -1.0, 1.0)]
)
def test_images_are_scaled_as_each_network_was_trained(variant, black, white):
    for value, expected in ((0.0, black), (1.0, white), (7.0, white), (-1.0, black)):
        x = prepare(jnp.full((2, 5, 7, 1), value), variant)
        assert x.shape == (2, SIZE, SIZE, 3)
        np.testing.assert_allclose(x, expected, rtol=1e-5)


def test_images_are_rounded_to_eight_bits():
    x = np.linspace(0, 1, 60, dtype=np.float32).reshape(1, 5, 4, 3)
    stored = np.round(x * 255) / np.float32(255)
    np.testing.assert_allclose(prepare(x, "fid"), prepare(stored, "fid"), atol=1e-6)
