"""What a run was made by: versions, devices, and the revision of genjax's own repository."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

_DISTRIBUTION = "genjax-families"  # as pyproject.toml names it; "genjax" is another project


def ran_on() -> dict[str, Any]:
    """Returns `versions`, `device` and `git_revision`, as `config.json` has them."""
    device = jax.devices()[0]
    return {
        "versions": {"python": platform.python_version()}
        | {name: _version(name) for name in ("jax", "jaxlib", "flax", "optax")}
        | {"genjax": _version(_DISTRIBUTION)},
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "count": jax.device_count(),
            "processes": jax.process_count(),
        },
        "git_revision": _git_revision(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    """Returns the revision that genjax is run from, None outside its own repository."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root), "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
