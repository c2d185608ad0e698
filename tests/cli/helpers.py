"""Running the programs: in this process, where it is fast, or as real processes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 300  # seconds, of a process on a busy machine

# A model that compiles fast and runs a step in a fraction of a millisecond.
TINY = (
    f"--config={ROOT}/configs/autoencoder.py",
    "--config.epochs=0",
    "--config.batch_size=16",
    "--config.model.encoder_hidden=(8,)",
    "--config.model.decoder_hidden=(8,)",
    "--config.model.latent_dim=2",
    "--config.num_samples=4",
)
# A language model, likewise.
TINY_TEXT = (
    f"--config={ROOT}/configs/rnn_lm.py",
    "--config.steps=8",
    "--config.batch_size=8",
    "--config.eval_every=0",
    "--config.sample_every=4",
    "--config.checkpoint_every=0",
    "--config.num_samples=3",
    "--config.data.length=12",
    "--config.model.embed_dim=8",
    "--config.model.hidden=8",
    "--config.model.layers=1",
)
# An encoder of words, likewise.
TINY_BERT = (
    f"--config={ROOT}/configs/bert.py",
    "--config.steps=4",
    "--config.batch_size=8",
    "--config.eval_every=0",
    "--config.sample_every=0",
    "--config.checkpoint_every=0",
    "--config.data.length=12",
    "--config.data.min_count=1",
    "--config.model.width=16",
)
# An answerer of dialogues that copies, likewise.
TINY_DIALOGUE = (
    f"--config={ROOT}/configs/summaries_lstm.py",
    "--config.epochs=0",
    "--config.steps=3",
    "--config.batch_size=8",
    "--config.eval_every=0",
    "--config.sample_every=0",
    "--config.num_samples=3",
    "--config.data.tokenizer=word",
    "--config.data.length=24",
    "--config.data.target_length=4",
    "--config.data.test=",
    "--config.model.embed_dim=8",
    "--config.model.hidden=8",
)


def main(program: str, *args: Any) -> int:
    """The exit status of `python -m experiments.PROGRAM ARGS`, run in this process."""
    return import_module(f"genjax.cli.{program}").main([str(a) for a in args])


def out_of(capfd: pytest.CaptureFixture, *args: str) -> str:
    """What a program prints that ends well, run in this process."""
    capfd.readouterr()
    status = main(*args)
    out, err = capfd.readouterr()
    assert status == 0, err
    return out


def start(program: str, *args: Any, **options: Any) -> subprocess.Popen:
    """`python -m experiments.PROGRAM ARGS` as a process; `env` adds to ours, `prefix` is first."""
    env = os.environ | options.pop("env", {})
    command = [
        *options.pop("prefix", ()),
        sys.executable,
        "-m",
        f"experiments.{program}",
        *map(str, args),
    ]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=env, **pipes | options)


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    """Exit status, standard output and standard error, once it has ended."""
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"did not end in {TIMEOUT} s: {out}\n{err}") from None
    return process.returncode, out, err


def run(program: str, *args: Any, **options: Any) -> tuple[int, str, str]:
    """Runs a program to its end as a process."""
    return finish(start(program, *args, **options))


def wait_until(condition: Callable[[], Any], process: subprocess.Popen) -> None:
    """Returns as soon as `condition()` holds while `process` still runs."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if process.poll() is not None:
            out, err = process.communicate()
            raise AssertionError(f"it ended too early, with {process.returncode}: {out}\n{err}")
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError("waited too long")
        time.sleep(0.005)


def checkpoints(workdir: Path) -> list[int]:
    """Steps of the complete checkpoints."""
    from genjax.engine.checkpoints import Checkpoints

    return Checkpoints(workdir / "checkpoints").steps()


def leaves(workdir: Path, step: Any = None) -> dict[str, np.ndarray]:
    """Every leaf of a checkpointed state, keys as their integers."""
    import genjax

    pairs = jax.tree_util.tree_flatten_with_path(genjax.load(workdir, step).state)[0]
    return {
        jax.tree_util.keystr(path): np.asarray(
            jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x
        )
        for path, x in pairs
    }


def assert_same_bits(a: Path, b: Path, step: Any = None) -> None:
    """The newest checkpoints of both runs (or the best) are equal in every bit of every leaf."""
    first, second = leaves(a, step), leaves(b, step)
    assert first.keys() == second.keys()
    for name, x in first.items():
        assert x.dtype == second[name].dtype
        assert x.tobytes() == second[name].tobytes(), name
