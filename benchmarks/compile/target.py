"""The devices that recipes are compiled for, and how their compilers are reached without them."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

_HERE = Path(__file__).parent


class Target(NamedTuple):
    """A device: its platform and its rates.

    Attributes:
      platform: of `genjax.ops.platform.PLATFORMS`.
      description: as tables call it.
      peak: operations per second of matrix products, by the config's `precision`.
      bandwidth: bytes per second of its memory.
      link: bytes per second that it sends to others.
      launch: seconds from the start of one kernel to that of the next; 0 where a program is one.
    """

    platform: str
    description: str
    peak: Mapping[str, float]
    bandwidth: float
    link: float
    launch: float


TARGETS = {
    # Dense TF32 and bf16 as they are reached, not as they are printed (notes on accelerators).
    "h100": Target(
        "cuda", "NVIDIA H100 SXM", {"float32": 4e14, "bfloat16": 8e14}, 3.35e12, 4.5e11, 3e-6
    ),
    # A float32 product at the default precision is one bf16 pass there.
    "v5e": Target("tpu", "TPU v5e", {"float32": 1.97e14, "bfloat16": 1.97e14}, 8.19e11, 2e11, 0.0),
    "cpu": Target("cpu", "2 CPU cores", {"float32": 2e11, "bfloat16": 2e11}, 2e10, 1e10, 0.0),
}


class NoCompilerError(Exception):
    """The compiler of a target is not installed."""


def environment(target: str, wheels: str, devices: int) -> dict[str, str]:
    """Returns the variables of a process that compiles for `target`.

    Args:
      target: a key of `TARGETS`.
      wheels: a folder that the extra `compile` was installed into by `pip install --target`; "":
        it is where everything else is.
      devices: how many are compiled for.

    Raises:
      NoCompilerError: its compiler is not there.
    """
    found = dict(os.environ, JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="3")
    found["JAX_NUM_CPU_DEVICES"] = str(devices)
    if wheels:
        paths = [str(Path(wheels).absolute()), found.get("PYTHONPATH", "")]
        found["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    if target == "h100":
        nvcc = _installed("nvidia", wheels) / "cuda_nvcc"
        _installed("jax_cuda12_plugin", wheels)
        flags = f"--xla_gpu_autotune_level=0 --xla_gpu_cuda_data_dir={nvcc}"
        found["XLA_FLAGS"] = f"{flags} {found.get('XLA_FLAGS', '')}".strip()
        found["PATH"] = os.pathsep.join([str(nvcc / "bin"), found.get("PATH", "")])
    elif target == "v5e":
        found["TPU_SKIP_MDS_QUERY"] = "1"
        found["TPU_WORKER_HOSTNAMES"] = "localhost"
        found["TPU_LIBRARY_PATH"] = str(_installed("libtpu", wheels) / "libtpu.so")
    return found


def devices(target: str, number: int) -> list[Any]:
    """Returns devices of a target; but for those of `cpu`, programs can only be compiled for them.

    To be called in a process of its `environment`.
    """
    import jax
    from jax.experimental import topologies

    if target == "cpu":
        return list(jax.devices()[:number])
    if target == "v5e":
        name = "v5e:2x2" if number <= 4 else "v5e:2x4"
        shape = topologies.get_topology_desc(platform="tpu", topology_name=name)
    else:
        text = (_HERE / "h100.txtpb").read_text()
        shape = topologies.get_topology_desc(
            "h100", platform="cuda", target_config=text, topology=f"1x1x{number}"
        )
    return list(shape.devices[:number])


def _installed(package: str, wheels: str) -> Path:
    """Returns the folder of an installed package, which is not imported."""
    if wheels:
        folder = Path(wheels).absolute() / package
        if folder.is_dir():
            return folder
    elif (spec := find_spec(package)) and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    raise NoCompilerError(
        f"{package}: is not installed; pip install '.[compile]' has the compilers (1.3 GB)"
    )
