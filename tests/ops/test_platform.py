"""The platform is asked in one place, and every lowering can be chosen by name."""

from pathlib import Path

import jax
import pytest

import genjax
from genjax.ops import platform


def test_no_mathematics_elsewhere_asks_for_the_backend() -> None:
    root = Path(genjax.__file__).parent
    asking = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if "default_backend" in path.read_text() and path.parent.name != "engine"
    }
    assert asking == {"ops/platform.py"}


SUITS = {  # on CPU, NVIDIA's GPUs, TPUs
    "convolution": ("matmul", "stock", "stock"),
    "bias": ("matmul", "stock", "stock"),
    "sums": ("matmul", "stock", "stock"),
    "rows of tables": ("matmul", "stock", "stock"),
    "convolutional passes": ("narrow", "wide", "wide"),
    "loops over steps": ("dynamic", "static", "static"),
    "keys of steps": ("within", "before", "before"),
    "metrics of steps": ("apart", "together", "together"),
    "recurrence": ("rolled", "unrolled", "unrolled"),
    "binary search": ("scan", "scan_unrolled", "scan_unrolled"),
    "scores": ("whole", "blocks", "blocks"),
    "attention": ("plain", "cudnn", "flash"),
}


@pytest.mark.parametrize("operation", platform._LOWERINGS)
@pytest.mark.parametrize(("backend", "number"), [("cpu", 0), ("gpu", 1), ("tpu", 2)])
def test_auto_is_what_suits_the_backend(operation, backend, number, monkeypatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    suits = SUITS[operation][number]
    assert platform.lowering(operation) == platform.lowering(operation, "auto") == suits
    by_name = platform.choices(operation)[1:]
    assert [platform.lowering(operation, name) for name in by_name] == list(by_name)


def test_passes_without_gradients_have_stock_convolutions_on_a_cpu_too(monkeypatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert platform.lowering("convolution") == "matmul"
    with platform.forward_only():
        assert platform.lowering("convolution") == "stock"
        assert platform.lowering("convolution", "matmul") == "matmul"  # if it is asked for
        assert platform.lowering("sums") == "matmul"


def test_an_unknown_lowering_is_refused() -> None:
    with pytest.raises(ValueError, match="lowering='winograd': must be one of auto, matmul, stock"):
        platform.lowering("convolution", "winograd")
