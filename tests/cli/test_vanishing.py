"""A run whose folder vanishes while it trains ends with one line and status 2."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from genjax.engine import loop
from tests.cli.helpers import TINY, finish, main, start, wait_until


def after(monkeypatch: pytest.MonkeyPatch, chunks: int, do: Any) -> None:
    """Calls `do` after so many chunks of the run."""
    advance, count = loop._Training._advance, [0]

    def and_then(self: Any) -> None:
        advance(self)
        count[0] += 1
        if count[0] == chunks:
            self.checkpoints.wait()
            do()

    monkeypatch.setattr(loop._Training, "_advance", and_then)


def remove(run: Path) -> None:
    shutil.rmtree(run)


def rename(run: Path) -> None:
    run.rename(run.with_name("elsewhere"))


def replace(run: Path) -> None:
    rename(run)
    run.mkdir()


def drop_metrics(run: Path) -> None:
    (run / "metrics.jsonl").unlink()


def block_checkpoints(run: Path) -> None:
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    (run / "checkpoints").write_text("")


@pytest.mark.parametrize("chunks", [1, 3])  # in the middle, and after the last one
@pytest.mark.parametrize("vanish", [remove, rename, replace, drop_metrics, block_checkpoints])
def test_it_ends_with_one_line_and_status_2(
    vanish: Any,
    chunks: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    run = tmp_path / "run"
    there: list[Path] = []

    def do() -> None:
        vanish(run)
        there.extend(sorted(tmp_path.rglob("*")))

    after(monkeypatch, chunks, do)
    args = [*TINY, "--config.steps=6", "--config.chunk=2", "--config.log_every=2"]
    assert main("train", *args, f"--workdir={run}", "--config.checkpoint_every=2") == 2
    message = [x for x in capfd.readouterr().err.splitlines() if x.startswith("genjax: ")]
    assert str(run) in message[-1] and len(message[-1]) < 300
    assert not any("Traceback" in x for x in message)
    if vanish is not block_checkpoints:  # nothing is made again, nothing more is written
        assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.slow
def test_a_process_whose_folder_is_removed_ends_by_itself(tmp_path: Path) -> None:
    run = tmp_path / "run"
    args = [*TINY, "--config.steps=100000000", "--config.checkpoint_every=50"]
    process = start("train", *args, f"--workdir={run}")
    wait_until(lambda: any(run.glob("checkpoints/*/genjax_manifest.json")), process)
    shutil.rmtree(run, ignore_errors=True)
    shutil.rmtree(run, ignore_errors=True)  # what was being written while it was removed
    status, _, err = finish(process)
    assert status == 2 and "Traceback" not in err
