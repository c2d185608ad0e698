"""A warning, as of float64 that is cut to float32, is an error."""

from tests.strict import warnings_are_errors  # noqa: F401
