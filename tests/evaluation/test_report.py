"""The table of evaluation numbers."""

import jax.numpy as jnp
import numpy as np

from genjax.evaluation.report import table


def test_columns_are_aligned_and_numbers_readable():
    text = table(
        {
            "confident": np.float32(0.94914),
            "classes": jnp.int32(10),
            "samples": 10_000,
            "loss": 1e-7,
        }
    )
    assert text.splitlines() == [
        "confident  0.9491",
        "classes    10",
        "samples    10,000",
        "loss       1e-07",
    ]


def test_a_population_shows_mean_spread_and_range():
    line = table({"modes": jnp.asarray([25, 24, 25, 26])})
    assert line == "modes  25 ± 0.7071  (24 to 26, 4 members)"


def test_histograms_show_every_value():
    assert table({"class_histogram": [3, 0, 12]}).endswith("3 0 12")
    assert table({"x": {"counts_high_quality": np.arange(3)}}).endswith("0 1 2")


def test_values_of_each_latent_are_shown_for_a_population_by_their_mean():
    assert table({"eval/kl_per_latent": [0.5, 2.0]}).endswith("kl_per_latent  0.5 2")
    assert table({"kl_per_latent": [[0.5, 2.0], [1.5, 4.0]]}).endswith("  1 3")


def test_nested_numbers_are_flattened_under_a_title():
    text = table({"samples": {"confident": 0.9}, "data": "digits", "ok": True}, title="Evaluation")
    lines = text.splitlines()
    assert lines[0] == "Evaluation"
    assert set(lines[1]) == {"-"}
    assert lines[2:] == [
        "samples/confident  0.9",
        "data               digits",
        "ok                 yes",
    ]


def test_numbers_that_are_not_finite_are_said():
    assert table({"a": np.nan, "b": np.inf}).splitlines() == ["a  nan", "b  inf"]


def test_no_numbers_are_said_to_be_none():
    assert table({}) == "(no numbers)"
