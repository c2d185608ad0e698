"""Oracles of losses are float64."""

from tests.float64 import float64  # noqa: F401
