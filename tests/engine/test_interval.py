"""The metrics of a log interval do not depend on its chunks; nor on skipped updates."""

import functools
import json
import operator

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from genjax.engine import loop
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.interval import Interval
from genjax.engine.preemption import Preemption
from genjax.engine.run import prepare
from genjax.engine.writers import METRICS, read_metrics
from tests.contracts import recipes

LOSSES = np.random.default_rng(0).lognormal(0, 8, (3, 60)).astype(np.float32)


def cut(*lengths, metrics=None):
    interval, metrics = Interval(0), metrics or {"loss": LOSSES}
    start = 0
    for n in lengths:
        interval.add({name: x[..., start : start + n] for name, x in metrics.items()})
        start += n
    return interval


@pytest.mark.parametrize("lengths", [[60], [1] * 60, [7, 50, 3], [31, 29]])
def test_means_are_the_same_bits_however_the_steps_were_cut(lengths):
    # One after the other, in float64; from Python 3.12 on `sum` corrects for what rounding loses.
    expected = [functools.reduce(operator.add, map(float, x)) / 60 for x in LOSSES]
    assert_array_equal(cut(*lengths).means()["loss"], expected)


def test_an_interval_goes_on_from_its_note():
    broken = LOSSES.copy()
    broken[1, 5:] = np.nan
    first = cut(20, metrics={"loss": broken})
    resumed = Interval.resumed(json.loads(json.dumps(first.note())), 20, 60)
    resumed.add({"loss": broken[:, 20:]})
    assert_array_equal(resumed.means()["loss"], cut(60, metrics={"loss": broken}).means()["loss"])


@pytest.mark.parametrize("note", [None, {"since": 0, "steps": 20, "sums": {"loss": 1e9}}])
def test_an_interval_of_another_length_or_of_before_begins_at_the_resumed_step(note):
    resumed = Interval.resumed(note, 20, 15)
    resumed.add({"loss": np.ones(10)})
    assert (resumed.since, resumed.steps, resumed.means()["loss"]) == (20, 10, 1.0)


def test_skipped_updates_are_left_out_of_means_and_told_as_their_share():
    skipped = np.zeros(10, np.float32)
    skipped[[1, 2, 7]] = 1
    loss = np.where(skipped == 1, 0, np.arange(10, dtype=np.float32))
    means = cut(2, 1, 7, metrics={"loss": loss, "skipped": skipped}).means()
    assert means == {"loss": (45 - 1 - 2 - 7) / 7, "skipped": 0.3}
    none = cut(2, metrics={"loss": np.zeros(2), "skipped": np.ones(2)}).means()
    assert np.isnan(none["loss"]) and none["skipped"] == 1


@pytest.mark.parametrize("executor", ["scan", pytest.param("vmap", marks=pytest.mark.slow)])
def test_a_run_stopped_within_an_interval_reports_as_if_it_was_not(executor, tmp_path, monkeypatch):
    """Stopped at step 10 of intervals of 15, and gone on in chunks of another length."""
    monkeypatch.setattr(loop, "measured_gemm_rate", lambda dtype: 1.0)

    def train(workdir, **changes):
        members = {"executor": "vmap", "num_seeds": 2} if executor == "vmap" else {}
        config = recipes.tiny(
            "autoencoder", tmp_path, steps=40, log_every=15, eval_every=16, **members, **changes
        )
        loop.train(prepare(config), workdir)
        rows = read_metrics(workdir / METRICS)
        return [{n: v for n, v in row.items() if n != "wall_seconds"} for row in rows]

    whole = train(tmp_path / "whole", chunk=15)
    assert [row["step"] for row in whole if "train/loss" in row] == [15, 30, 40]
    agreed = iter([False, False, True])
    with monkeypatch.context() as stopping:
        stopping.setattr(Preemption, "agreed", lambda self: next(agreed))
        train(tmp_path / "stopped", chunk=5)
    assert Checkpoints(tmp_path / "stopped" / "checkpoints").steps() == [10]
    assert train(tmp_path / "stopped", chunk=7) == whole
