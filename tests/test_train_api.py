"""`genjax.train`: the programs' path from Python, on arrays in memory or of a file."""

import asyncio
import json
import logging
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import genjax
from genjax.core.config import ConfigError
from genjax.data.image.digits import _read
from genjax.engine import loop
from genjax.engine.divergence import Diverged
from genjax.engine.executor import Executor
from tests.cli.helpers import ROOT, assert_same_bits, checkpoints, main, wait_until

SMALL = (
    "model.encoder_hidden=(8,)",
    "model.decoder_hidden=(8,)",
    "model.latent_dim=2",
    "num_samples=4",
    "batch_size=16",
)


@pytest.fixture(autouse=True)
def _no_rates(monkeypatch):
    """Leaves out what a run measures after its end."""
    monkeypatch.setattr(loop, "measured_gemm_rate", lambda dtype: 1.0)
    monkeypatch.setattr(Executor, "step_flops", lambda self: 1.0)


def config(recipe="autoencoder", *overrides, **fields):
    return genjax.recipe(recipe, *SMALL, *overrides, **{"steps": 30, "log_every": 10} | fields)


@pytest.fixture(scope="module")
def digits():
    x, label = _read()
    return {"x": x / 16, "label": label}


@pytest.fixture(scope="module")
def trained(digits, tmp_path_factory):
    """A result on the digits as arrays, on which no test trains."""
    return genjax.train(config(), tmp_path_factory.mktemp("trained") / "run", digits)


def test_digits_as_arrays_train_to_the_same_bits_as_by_their_name(trained, tmp_path):
    by_name = genjax.train(config(), tmp_path / "run")
    assert_same_bits(trained.workdir, by_name.workdir)
    assert (
        trained.metrics == by_name.metrics and {"mse", "reconstruction"} <= trained.metrics.keys()
    )
    assert (trained.step, trained.best, by_name.workdir) == (30, None, tmp_path / "run")


def test_a_file_of_them_trains_to_the_same_bits_and_is_evaluated_by_the_program(
    trained, digits, tmp_path, capfd
):
    np.savez(tmp_path / "digits.npz", **digits)
    by_file = genjax.train(config(**{"data.name": f"npz:{tmp_path}/digits.npz"}), tmp_path / "run")
    assert_same_bits(trained.workdir, by_file.workdir)
    assert main("evaluate", f"--workdir={by_file.workdir}") == 0
    # A run on arrays knows shapes and classes without them, but has no examples.
    assert main("sample", f"--workdir={trained.workdir}", "--prompt=x") == 2
    capfd.readouterr()
    assert main("evaluate", f"--workdir={trained.workdir}") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "config.data.name='arrays': were arrays in memory: hand them to genjax.train" in line


def test_the_model_is_that_of_the_folder_and_has_the_data(trained, digits):
    model, again = trained.model, genjax.load(trained.workdir)
    assert trained.model is model and model.step == again.step == 30
    codes = model.encode(digits["x"][:3])
    np.testing.assert_array_equal(codes, again.encode(digits["x"][:3]))
    means = {name: float(value) for name, value in model.evaluate().items()}
    assert means == pytest.approx(trained.metrics, rel=1e-6)
    assert genjax.load(trained.workdir, data=digits).evaluate().keys() == means.keys()
    with pytest.raises(ConfigError, match="hand them to genjax"):
        again.evaluate()


def test_the_run_records_what_the_data_were(trained):
    record = json.loads((trained.workdir / "config.json").read_text())
    assert record["config"]["data"]["name"] == "arrays"
    assert record["data"]["spec"]["shape"] == [8, 8, 1] and record["data"]["found"]["checksum"]
    assert record["data"]["splits"]["train"] == {"examples": 1618, "streamed": False}


def test_called_again_it_goes_on_and_a_run_that_is_through_has_its_numbers(digits, tmp_path):
    whole = genjax.train(config(), tmp_path / "whole", digits)
    first = genjax.train(config(steps=20), tmp_path / "parted", digits)
    assert first.step == 20
    rest = genjax.train(config(), tmp_path / "parted", digits)
    assert_same_bits(whole.workdir, rest.workdir)
    again = genjax.train(config(), tmp_path / "parted", digits)
    assert again.metrics == rest.metrics == whole.metrics


