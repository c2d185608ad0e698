"""`make` installs JAX for the machine it runs on."""

import os
import subprocess

import pytest

from tests.engine.processes import ROOT


@pytest.mark.parametrize(
    ("driver", "extra"), [(None, ""), ("570.86.15", "[cuda12]"), ("580.95.05", "[cuda13]")]
)
def test_it_installs_what_the_driver_runs(driver, extra, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho {driver}\n" if driver else "#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = ["make", "-n", "-B", ".venv/installed"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert f"installing genjax{extra} into .venv" in done.stdout
