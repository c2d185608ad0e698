"""What the device can do at most, by PyTorch: products of large squares, memory, launches."""

import functools
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import described, settle

_RUNS = 5
_LAUNCHES = 1000
_PRODUCTS = {  # dtype and float32 precision of the products
    "float32": (torch.float32, "highest"),
    "tf32": (torch.float32, "high"),
    "bfloat16": (torch.bfloat16, "high"),
}


def rates(width: int, repeats: int, device: str = "cpu") -> Timed:
    """Sets up the row `ceilings_torch`; see `benchmarks.gpu.ceilings.rates`."""
    settle(device=device)

    def run() -> dict[str, Any]:
        a, b = (torch.randn(width, width, device=device) for _ in range(2))
        rates = {}
        for name, (dtype, precision) in _PRODUCTS.items():
            torch.set_float32_matmul_precision(precision)
            x, y = a.to(dtype), b.to(dtype)
            seconds = _seconds(functools.partial(torch.matmul, x, y), repeats, device)
            rates[name] = 2.0 * width**3 / seconds
        x = torch.randn(4 * width, width, device=device)
        copy = 2.0 * x.nbytes / _seconds(lambda: x + 1, repeats, device)
        one = torch.zeros((), device=device)
        launch = _seconds(lambda: one.add_(1), _LAUNCHES, device)
        return {"gemm_flops": rates, "copy_bytes": copy, "dispatch_seconds": launch}

    return Timed(run, info=described("eager", device))


def _seconds(call: Callable[[], Any], calls: int, device: str) -> float:
    def run() -> float:
        start = time.perf_counter()
        for _ in range(calls):
            call()
        if device != "cpu":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / calls

    run()
    return median(run() for _ in range(_RUNS))
