"""A run's files that are damaged or gone come back from its checkpoints."""

import json

import jax.numpy as jnp
import pytest

from genjax.core.config import ConfigError
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.repair import CARRIED, collect
from genjax.engine.workdir import open_workdir, read_config
from tests.engine.test_workdir import make_config


@pytest.fixture
def run(tmp_path):
    """The folder of a run with all files that a run can have, and two checkpoints."""
    path = open_workdir(tmp_path / "run", make_config())
    for name in CARRIED[1:]:
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(json.dumps({"of": name}))
    checkpoints = Checkpoints(path / "checkpoints")
    checkpoints.carried = collect(path)
    for step in (4, 8):
        checkpoints.save(step, {"x": jnp.ones(3)}, wait=True)
    checkpoints.close()
    return path


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]


DAMAGE = {
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "filled with junk": lambda path: path.write_bytes(bytes(range(256))),
    "another object": lambda path: path.write_text("[]"),
    "nested without end": lambda path: path.write_text("[" * 200_000),
}


@pytest.mark.parametrize("name", CARRIED)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_put_back_with_one_warning(run, name, damage, caplog):
    before = (run / name).read_bytes()
    DAMAGE[damage](run / name)
    read_config(run)
    assert (run / name).read_bytes() == before
    (line,) = warnings(caplog)
    assert str(run / name) in line and "checkpoint 8" in line and "\n" not in line
    caplog.clear()
    read_config(run)
    assert not warnings(caplog)


def test_the_older_checkpoint_serves_where_the_newer_is_damaged(run, caplog):
    (run / "checkpoints" / "8" / "run" / "config.json").write_bytes(b"")
    (run / "config.json").unlink()
    assert read_config(run).steps == 100
    assert any("that of checkpoint 4 again" in line for line in warnings(caplog))


def test_a_folder_without_config_resumes(run):
    (run / "config.json").unlink()
    open_workdir(run, make_config(), resume=True)
    with pytest.raises(ConfigError, match="seed is 0 there, 1 here"):
        open_workdir(run, make_config(seed=1))


def test_a_config_that_was_edited_is_told_and_stays(run, caplog):
    path = run / "config.json"
    path.write_text(path.read_text().replace('"activation": "relu"', '"activation": "tanh"'))
    assert read_config(run).model.activation == "tanh"
    (line,) = warnings(caplog)
    assert "model.activation not as in checkpoint 8: edited, or damaged" in line


def test_what_may_change_when_a_run_is_resumed_is_no_damage(run, caplog):
    open_workdir(run, make_config(log_every=7, executor="loop", steps=500))
    assert read_config(run).log_every == 7
    assert not warnings(caplog)


def test_a_run_whose_checkpoints_carry_nothing_reads_as_ever(tmp_path, caplog):
    path = open_workdir(tmp_path / "run", make_config())
    Checkpoints(path / "checkpoints").save(1, {"x": jnp.ones(3)}, wait=True)
    assert read_config(path).steps == 100 and not warnings(caplog)
    (path / "config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"config\.json: cannot be read"):
        read_config(path)
    (path / "config.json").unlink()
    with pytest.raises(ConfigError, match="has checkpoints but no config"):
        open_workdir(path, make_config())


def test_what_cannot_be_put_back_is_told(small_disk, make_read_only):
    path = open_workdir(small_disk / "run", make_config())
    checkpoints = Checkpoints(path / "checkpoints")
    checkpoints.carried = collect(path)
    checkpoints.save(1, {"x": jnp.ones(3)}, wait=True)
    (path / "config.json").write_bytes(b"")
    make_read_only()
    with pytest.raises(ConfigError, match=r"config.json: was damaged and cannot be written again"):
        read_config(path)
