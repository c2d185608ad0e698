"""Runs pieces of Python in fresh processes, with simulated devices, alone or as one JAX program."""

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]

_JOIN = """
import sys, jax
jax.distributed.initialize(sys.argv.pop(1), int(sys.argv.pop(1)), int(sys.argv.pop(1)))
"""


def start_python(code: str, *args, devices: int = 1, processes: int = 1) -> list[subprocess.Popen]:
    """Starts `code` with `sys.argv[1:] == args` in processes that form one JAX program."""
    env = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_PLATFORMS": "cpu"}
    code = textwrap.dedent(code)
    commands = [[sys.executable, "-c", code, *map(str, args)]]
    if processes > 1:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{s.getsockname()[1]}"
        commands = [
            [sys.executable, "-c", _JOIN + code, address, str(processes), str(i), *map(str, args)]
            for i in range(processes)
        ]
    return [
        subprocess.Popen(
            command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for command in commands
    ]


def finish(children: list[subprocess.Popen], timeout: float = 120) -> list[tuple[str, str]]:
    """Waits for all to succeed; their (standard output, standard error)."""
    try:
        outputs = [child.communicate(timeout=timeout) for child in children]
    finally:
        for child in children:
            child.kill()
    for child, (_, error) in zip(children, outputs, strict=True):
        assert child.returncode == 0, error[-4000:]
    return outputs


def run_python(code: str, *args, devices: int = 1, processes: int = 1) -> list[tuple[str, str]]:
    """`start_python` and `finish` in one."""
    return finish(start_python(code, *args, devices=devices, processes=processes))
