"""What the device and its software are."""

import subprocess
from typing import Any

import jax

from benchmarks.harness import machine
from benchmarks.harness.child import Timed
from benchmarks.harness.training import device_name

_ASKED = "name,driver_version,memory.total,clocks.sm,clocks.max.sm,power.limit,temperature.gpu"
_ALSO = ("flax", "optax", "jax-cuda13-plugin", "jax-cuda12-plugin", "nvidia-cudnn-cu13", "triton")


def facts() -> Timed:
    """Sets up the row `facts`."""
    return Timed(_facts, info={"device": device_name()})


def _facts() -> dict[str, Any]:
    described, device = machine.describe(), jax.devices()[0]
    more = {name: v for name in _ALSO if (v := machine.version(name))}
    return described | {
        "versions": described["versions"] | more,
        "device": device_name(),
        "devices": len(jax.devices()),
        "platform_version": str(device.client.platform_version).splitlines()[0],
        "memory_bytes": (device.memory_stats() or {}).get("bytes_limit"),
        "nvidia_smi": _nvidia_smi(),
    }


def _nvidia_smi() -> dict[str, str] | None:
    """Asks for what the driver says; nothing is set. None: there is no driver."""
    command = ["nvidia-smi", f"--query-gpu={_ASKED}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(zip(_ASKED.split(","), done.stdout.splitlines()[0].split(", ")))
