"""What a row of the check is: one task, or sides that are compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.harness import floor
from benchmarks.harness.floor import Product
from benchmarks.harness.sides import Side


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
      name: of the row.
      about: what it says, in a line.
      sides: ours, then modes of the peer; of a task the one that does it.
      seconds: the most that each side may take.
      unit: what rates count, as `tokens`; empty: it is a task, whose result is the row.
      amount: of these in a unit of the sides' time.
      flops: in a unit of the sides' time, for the share of the peak.
      precision: of the products, `float32` (TF32 on a GPU) or `bfloat16`.
      alone: it is timed, so nothing else runs meanwhile.
    """

    name: str
    about: str
    sides: tuple[Side, ...]
    seconds: float
    unit: str = ""
    amount: float = 1.0
    flops: float = 0.0
    precision: str = "float32"
    alone: bool = True


def task(
    name: str,
    about: str,
    function: str,
    arguments: dict[str, Any],
    seconds: float = 60.0,
    *,
    platforms: str,
    alone: bool = False,
    packages: tuple[str, ...] = (),
) -> Row:
    """Makes the row of a function `benchmarks.FUNCTION`, on JAX's `platforms`.

    Of `cpu` there are two devices, so that a rehearsal as well has one to be compared with.
    """
    env = {**environment(platforms), "JAX_NUM_CPU_DEVICES": "2" if platforms == "cpu" else "1"}
    side = Side(name, f"benchmarks.{function}", arguments, packages, env)
    return Row(name, about, (side,), seconds, alone=alone)


def comparison(
    name: str,
    about: str,
    function: str,
    peer: str,
    arguments: dict[str, Any],
    *,
    modes: str = "",
    device: str,
    unit: str,
    amount: float,
    products: Sequence[Product] = (),
    seconds: float = 120.0,
) -> Row:
    """Makes the row of our side `benchmarks.rows.FUNCTION` and modes of `benchmarks.peers.PEER`."""
    env = environment(device)
    ours = Side("genjax", f"benchmarks.rows.{function}", arguments, env=env)
    theirs = tuple(
        Side(
            f"PyTorch {mode}",
            f"benchmarks.peers.{peer}",
            {"mode": mode, "device": device, **without_ours(arguments)},
            ("torch",),
            env,
        )
        for mode in modes.split()
    )
    precision = str(arguments.get("precision", "float32"))
    return Row(
        name, about, (ours, *theirs), seconds, unit, amount, floor.flops(products), precision
    )


def without_ours(arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments but those that only our side has."""
    return {name: value for name, value in arguments.items() if name != "one_layer"}


def environment(platforms: str) -> dict[str, str]:
    """Returns the variables of a side: two of them share the device's memory."""
    return {"JAX_PLATFORMS": platforms, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
