"""A part of the training split is held out, and a run sees it where it would see the test split."""

import numpy as np
import pytest

from genjax import data, recipes
from genjax.core.config import ConfigError, base
from genjax.data import record
from genjax.engine.run import prepare
from genjax.evaluation.image import scorer


def section(name="digits", fraction=0.2):
    found = base().data
    found.update(name=name, validation_fraction=fraction)
    return found


def rows(source):
    return {x.tobytes() for x in source.arrays["x"]}


def test_the_splits_are_apart_and_each_class_is_in_them_by_its_share():
    whole, parted = data.load(section(fraction=0.0)), data.load(section())
    train, validation = parted.train.arrays, parted.validation.arrays
    assert len(train["x"]) + len(validation["x"]) == whole.train.num_examples
    assert rows(parted.train) | rows(parted.validation) == rows(whole.train)
    assert rows(parted.test) == rows(whole.test)
    counts, of = (np.bincount(a["label"]) for a in (validation, whole.train.arrays))
    np.testing.assert_allclose(counts / of, 0.2, atol=0.005)
    assert whole.validation is None
    assert parted.found["checksum"] == whole.found["checksum"]


def test_a_record_has_the_split():
    parted = data.load(section())
    again = record.dataset(record.of(parted), None, lambda: parted, "digits")
    assert again.validation.num_examples == parted.validation.num_examples
    np.testing.assert_array_equal(again.validation.arrays["x"], parted.validation.arrays["x"])
    whole = data.load(section(fraction=0.0))
    assert record.dataset(record.of(whole), None, lambda: whole, "digits").validation is None


def test_a_run_that_trains_is_validated_and_a_trained_one_is_tested():
    config = recipes.load("wgan_gp").unlock()
    config.data.validation_fraction, config.eval_metrics = 0.2, "fid"
    config.eval_num_samples = 20
    run = prepare(config.lock())
    assert run.executor.dataset.test is run.dataset.validation
    judge = scorer.during_training(run)
    assert judge.source is run.dataset.validation and judge._split == "validation"
    used = prepare(config, use=True)
    assert rows(used.executor.dataset.test) == rows(run.dataset.test)


def test_what_cannot_be_validated_is_refused():
    with pytest.raises(ConfigError, match=r"validation_fraction=0.2: .*sentences, not ring"):
        data.load(section("ring"))
    dataset = data.load(section(fraction=0.0))
    with pytest.raises(
        ConfigError, match=r"split=validation: config.data.validation_fraction is 0"
    ):
        scorer.Scorer(dataset, section(), "fid", 20, split="validation")
