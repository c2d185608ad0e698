"""What is computed once: read again, and computed again where it is damaged."""

import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.evaluation import stored_arrays
from tests.engine.states import flip

IDENTITY = {"name": "set", "split": "train", "weights": "abc"}


class Counted:
    """Computes, and counts how often."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"mean": np.arange(3.0), "features": np.ones((4, 2), np.float32)}


def fetch(folder, compute, **changes):
    found = stored_arrays.arrays(folder, IDENTITY | changes, compute)
    np.testing.assert_array_equal(found["mean"], np.arange(3.0))
    assert found["features"].dtype == np.float32 and found["features"].shape == (4, 2)


def test_it_is_computed_once_for_each_identity(tmp_path):
    compute = Counted()
    for _ in range(3):
        fetch(tmp_path, compute)
    assert compute.calls == 1
    fetch(tmp_path, compute, weights="def")
    assert compute.calls == 2


def cut(path):
    path.write_bytes(path.read_bytes()[:-2])


@pytest.mark.parametrize("damage", [flip, cut, lambda path: path.unlink()])
@pytest.mark.parametrize("file", ["mean.npy", "features.npy", "meta.json"])
def test_a_damaged_entry_is_computed_again_with_a_warning(tmp_path, caplog, damage, file):
    compute = Counted()
    fetch(tmp_path, compute)
    (path,) = tmp_path.glob(f"*/{file}")
    damage(path)
    fetch(tmp_path, compute)
    assert compute.calls == 2
    (warning,) = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
    assert str(path.parent) in warning and "damaged" in warning
    caplog.clear()
    fetch(tmp_path, compute)
    assert compute.calls == 2 and not caplog.records


def test_where_nothing_can_be_written_it_is_computed_each_time(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    compute = Counted()
    for _ in range(2):
        fetch(tmp_path / "file" / "cache", compute)
    assert compute.calls == 2
    assert "Not kept for the next time" in caplog.text


def test_an_error_of_the_computation_is_told_as_it_is(tmp_path):
    def compute():
        raise ConfigError("no labels")

    with pytest.raises(ConfigError, match="no labels"):
        stored_arrays.arrays(tmp_path, IDENTITY, compute)
    assert not [p for p in tmp_path.iterdir() if not p.name.endswith(".lock")]
