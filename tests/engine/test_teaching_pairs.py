"""Students of pairs: a teacher's distribution of each token, and targets that it writes."""

import os
import signal

import jax
import numpy as np
import pytest
from scipy import special, stats

import genjax
from genjax.core.config import ConfigError
from genjax.data.source import rows
from genjax.engine import loop, targets
from genjax.engine.run import prepare
from tests.contracts import recipes
from tests.contracts.trees import assert_equal
from tests.engine.test_teaching import final

WORDS = ["red", "green", "blue", "one", "two", "three"]
COUNT = 48  # pairs of the training split
WRITTEN = {"teacher__weight": 0.0, "teacher__targets": 1.0, "teacher__beam": 3}


def write(folder, name, words, count):
    """Makes a file of random sentences, and one of the same sentences in reverse."""
    rng = np.random.default_rng(count)
    found = [rng.choice(words, rng.integers(1, 7)) for _ in range(count)]
    for side, step in (("src", 1), ("tgt", -1)):
        lines = (" ".join(sentence[::step]) for sentence in found)
        (folder / f"{name}.{side}").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two data sets of pairs, of other words each, a teacher of the first, and a classifier."""
    folder = tmp_path_factory.mktemp("pairs")
    for name, words in (("train", WORDS), ("other", [w.upper() for w in WORDS])):
        write(folder, name, words, COUNT)
    write(folder, "test", WORDS, 20)
    loop.train(prepare(tiny(folder, "transformer", model__num_layers=1)), folder / "teacher")
    loop.train(prepare(recipes.tiny("classifier", folder, steps=2)), folder / "classifier")
    return folder


def tiny(folder, recipe="seq2seq", **changes):
    usual = {
        "data__name": "pairs:train.src,train.tgt", "data__test": "test.src,test.tgt",
        "data__dir": str(folder), "data__length": 8, "model__dropout": 0.0, "buckets": (),
        "steps": 4, "optimizer__schedule": "constant",
    }  # fmt: skip
    return recipes.tiny(recipe, folder, **usual | changes)


def student(folder, teacher="teacher", **changes):
    return tiny(folder, teacher__workdir=str(folder / teacher), **changes)


def test_a_step_learns_the_teachers_distribution_of_each_token(folder):
    """(1 - w) cross-entropy + w T^2 KL, in float64; padding counts nothing, nor does a bucket."""
    changes = {"teacher__temperature": 3.0, "teacher__weight": 0.7, "data__bucketed": True}
    run = prepare(student(folder, **changes, buckets=(4,)))
    source, state = run.dataset.train, run.executor.init()
    step = jax.jit(run.family.step)
    short = np.argsort(source.rows["x"].astype(bool).sum(1))[:16]
    for index, longest in ((short, 4), (np.arange(16), 8)):
        batch = jax.jit(source.fetch)(source.arrays, index)
        x, y = batch["x"], np.asarray(batch["y"])
        real = y != 0
        assert real.sum(1).max() <= longest
        theirs = genjax.load(folder / "teacher").predict_targets(x, y)
        theirs, ours = (np.float64(a) for a in (theirs, run.family.predict_targets(state, x, y)))
        p, q = (special.softmax(a / 3, -1) for a in (theirs, ours))
        nll = -np.take_along_axis(special.log_softmax(ours, -1), y[..., None], -1)[..., 0]
        expected = (real * (0.3 * nll + 0.7 * 9 * stats.entropy(p, q, axis=-1))).sum() / real.sum()
        _, metrics = step(state, batch)
        np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-4)


@pytest.mark.slow
def test_targets_are_those_of_beam_search_and_a_run_goes_on_writing_them(
    folder, tmp_path, monkeypatch, caplog
):
    """Stopped within the second of three parts, it writes two more and ends in the same bits."""
    monkeypatch.setattr(targets, "_PART", 16)
    config = student(folder, **WRITTEN)
    loop.train(prepare(config), tmp_path / "whole")
    search, calls = targets.Writer._search_all, []

    def stops(self, *args):
        calls.append(args)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return search(self, *args)

    monkeypatch.setattr(targets.Writer, "_search_all", stops)
    run = tmp_path / "run"
    summary = loop.train(prepare(config), run)
    assert (summary.step, summary.signal) == (0, signal.SIGTERM)
    parts = next((run / "teacher").glob("targets-*"))
    assert [p.name for p in parts.iterdir()] == ["00000.npz"]
    (parts / ".00001.npz.123.tmp").write_bytes(b"PK")  # what a kill leaves
    loop.train(prepare(config, run), run)
    assert len(calls) == 4
    assert sorted(p.name for p in (run / "teacher").iterdir()) == ["targets.npz", "teacher.json"]
    assert_equal(final(prepare(config), run), final(prepare(config), tmp_path / "whole"))

    written = np.load(run / "teacher" / "targets.npz")["y"]
    texts = (folder / "train.src").read_text().splitlines()
    teacher = genjax.load(folder / "teacher")
    expected = teacher.generate(texts, beam=3, length_penalty=0.6)
    assert teacher.run.dataset.target_codec.decode(written[0]) == expected[0]
    assert [teacher.run.dataset.target_codec.decode(row) for row in written] == expected

    # All are there: the teacher may be gone. A file that is not of these data is told.
    source = prepare(student(folder, "gone", **WRITTEN), run).dataset.train
    source.settle(run, lambda: False)
    batch = source.fetch(source.arrays, {"rows": np.arange(5), "theirs": np.full(5, True)})
    np.testing.assert_array_equal(batch["y"], written[:5])
    np.savez(run / "teacher" / "targets.npz", y=written[1:])
    with pytest.raises(ConfigError, match=r"targets.npz \(remove it .*: holds no targets of these"):
        source.settle(run, lambda: False)


def test_a_share_of_the_targets_is_the_teachers_another_each_time(folder, tmp_path):
    run = prepare(student(folder, **WRITTEN | {"teacher__targets": 0.5}))
    source, other = run.dataset.train, np.full((COUNT, 8), 9, np.uint32)
    source._write = lambda *_: other
    source.settle(tmp_path, lambda: False)
    key, shape = jax.random.key(1), (8,)

    @jax.jit
    def theirs(at):
        plan = source.plan(key, at, 12, shape)
        return (jax.vmap(lambda x: source.fetch(source.arrays, x)["y"])(plan) == 9).all(-1)

    found = np.asarray(theirs(source.cursor(0, shape)))  # two epochs
    assert 0.3 < found.mean() < 0.7 and (found[:6] != found[6:]).any()
    np.testing.assert_array_equal(theirs(source.cursor(5, shape))[:7], found[5:])
    held = np.concatenate([batch["y"] for batch in rows(source, 20)])
    np.testing.assert_array_equal(held, source.arrays["y"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher__weight": 0.0}, "teacher.weight=0.0: must be above 0 without teacher.targets"),
        ({"teacher__beam": 0}, "teacher.beam=0: must be at least 1"),
        ({"teacher": "classifier"}, "teacher.workdir=.*: reads no texts"),
        (
            {"data__name": "pairs:other.src,other.tgt"},
            "teacher.workdir=.*: has another vocabulary: .*% of the tokens here are unknown",
        ),
        ({"data__length": 7}, "data.length=7: is 8 in the run that config.teacher.workdir names"),
        (
            {"data__device_limit_mb": 0, "teacher__targets": 1.0},
            "teacher.targets=1.0: needs the data on the device; .* or must be 0.0",
        ),
    ],
)
def test_mistakes_are_told_in_a_line(folder, changes, message):
    with pytest.raises(ConfigError, match=f"config.{message}"):
        prepare(student(folder, **changes))
