"""Every mistake is one line that names field, value and what is allowed; nothing is written."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.helpers import ROOT, TINY, checkpoints, main, run
from tests.cli.mistakes import IN_FIELDS
from tests.cli.mistakes_elsewhere import ELSEWHERE
from tests.cli.mistakes_in_data import IN_DATA

AE = f"--config={ROOT}/configs/autoencoder.py"
GAN = f"--config={ROOT}/configs/wgan_gp.py"
LM = f"--config={ROOT}/configs/gpt.py"
MISTAKES = IN_FIELDS | IN_DATA | ELSEWHERE


@pytest.fixture
def world(
    tmp_path: Path, trained: Path, writer: Path, reader: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder that the table's relative paths mean."""
    (tmp_path / "syntax.py").write_text("def get_config():\n    return return\n")
    (tmp_path / "raises.py").write_text("import math\n\ndef get_config():\n    return 1 / 0\n")
    (tmp_path / "misspelt.py").write_text(
        "from genjax.families import vae\ndef get_config():\n    c = vae.default_config()\n"
        "    c.loss.kl_wieght = 4.0\n    return c\n"
    )
    (tmp_path / "nothing.py").write_text("x = 1\n")
    (tmp_path / "own.py").write_text("def build(config, spec, total_steps):\n    raise OSError\n")
    (tmp_path / "dict.py").write_text("def get_config():\n    return {'steps': 1}\n")
    (tmp_path / "file.txt").write_text("a file")
    (tmp_path / "blank.txt").write_text("")
    (tmp_path / "good.txt").write_text("good text\n" * 40)
    (tmp_path / "three.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "nothing.txt").write_text("\n")
    (tmp_path / "latin1.txt").write_bytes("good\nMädchen\n".replace("M", "ein").encode("latin-1"))
    (tmp_path / "bad.conll").write_text("EU B-ORG\nrejects\n")
    (tmp_path / "labeled.tsv").write_text("a lazy dog\tdog\na brown fox\tfox\n" * 20)
    shutil.copytree(reader, tmp_path / "no_tokenizer", ignore=lambda *_: ["tokenizer"])
    for name in ("empty", "folder.png", "begun", "swept"):
        (tmp_path / name).mkdir()
    (tmp_path / "swept/sweep.json").write_text('{"groups": [], "members": []}')
    (tmp_path / "begun/config.json").write_text((trained / "config.json").read_text())
    for folder, odd in (
        ("good", None),
        ("broken", b"no picture"),
        ("mixed", np.zeros((9, 9), np.uint8)),
    ):
        (tmp_path / folder).mkdir()
        for i in range(6):
            Image.fromarray(np.full((8, 8), 40 * i, np.uint8)).save(tmp_path / folder / f"{i}.png")
        if isinstance(odd, bytes):
            (tmp_path / folder / "3.png").write_bytes(odd)
        elif odd is not None:
            Image.fromarray(odd).save(tmp_path / folder / "3.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_one_line_and_nothing_is_written(
    name: str,
    world: Path,
    capfd: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # Decoding good pictures may be cached, but not here.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    before = _content(world)
    command, expected = MISTAKES[name]
    program, *args = _words(command)
    capfd.readouterr()
    assert main(program, *args) == 2
    out, err = capfd.readouterr()
    assert not out
    _is_one_line(err, expected.split(" | "))
    assert _content(world) == before


def test_there_are_at_least_25_cases() -> None:
    assert len(MISTAKES) == len(IN_FIELDS) + len(IN_DATA) + len(ELSEWHERE) >= 25


# What needs a process of its own: devices, users, disks.


def test_batch_that_devices_do_not_divide(tmp_path: Path) -> None:
    status, out, err = run(
        "train",
        *TINY,
        f"--workdir={tmp_path / 'new'}",
        "--config.steps=2",
        "--config.batch_size=12",
        "--config.executor=sharded",
        env={"JAX_NUM_CPU_DEVICES": "8"},
    )
    assert (status, out) == (2, "")
    _is_one_line(err, ["config.batch_size=12", "number of devices, 8"])
    assert not (tmp_path / "new").exists()


def test_real_process_tells_a_mistake_in_one_line(tmp_path: Path) -> None:
    status, out, err = run("train", AE, f"--workdir={tmp_path / 'new'}", "--config.batch_size=5000")
    assert (status, out) == (2, "")
    _is_one_line(err, ["config.batch_size=5000", "at most"])
    assert not list(tmp_path.iterdir())


# Takes from root the right to read what a mode forbids (PR_CAPBSET_DROP of two CAP_DAC_…), then
# becomes the program.
_WITHOUT_POWER_OVER_FILES = """
import ctypes, os, sys
for capability in (1, 2):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_unreadable_folder_of_images(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0)
    status, out, err = run(
        "train",
        AE,
        f"--workdir={tmp_path / 'new'}",
        f"--config.data.name=images:{folder}",
        prefix=[sys.executable, "-c", _WITHOUT_POWER_OVER_FILES],
    )
    assert (status, out) == (2, "")
    _is_one_line(err, [f"config.data.name='images:{folder}'", "cannot read", "Permission denied"])
    assert not (tmp_path / "new").exists()


def test_read_only_disk(disk: Callable[[str], Path], capfd: pytest.CaptureFixture) -> None:
    path = disk("ro,size=1m")
    assert main("train", *TINY, f"--workdir={path / 'new'}", "--config.steps=2") == 2
    _is_one_line(capfd.readouterr().err, [f"--workdir={path}/new", str(path), "read-only"])


def test_disk_that_is_full_before_the_run(
    disk: Callable[[str], Path], capfd: pytest.CaptureFixture
) -> None:
    path = disk("size=64k")
    with (path / "filler").open("wb", buffering=0) as f, pytest.raises(OSError):
        while True:
            f.write(bytes(4096))
    assert main("train", *TINY, f"--workdir={path / 'new' / 'run'}", "--config.steps=2") == 2
    _is_one_line(capfd.readouterr().err, [f"--workdir={path}/new/run", "No space left"])
    assert [p.name for p in path.iterdir()] == ["filler"]


def test_disk_that_fills_up_during_a_run(disk: Callable[[str], Path]) -> None:
    """The second checkpoint does not fit; the first one is named and can be gone on from."""
    path = disk("size=1400k")
    status, _, err = run(
        "train",
        *TINY,
        f"--workdir={path / 'run'}",
        "--config.steps=40",
        "--config.log_every=10",
        "--config.checkpoint_every=10",
        "--config.model.encoder_hidden=(512,)",
        "--config.model.decoder_hidden=(512,)",
    )
    assert status == 2
    assert "Traceback" not in err
    line = err.strip().splitlines()[-1]
    step = checkpoints(path / "run")[-1]
    assert "cannot save checkpoint" in line
    assert f"the newest checkpoint is {path / 'run' / 'checkpoints' / str(step)}" in line
    assert json.loads((path / "run" / "config.json").read_text())["config"]["steps"] == 40


def _words(command: str) -> list[str]:
    recipes = {"TINY": list(TINY), "NEW": ["--workdir=new"]}
    words: list[str] = []
    for word in shlex.split(command):
        name, _, argument = word.partition(":")
        path = {"AE": AE, "GAN": GAN, "LM": LM}.get(name)
        words += recipes.get(word, [word] if path is None else [f"{path}:{argument}".rstrip(":")])
    return words


def _is_one_line(err: str, expected: list[str]) -> None:
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert re.match("genjax: ", lines[0])
    for text in expected:
        assert text in lines[0]


def _content(folder: Path) -> dict[str, float]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*")}
