import pytest

from genjax import data
from genjax.core.config import base


@pytest.fixture
def load(tmp_path):
    """`load(folder, FIELD=VALUE, …)`: the pictures of a folder, decoded anew for each test."""

    def load(folder, **changes):
        section = base().data
        section.update({"name": f"images:{folder}", "cache_dir": str(tmp_path / "cache")} | changes)
        return data.load(section)

    return load
