"""A fixture of folders whose oracles are float64: imported by their conftest."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    """Numbers without a dtype, and NumPy's arrays, stay float64."""
    with jax.enable_x64(True):
        yield
