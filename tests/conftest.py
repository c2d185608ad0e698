"""Where tests run (CPU, with a compile cache that all test processes share) and where data lies."""

import ctypes
import gc
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent

# Set before jax is imported, and in the environment so that subprocesses inherit it.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genjax-tests"
_CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
# The threads of LAPACK wait for one another by spinning: with as many processes as cores, a
# Cholesky factor of 512 x 512 then takes 270 ms where one thread alone takes 2.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Most of the fast tests' time is compiling, and three quarters of that is optimizing, which `make`
# leaves out but for slow tests of what must be equal to the bit: those see programs as users do.
if os.environ.get("GENJAX_TEST_COMPILE") == "quick":
    _QUICK = ["--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true"]
    if version("jaxlib").startswith("0.10."):
        _QUICK.append("--xla_cpu_use_fusion_emitters=false")  # an unknown flag in later ones
    else:
        _QUICK.append("--xla_cpu_opt_preset=CPU_OPT_PRESET_FAST_COMPILE")
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *_QUICK])


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets: GENJAX_TEST_DATA, or ../shared/data beside the repository."""
    path = Path(os.environ.get("GENJAX_TEST_DATA") or _ROOT.parent / "shared" / "data")
    if not path.is_dir():
        pytest.skip(f"no data at {path}: set GENJAX_TEST_DATA")
    return path


_PAGES = 1_100 * 2**20 // os.sysconf("SC_PAGE_SIZE")  # 1.15 GB


@pytest.fixture(autouse=True, scope="module")
def _few_programs() -> Iterator[None]:
    """Lets go of compiled programs, of which half of the tests make gigabytes.

    Each holds memory mappings as well, and the process that gets none any more ends
    (vm.max_map_count: 65,530; SIGABRT inside XLA).
    """
    yield
    statm = Path("/proc/self/statm")
    if statm.exists() and int(statm.read_text().split()[1]) > _PAGES:
        import jax

        jax.clear_caches()
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back to Linux
