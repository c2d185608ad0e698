"""InceptionV3's weights from files: what is read, and what is refused in one line."""

import dataclasses
import sys

import jax
import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.evaluation.image import extractors, weights
from genjax.models.inception import NUM_CLASSES
from tests.models import inception_reference
from tests.models.inception_reference import state_dict

safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")


@pytest.fixture(scope="module", params=NUM_CLASSES)
def variant(request):
    return request.param


@pytest.fixture(scope="module")
def tensors(variant):
    """What a file of the variant holds, with what inference leaves aside."""
    aside = {
        "AuxLogits.conv0.conv.weight": np.ones((128, 768, 1, 1), np.float32),
        "Mixed_5b.branch1x1.bn.num_batches_tracked": np.zeros((), np.int64),
        "fc.bias": np.ones(NUM_CLASSES[variant], np.float32),
    }
    return aside | state_dict(variant)


@pytest.fixture(scope="module")
def file(tensors, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "inception.safetensors"
    safetensors.save_file(tensors, path)
    return path


@pytest.mark.slow
def test_every_leaf_is_its_tensor_turned(file, variant, tensors):
    found = weights.read(file)
    assert found.variant == variant
    leaves = jax.tree_util.tree_leaves_with_path(found.variables)
    assert len(leaves) == 94 * 5 + len(tensors.keys() & {"fc.weight", "fc.bias"}) - (
        variant == "fid"
    )
    for path, leaf in leaves:
        x = tensors[weights.torch_name(path)]
        expected = x.transpose(2, 3, 1, 0) if x.ndim == 4 else x.T
        np.testing.assert_array_equal(leaf, expected)


def test_the_checksum_is_the_files(file):
    import hashlib

    assert weights.read(file).checksum == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_pth_file_reads_as_safetensors_do(file, tensors, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    for legacy in (False, True):  # the format before and since torch 1.6
        path = tmp_path / "weights.pth"
        state = {name: torch.from_numpy(x) for name, x in tensors.items()}
        torch.save(state, path, _use_new_zipfile_serialization=not legacy)
        found = weights.read(path)
        jax.tree.map(np.testing.assert_array_equal, found.variables, weights.read(file).variables)


def refused(path, match):
    with pytest.raises(ConfigError, match=match) as caught:
        weights.read(path, "--weights")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"--weights={path}: ")


def saved(tensors, path):
    safetensors.save_file(tensors, path)
    return path


def test_what_is_no_file_of_weights_is_refused(tmp_path, tensors):
    path = tmp_path / "x.safetensors"
    refused(path, "no such file; must be InceptionV3's weights")
    refused(tmp_path, "no such file")
    path.write_bytes(b"no weights at all")
    refused(path, "is no file of weights")
    refused(saved({"conv.weight": np.ones(3)}, path), "has no fc.weight; .* 1008 .fid. or 1000")
    refused(saved({"fc.weight": np.ones((10, 2048))}, path), "has 10 classes")
    refused(saved({"fc.weight": np.ones(())}, path), "has a number as fc.weight; must be")


def test_a_missing_tensor_and_one_of_another_shape_are_named(tmp_path, tensors):
    name, path = "Mixed_5b.branch5x5_2.conv.weight", tmp_path / "x.safetensors"
    fewer = {n: x for n, x in tensors.items() if n != name}
    refused(saved(fewer, path), f"has no {name}; must be InceptionV3's weights")
    refused(saved(fewer | {name: np.ones((64, 48, 3, 3), np.float32)}, path), f"{name} turned is")


@pytest.mark.parametrize(
    ("suffix", "library", "message"),
    [("pth", "torch", "give the same weights as .safetensors"), ("safetensors", "safetensors", "")],
)
def test_a_missing_library_is_named(tmp_path, monkeypatch, suffix, library, message):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, f"{library}.numpy", None)
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(b"x")
    refused(path, f"needs {library} to be read .pip install {library}.*{message}")


@pytest.mark.slow
def test_the_extractor_gives_the_golden_features_and_names_itself(file, variant):
    extractor = dataclasses.replace(extractors.inception_v3(file), batch_size=2)
    images = inception_reference.images() / np.float32(255)
    found = extractor.extract(images)
    expected = np.asarray(inception_reference.GOLDEN[variant][0])
    np.testing.assert_allclose(found.features[:, :4], expected, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    corners = {"fid": "TensorFlow 1", "torchvision": "PyTorch"}[variant]
    assert str(extractor) == (
        f"InceptionV3 ({variant}) {weights.read(file).checksum[:8]}, "
        f"bilinear to 299 without antialias ({corners} corners)"
    )