def test_other_arrays_are_warned_of_or_refused(trained, digits, caplog, tmp_path):
    other = {"x": 1 - digits["x"], "label": digits["label"]}
    run = shutil.copytree(trained.workdir, tmp_path / "run")
    with caplog.at_level(logging.WARNING):
        genjax.train(config(), run, other)
    assert "data.name='arrays': other content than the run was trained on" in caplog.text
    with pytest.raises(ConfigError, match=r"shape is .8, 8, 1. there, .8, 4, 1. here"):
        genjax.train(config(), run, {"x": digits["x"][:, :, :4]})
    with pytest.raises(ConfigError, match=r"data.name is 'arrays' there, 'digits' here"):
        genjax.train(config(), run)


_CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
import genjax
from tests.test_train_api import config, _read
x, label = _read()
genjax.train(config(steps=4000, checkpoint_every=500), sys.argv[1], {"x": x / 16, "label": label})
print("through")
"""


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_killed_or_interrupted_it_resumes_to_the_same_bits(stop, digits, tmp_path):
    longer = config(steps=4000, checkpoint_every=500)
    whole = genjax.train(longer, tmp_path / "whole", digits)
    run = tmp_path / "run"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen([sys.executable, "-c", _CHILD, str(run)], cwd=ROOT, **pipes)
    wait_until(lambda: (run / "checkpoints").is_dir() and checkpoints(run), child)
    child.send_signal(stop)
    out, err = child.communicate(timeout=300)
    assert child.returncode and "through" not in out
    assert ("KeyboardInterrupt" in err) == (stop == signal.SIGINT)
    assert checkpoints(run)[-1] < 4000
    assert_same_bits(whole.workdir, genjax.train(longer, run, digits).workdir)


def test_it_runs_beside_an_event_loop_and_in_a_thread(tmp_path):
    """As in a notebook; nothing is installed for signals where Python allows none."""
    before, found = signal.getsignal(signal.SIGINT), []

    async def cell():
        return genjax.train(config(steps=2), tmp_path / "run")

    found.append(asyncio.run(cell()))
    more = config(steps=4)
    thread = threading.Thread(target=lambda: found.append(genjax.train(more, tmp_path / "run")))
    thread.start(), thread.join()
    assert [result.step for result in found] == [2, 4]
    assert signal.getsignal(signal.SIGINT) is before


def test_labeled_points_are_arrays_as_well(tmp_path):
    points = np.random.default_rng(0).normal(3.0, 2.0, (200, 2))
    gaussian = ("loss.likelihood=gaussian", "loss.binarize=none")
    vae = config("conditional_vae", *gaussian, steps=2)
    result = genjax.train(vae, tmp_path, {"x": points, "label": (points[:, 0] > 3).astype(int)})
    assert result.model.sample_at([0, 1, 1]).shape == (3, 2)


def test_the_best_evaluation_is_in_the_result(digits, tmp_path):
    best = config(eval_every=10, best_metric="mse")
    result = genjax.train(best, tmp_path / "run", digits)
    assert result.best is not None and result.best.metric == "mse"
    assert genjax.load(result.workdir, "best").step == result.best.step


def test_divergence_is_an_exception(tmp_path):
    wild = config(**{"optimizer.learning_rate": 1e30, "optimizer.name": "sgd"})
    with pytest.raises(Diverged, match="training diverged"):
        genjax.train(wild, tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "workdir", "data", "message"),
    [
        ({"batch_size": 5000}, "new", True, "config.batch_size=5000: must be at most the number"),
        ({"accumulate_steps": 3}, "new", True, "accumulate_steps=3: must divide batch_size=16"),
        ({"data.name": "arrays"}, "new", False, "data.name='arrays': were arrays in memory"),
        ({"executor": "vmap", "chunk": -1}, "new", True, "config.chunk=-1: must be at least 0"),
        ({"best_metric": "fid"}, "new", True, "best_metric='fid': needs evaluations"),
        ({}, "file", True, "^workdir='.*file': is a file; must be a folder"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    changes, workdir, data, message, digits, tmp_path
):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=message) as error:
        genjax.train(config(**changes), tmp_path / workdir, digits if data else None)
    assert "\n" not in str(error.value) and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_config_is_what_it_takes(tmp_path):
    with pytest.raises(ConfigError, match=r"config='vae': must be a ConfigDict, as genjax.recipe"):
        genjax.train("vae", tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"data: is str; must be a dict of x"):
        genjax.train(config(), tmp_path, "digits.npz")  # type: ignore[arg-type]
