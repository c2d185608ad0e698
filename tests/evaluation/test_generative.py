"""Scores of samples against a real set: what is computed once, and what stands with the numbers."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from genjax.core.config import ConfigError
from genjax.data.in_memory import Resident
from genjax.evaluation.image import generative, scorer
from genjax.evaluation.image.extractors import Extracted, Extractor
from genjax.evaluation.image.fid import Moments, frechet_distance
from genjax.evaluation.image.generative import NUMBERS, Reference
from tests.evaluation.features import fake, logits, real, softmax

METRICS = ("fid", "kid", "mind", "is", "prdc")


class Counting:
    """An extractor whose features are the pixels, and how often it was used."""

    def __init__(self, checksum="0123456789"):
        self.calls = 0

        def apply(x):
            self.calls += 1
            flat = jnp.asarray(x).reshape(len(x), -1)
            return flat, jnp.ones((len(x), 2)) / 2

        self.extractor = Extractor("pixels", "as they are", checksum, 100, apply)


def source(n=250, seed=0):
    x = np.random.RandomState(seed).randint(256, size=(n, 2, 2, 3)).astype(np.uint8)
    return Resident({"x": x})


def reference(counting, folder, data=None, split="train"):
    return generative.reference(
        counting.extractor, data or source(), "images:some/where", split, folder
    )


def test_the_real_set_is_extracted_once_and_read_again(tmp_path):
    counting = Counting()
    first = reference(counting, tmp_path)
    calls = counting.calls
    again = reference(counting, tmp_path)
    assert calls == counting.calls == 3
    pixels = (source().arrays["x"] / np.float32(255)).reshape(250, -1)
    for found in (first, again):
        np.testing.assert_allclose(found.features, pixels, rtol=1e-6)
        expected = Moments.of(pixels)
        assert found.moments.n == expected.n == 250
        np.testing.assert_allclose(found.moments.mean, expected.mean, rtol=1e-6)
        np.testing.assert_allclose(found.moments.scatter, expected.scatter, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "other",
    [
        {"data": source(seed=1)},
        {"data": source(249)},
        {"split": "test"},
        {"counting": Counting(checksum="another")},
    ],
)
def test_another_set_split_or_weights_is_extracted_anew(tmp_path, other):
    reference(Counting(), tmp_path)
    counting = other.pop("counting", Counting())
    reference(counting, tmp_path, **other)
    assert counting.calls == 3


def test_of_a_large_set_a_fixed_random_part_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(generative, "_KEPT", 40)
    first, again = (reference(Counting(), tmp_path / name) for name in "ab")
    assert first.moments.n == 250
    assert first.features.shape == (40, 12)
    np.testing.assert_array_equal(first.features, again.features)
    pixels = (source().arrays["x"] / np.float32(255)).reshape(250, -1)
    kept = [int(np.argmin(np.abs(pixels - f).sum(axis=1))) for f in first.features]
    assert kept == sorted(set(kept)) and kept[-1] > 200  # of all of it, each row once


def test_scores_are_those_of_the_metrics():
    samples = Extracted(fake(), softmax(logits()).astype(np.float32))
    scores = generative.scores(METRICS, samples, Reference("train", Moments.of(real()), real()))
    assert tuple(scores) == generative.numbers(METRICS)
    expected = frechet_distance(Moments.of(real()), Moments.of(fake()))
    assert scores["fid"] == pytest.approx(expected)
    assert 0 < scores["precision"] < 1 < scores["inception_score"] < 10
    assert all(type(value) is float for value in scores.values())


def test_each_number_says_what_it_holds_for():
    extractor = Counting().extractor
    many = Reference("test", Moments.of(real()), real(150))
    message = {n: generative.protocol(n, 300, many, extractor) for n in generative.numbers(METRICS)}
    whose = "pixels 01234567, as they are"
    assert message["fid"] == f"300 samples, 400 test images, {whose}"
    assert message["kid"] == f"300 samples, 150 test images, subsets of 150, {whose}"
    projections = "1,000 projections of 150 each"
    assert message["mind"] == f"300 samples, 150 test images, {projections}, {whose}"
    assert message["inception_score"] == f"300 samples, {whose}"
    assert message["recall"] == f"300 samples, 150 test images, k=5, {whose}"


def test_names_are_read_and_checked():
    assert generative.parse("fid, kid", "--metrics") == ("fid", "kid")
    assert generative.parse("", "--metrics") == ()
    with pytest.raises(ConfigError, match="--metrics=fid,fix: no metric 'fix'; must be of fid,kid"):
        generative.parse("fid,fix", "--metrics")


@pytest.mark.parametrize("metric", NUMBERS)
def test_too_few_samples_are_refused(metric):
    least = {"fid": 2, "kid": 2, "mind": 2, "is": 10, "prdc": 6}[metric]
    generative.check_counts([metric], least, least, "--num_samples")
    with pytest.raises(ConfigError, match=f"--num_samples={least - 1}: {metric} needs at least"):
        generative.check_counts([metric], least - 1, 100, "--num_samples")


def test_a_conditional_model_draws_each_class_as_often_as_the_real_set_has_it():
    label = np.repeat([0, 1, 2], [30, 60, 10]).astype(np.int32)
    split = Resident({"x": np.zeros((100, 1), np.float32), "label": label})

    def drawn(n, seed, labels=None):
        return np.zeros((n, 1)) if labels is None else np.asarray(labels)[:, None]

    for conditional, counts in ((True, [210, 420, 70]), (False, [700])):
        config = ConfigDict({"model": {"conditional": conditional}})
        family = SimpleNamespace(sample_at=len)
        model = SimpleNamespace(family=family, config=config, sample=drawn, num_members=0)
        found = scorer._drawn(model, 700, split)[:, 0].astype(int)
        assert np.bincount(found).tolist() == counts
        assert len(np.unique(found[-50:])) == len(counts)  # of the last draw as of the others
