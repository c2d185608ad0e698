"""The study of distillation, tiny: who trains on what, and the bias of a class never seen."""

import numpy as np
import pytest

from experiments import distillation
from genjax.engine.workdir import read_config
from tests.experiments.results import read_results


def test_the_best_bias_makes_the_most_examples_right():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 200)
    p[:, 2] *= 1e-3  # as if class 2 had never been seen
    label = np.where(rng.uniform(size=200) < 0.9, (p * [1, 1, 1e3, 1]).argmax(1), 0)
    best = distillation._best_bias(p, label, 2)

    def right(bias):
        return (np.log(p) + bias * np.eye(4)[2]).argmax(1) == label

    assert right(best).sum() >= max(right(b).sum() for b in np.linspace(-5, 20, 101)) > 150
    assert abs(best - np.log(1e3)) < 1


@pytest.mark.slow
def test_the_study_ends_in_tables(tmp_path):
    args = ["--task=digits", "--seeds=2", "--steps=4", f"--workdir={tmp_path}"]
    assert distillation.main(args) == 0
    of_all, without = read_results(tmp_path).values()
    assert [row["method"] for row in of_all] == [
        "teacher", "student", "distilled_2", "distilled_5", "distilled_20",
    ]  # fmt: skip
    assert all(len(row["accuracy"]["members"]) == 2 for row in of_all)
    assert of_all[0]["parameters"] == 64 * 120 + 120 + 120 * 120 + 120 + 1210
    assert [row["method"] for row in without] == ["as it is", "bias corrected"]
    left_out, taught = (read_config(tmp_path / n).data for n in ("left_out", "distilled_5"))
    assert left_out.num_labeled < taught.num_labeled and left_out.leave_out == "3"
    assert distillation.main(args) == 0  # nothing is left to do
