"""The persistent compilation cache: on by default, in a folder that only its user can write.

What the cache holds is run as machine code, so a folder that others could have written to is never
used. XLA's programs for the CPU are made for the very model they were compiled on; folders are
therefore one for each jaxlib and kind of CPU (a home directory may be shared by many).
"""

import hashlib
import os
import platform
import stat
from pathlib import Path

import jax
import jaxlib
from absl import logging


def enable_compilation_cache(dir: str | os.PathLike[str] | None = None) -> Path | None:
    """Turns the cache on, before anything is compiled.

    Args:
      dir: the folder; by default what `JAX_COMPILATION_CACHE_DIR` names, taken as it is, and
        otherwise `genjax/xla/<jaxlib>-<cpu>` in `$XDG_CACHE_HOME` or `~/.cache`.

    Returns:
      The folder, or None where there is none that can be trusted and written (a warning says why)
      or where `JAX_ENABLE_COMPILATION_CACHE=0` forbids it.
    """
    if not jax.config.values["jax_enable_compilation_cache"]:
        return None
    given = jax.config.values["jax_compilation_cache_dir"]
    if dir is None and given:
        folder = Path(given)
    else:
        folder = _default_folder() if dir is None else Path(dir).expanduser().absolute()
        fault = _make_private(folder, levels=3 if dir is None else 1)
        if fault:
            logging.warning("No compilation cache: %s", fault)
            return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # JAX leaves out what compiles in under a second. Starting takes dozens of such programs.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def _default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base).absolute() / "genjax" / "xla" / f"{jaxlib.__version__}-{_cpu()}"


def _cpu() -> str:
    """Returns eight letters that stand for the model and the features of this machine's CPU."""
    lines = [platform.machine()]
    try:
        with open("/proc/cpuinfo") as f:
            for line in f:
                if not line.strip():
                    break  # the other cores are alike
                if line.split(":")[0].strip() in ("model name", "flags", "Features", "CPU part"):
                    lines.append(line)
    except OSError:
        lines.append(platform.processor())
    return hashlib.blake2b("".join(lines).encode(), digest_size=4).hexdigest()


def _make_private(folder: Path, *, levels: int) -> str:
    """Makes `folder` with mode 0700, checks its last `levels` parts; says why it is of no use."""
    try:
        parts = [folder, *folder.parents][:levels][::-1]
        parts[0].parent.mkdir(parents=True, exist_ok=True)
        for part in parts:
            part.mkdir(mode=0o700, exist_ok=True)
            info = part.lstat()
            if not stat.S_ISDIR(info.st_mode):
                return f"{part} is not a folder"
            if info.st_uid != os.geteuid():
                return f"{part} belongs to another user (id {info.st_uid})"
            if info.st_mode & 0o022:
                return (
                    f"{part} can be written by others (mode {stat.S_IMODE(info.st_mode):04o}), "
                    "so its content cannot be trusted; remove it"
                )
        folder.chmod(0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            return f"{folder} cannot be written"
    except (OSError, RuntimeError) as error:
        return f"{folder}: {error}"
    return ""
