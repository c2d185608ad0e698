"""Operations are compared in float64."""

from tests.float64 import float64  # noqa: F401
