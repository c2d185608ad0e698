"""Fixtures of folders whose oracles are float64: imported by their conftest."""

import warnings
from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    """Numbers without a dtype, and NumPy's arrays, stay float64."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True)
def warnings_are_errors() -> Iterator[None]:
    """As where float64 is asked for and cut to float32."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
