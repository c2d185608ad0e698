"""Runs of the code before fields were renamed (commit db29df5): they load, and they go on.

`runs.tar.xz` holds runs of eight steps as they were after four, and what the old code went on to
write (`expected.json`, on one machine, so it is compared within rounding). The texts of
`python_docs` are those of the Python that runs: their losses are compared on the one of then.
"""

import json
import platform
import tarfile
from pathlib import Path

import numpy as np
import pytest

import genjax
from genjax.engine import loop
from genjax.engine.run import prepare
from genjax.engine.workdir import read_config
from genjax.engine.writers import read_metrics
from tests.cli.helpers import main

RUNS = ("wgan_gp", "vae", "gpt", "text_classifier", "stacked_autoencoder")
OF_PYTHONS_TEXTS = ("gpt", "text_classifier", "sweep/group_0", "sweep/group_1")
RENAMED = {  # of each run, a field as it is called today, and its value
    "wgan_gp": ("loss.formulation", "forward_over_reverse"),
    "vae": ("loss.binarize", "dynamic"),
    "gpt": ("model.mlp_dim", 12),
    "text_classifier": ("optimizer.encoder_lr_scale", 0.5),
    "stacked_autoencoder": ("data.num_labeled", 40),
}


@pytest.fixture
def runs(tmp_path):
    with tarfile.open(Path(__file__).parent / "old_runs/runs.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def _written(workdir):
    rows = [row for row in read_metrics(workdir / "metrics.jsonl") if row["step"] > 4]
    return {
        f"{row['step']}:{name}": value
        for row in rows
        for name, value in row.items()
        if name not in ("step", "wall_seconds")
    }


def _assert_as_expected(runs, name):
    expected = json.loads((runs / "expected.json").read_text())[name]
    if name == "text_classifier":  # now of the family classifier
        expected = {n.replace("cross_entropy", "nll"): v for n, v in expected.items()}
    written = _written(runs / name)
    assert written.keys() == expected.keys()
    if platform.python_version() != "3.11.7" and name in OF_PYTHONS_TEXTS:
        assert all(np.isfinite(value).all() for value in written.values())
        return
    for key, value in expected.items():
        np.testing.assert_allclose(written[key], value, rtol=2e-3, err_msg=key)


@pytest.mark.parametrize(
    "name",
    [n if n in ("wgan_gp", "gpt") else pytest.param(n, marks=pytest.mark.slow) for n in RUNS],
)
def test_an_older_run_is_read_with_todays_names_and_goes_on(runs, name):
    config = read_config(runs / name)
    field, value = RENAMED[name]
    for part in field.split("."):
        config = config[part]
    assert config == value
    model = genjax.load(runs / name)
    assert model.step == 4
    assert all(np.isfinite(value).all() for value in model.evaluate().values())

    summary = loop.train(prepare(read_config(runs / name), runs / name), runs / name)
    assert (summary.first_step, summary.step) == (4, 8)
    _assert_as_expected(runs, name)


@pytest.mark.slow
def test_an_older_sweep_goes_on_with_todays_names(runs, capfd):
    """The same command, in today's words, is the same sweep."""
    fields = {
        "steps": 8, "checkpoint_every": 4, "log_every": 2, "batch_size": 8, "eval_every": 0,
        "sample_every": 0, "num_samples": 4, "model.num_layers": 1, "model.num_heads": 2,
        "model.width": 8, "data.length": 16,
    }  # fmt: skip
    args = [f"--config.{name}={value}" for name, value in fields.items()]
    args += ["--config=configs/gpt.py", f"--workdir={runs / 'sweep'}", "--seeds=1"]
    assert main("sweep", *args, "--grid", "loss.bos_rate=0.0,0.1") == 0, capfd.readouterr().err
    for group in ("sweep/group_0", "sweep/group_1"):
        _assert_as_expected(runs, group)
