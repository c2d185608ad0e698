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


def test_a_population_shows_mean_standard_error_and_range():
    assert table({"modes": jnp.asarray([25, 24, 25, 26])}).splitlines() == [
        "modes  25 ± 0.41  (24 to 26, 4 members)",  # a deviation of 0.816 over the root of 4
        "± standard error over 4 members",
    ]


def test_one_member_has_no_error():
    assert table({"modes": [25.0]}) == "modes  25"


def test_members_that_are_not_finite_are_left_out_and_told():
    lines = table({"a": [1.0, np.nan, 3.0], "b": [np.nan, 2.0, np.inf], "c": [np.nan] * 3})
    assert lines.splitlines() == [
        "a  2 ± 1  (1 to 3, 2 of 3 members, the others are not finite)",
        "b  2  (2 to 2, 1 of 3 members, the others are not finite)",
        "c  nan  (none of 3 members is finite)",
        "± standard error over 2 members",
    ]


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
