"""The best state by a number: kept, named, and the same through kills and resumes."""

import itertools
import math
import shutil

import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.engine import loop
from genjax.engine import run as runs
from genjax.engine.best import BEST, Best, BestCheckpoint, best
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.writers import read_metrics
from tests.contracts import recipes
from tests.contracts.trees import assert_equal, leaves
from tests.engine.states import bits, make_state, shapes_of

# The checkpoint alone


def offer(workdir, values, mode="min", metric="fid"):
    """Offers `values` at the steps 10, 20, …; what is best then, by the object and on disk."""
    kept = BestCheckpoint(workdir, metric, mode)
    for i, value in enumerate(values, 1):
        kept.offer(10 * i, value, lambda i=i: make_state(i, 10 * i))
    kept.close()
    assert kept.best == best(workdir, metric, mode)
    return kept.best


@pytest.mark.parametrize(
    ("values", "mode", "expected"),
    [
        ([3.0, 1.0, 2.0], "min", (1.0, 20)),
        ([3.0, 1.0, 4.0], "max", (4.0, 30)),
        ([1.0, 1.0], "min", (1.0, 10)),  # equal is not better
        ([math.nan, 2.0, math.nan, -math.inf], "min", (2.0, 20)),
    ],
)
def test_the_best_state_is_kept_and_no_other(tmp_path, values, mode, expected):
    assert offer(tmp_path, values, mode) == Best("fid", *expected)
    checkpoints = Checkpoints(tmp_path / BEST)
    assert checkpoints.steps() == [expected[1]]
    state = make_state(expected[1] // 10, expected[1])
    assert bits(checkpoints.restore_step(shapes_of(state), expected[1])) == bits(state)


def test_values_that_are_not_finite_keep_nothing(tmp_path):
    assert offer(tmp_path, [math.nan, math.inf]) is None
    assert not (tmp_path / BEST).exists()


def test_a_new_process_goes_on_from_the_best_of_the_last(tmp_path):
    offer(tmp_path, [3.0, 1.0])
    assert offer(tmp_path, [2.0]) == Best("fid", 1.0, 20)
    assert offer(tmp_path, [2.0, 2.0, 0.5]) == Best("fid", 0.5, 30)


def test_by_another_metric_or_mode_the_best_begins_anew(tmp_path):
    offer(tmp_path, [3.0, 1.0])
    assert best(tmp_path, "recall", "min") is None
    assert best(tmp_path, "fid", "max") is None
    assert offer(tmp_path, [0.1, 0.2, 0.9], "max", "recall") == Best("recall", 0.9, 30)


def test_of_two_that_were_left_the_better_counts(tmp_path):
    """As after a run that went on from an earlier checkpoint than the best."""
    offer(tmp_path, [3.0, 2.0, 1.0])
    assert offer(tmp_path, [0.5]) == Best("fid", 0.5, 10)
    assert Checkpoints(tmp_path / BEST).steps() == [10, 30]


# In a run


class Judge:
    """Gives the values of a list, whatever the samples; the last one for ever."""

    def __init__(self, *values):
        self.values = iter(itertools.chain(values, itertools.repeat(values[-1])))

    def __call__(self, samples):
        assert np.isfinite(samples).all()
        return {"score": next(self.values)}


def prepare(folder, **changes):
    fields = {"eval_every": 4, "best_metric": "mse", "eval_num_samples": 3} | changes
    return runs.prepare(recipes.tiny("autoencoder", folder, **fields))


def train(run, workdir, scorer=None):
    hooks = loop.Hooks(scorer=scorer, score_names=("score",) if scorer else ())
    return loop.train(run, workdir, hooks=hooks)


def test_the_kept_state_is_the_one_that_was_evaluated(tmp_path):
    run = prepare(tmp_path, optimizer__learning_rate=0.3)
    summary = train(run, tmp_path / "run")
    rows = [r for r in read_metrics(tmp_path / "run" / "metrics.jsonl") if "eval/mse" in r]
    assert [r["step"] for r in rows] == [4, 8, 12, 16, 20]
    expected = min(rows, key=lambda r: r["eval/mse"])
    assert summary.best == Best("mse", expected["eval/mse"], expected["step"])
    assert best(tmp_path / "run", "mse", "min") == summary.best
    state = Checkpoints(tmp_path / "run" / BEST).restore_step(
        run.executor.template(), expected["step"]
    )
    assert run.executor.evaluate(state)["mse"] == pytest.approx(expected["eval/mse"], rel=1e-6)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_numbers_of_the_judge_count_as_well(tmp_path, mode):
    run = prepare(tmp_path, best_metric="score", best_mode=mode)
    summary = train(run, tmp_path / "run", Judge(2.0, 1.0, 3.0, 2.5))
    assert summary.best == Best("score", *((1.0, 8) if mode == "min" else (3.0, 12)))


@pytest.mark.slow
def test_a_stopped_run_keeps_the_best_of_the_whole(tmp_path):
    """Stopped at step 10, resumed from the checkpoint of step 6: step 8 is evaluated twice."""
    whole = train(prepare(tmp_path), tmp_path / "whole")
    train(prepare(tmp_path, steps=10, checkpoint_every=6), tmp_path / "stopped")
    shutil.rmtree(tmp_path / "stopped" / "checkpoints" / "10")
    run = prepare(tmp_path, checkpoint_every=6)
    resumed = train(run, tmp_path / "stopped")
    assert resumed.best == whole.best
    states = [
        Checkpoints(tmp_path / name / BEST).restore_step(run.executor.template(), whole.best.step)
        for name in ("whole", "stopped")
    ]
    assert_equal(*map(leaves, states))


def test_the_best_before_a_stop_is_not_forgotten_after_it(tmp_path):
    fields = {"best_metric": "score", "checkpoint_every": 5}
    first = train(prepare(tmp_path, steps=10, **fields), tmp_path / "run", Judge(2.0, 1.0))
    assert first.best == Best("score", 1.0, 8)
    resumed = train(prepare(tmp_path, **fields), tmp_path / "run", Judge(1.5))
    assert resumed.best == Best("score", 1.0, 8)


@pytest.mark.slow
def test_the_mean_over_finite_members_counts_for_a_population(tmp_path):
    run = prepare(tmp_path, best_metric="score", executor="vmap", num_seeds=3)
    values = [[2.0, 2.0, 2.0], [1.0, np.nan, 2.0], [1.0, 2.0, 3.0], [3.0, 3.0, 3.0]]
    summary = train(run, tmp_path / "run", Judge(*itertools.chain(*values, values[-1])))
    assert summary.best == Best("score", 1.5, 8)


@pytest.mark.parametrize("executor", ["scan", "vmap", "sharded", "pmap"])
@pytest.mark.parametrize("data", [{}, {"data__device_limit_mb": 0}])
def test_a_number_that_no_evaluation_gives_is_refused_before_anything_is_written(
    tmp_path, executor, data
):
    if data and executor == "vmap":
        pytest.skip("populations do not stream")
    name = "autoencoder+streamed+bfloat16" if data else "autoencoder"
    fields = {"eval_every": 4, "best_metric": "score", "executor": executor}
    run = runs.prepare(recipes.tiny(name, tmp_path, **fields))
    assert sorted(run.executor.evaluated()) == ["mse", "reconstruction"]
    with pytest.raises(ConfigError, match=r"best_metric='score': is no number .* of mse, recon"):
        loop.train(run, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_evaluated_names_are_those_of_an_evaluation(tmp_path):
    run = prepare(tmp_path)
    assert sorted(run.executor.evaluated()) == sorted(run.executor.evaluate(run.executor.init()))
