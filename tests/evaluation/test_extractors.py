"""genjax's own classifier as an extractor: trained once, whatever the batching."""

import numpy as np
import pytest
from ml_collections import ConfigDict

from genjax.core.config import ConfigError, base
from genjax.core.family import DataSpec
from genjax.data.image import digits
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset, first_rows, rows, spread_rows
from genjax.data.toy import mixtures
from genjax.evaluation.image import classifier, extractors


def section() -> ConfigDict:
    return base().data


@pytest.fixture(scope="module")
def dataset():
    return digits.load(section())


@pytest.fixture(scope="module")
def own(dataset, tmp_path_factory):
    """The extractor, of a classifier that was trained for a moment, and its folder."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        _train_shortly(patch)
        return extractors.own(dataset, folder), folder


def _train_shortly(patch):
    train = classifier.train_classifier
    patch.setattr(classifier, "train_classifier", lambda *a, **k: train(*a, **k, steps=50))


def test_features_are_the_last_hidden_layer(own, dataset):
    extractor, _ = own
    x, _ = first_rows(dataset.test, 20)
    found = extractor.extract(x)
    assert found.features.shape == (20, 256)
    assert (found.features >= 0).all() and (found.features > 0).any()
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0, rtol=1e-5)


def test_the_output_layer_on_the_features_gives_the_probabilities(own, dataset):
    extractor, folder = own
    x, _ = first_rows(dataset.test, 20)
    judge, _ = extractors.own_classifier(dataset, folder)
    output = judge.params["Dense_2"]
    logits = extractor.extract(x).features @ output["kernel"] + output["bias"]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = extractor.extract(x).probabilities
    np.testing.assert_allclose(p / p.sum(axis=1, keepdims=True), expected, rtol=1e-4, atol=1e-6)


def test_any_number_of_images_gives_the_same_features(own, dataset):
    extractor, _ = own
    x, _ = first_rows(dataset.train, 1203)  # more than a batch
    whole = extractor.extract(x)
    part = extractor.extract(x[1000:1007])
    np.testing.assert_allclose(part.features, whole.features[1000:1007], rtol=1e-5, atol=1e-6)
    assert len(whole.features) == 1203


def test_the_classifier_is_trained_once(own, dataset, monkeypatch):
    extractor, folder = own

    def never(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(classifier, "train_classifier", never)
    assert extractors.own(dataset, folder).checksum == extractor.checksum
    with pytest.raises(AssertionError):  # other data, another classifier
        other = section()
        other.channels = 3
        extractors.own(digits.load(other), folder)


def test_it_says_whose_numbers_these_are(own):
    extractor, _ = own
    assert str(extractor) == f"own classifier {extractor.checksum[:8]}, 8x8 as they are"


def test_data_without_labels_or_pixels_are_refused(tmp_path):
    x = np.zeros((4, 8, 8, 1), np.uint8)
    unlabeled = Dataset(DataSpec("image", (8, 8, 1)), Resident({"x": x}), Resident({"x": x}))
    for data in (unlabeled, mixtures.load("ring")):
        with pytest.raises(ConfigError, match="needs labeled images"):
            extractors.own(data, tmp_path)


def test_rows_are_the_split_once_and_in_order(dataset):
    source = dataset.test
    batches = list(rows(source, 50))
    x = np.concatenate([b["x"] for b in batches])
    assert len(x) == source.num_examples and len(batches[-1]["x"]) < 50
    np.testing.assert_array_equal(x, source.arrays["x"] / np.float32(16))
    np.testing.assert_array_equal(
        np.concatenate([b["label"] for b in batches]), source.arrays["label"]
    )


def test_first_rows_are_as_many_as_there_are(dataset):
    x, labels = first_rows(dataset.test, 10**6)
    assert len(x) == len(labels) == dataset.test.num_examples
    x, labels = first_rows(dataset.test, 7)
    np.testing.assert_array_equal(labels, dataset.test.arrays["label"][:7])
    unlabeled = Resident({"x": np.zeros((4, 2), np.float32)})
    np.testing.assert_array_equal(first_rows(unlabeled, 3)[1], np.zeros(3))


def test_spread_rows_are_of_all_parts_of_a_split():
    x = np.arange(2500, dtype=np.float32)[:, None]
    source = Resident({"x": x, "label": np.arange(2500, dtype=np.int32) // 1000})
    found, labels = spread_rows(source, 5)
    assert found[:, 0].tolist() == [0, 500, 1000, 1500, 2000] and labels.tolist() == [0, 0, 1, 1, 2]
    found, _ = spread_rows(source, 2, np.array([3, 1004, 2400, 2401]))
    assert found[:, 0].tolist() == [3, 2400]
    np.testing.assert_array_equal(spread_rows(source, 9999)[0], x)
