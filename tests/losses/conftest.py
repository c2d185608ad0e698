"""Oracles of losses are float64; a warning, as of float64 that is cut, is an error."""

from tests.strict import float64, warnings_are_errors  # noqa: F401
