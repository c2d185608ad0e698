"""Operations are compared in float64; a warning, such as of float64 that is cut, is an error."""

from tests.strict import float64, warnings_are_errors  # noqa: F401
