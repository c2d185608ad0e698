import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.helpers import TINY, TINY_BERT, TINY_DIALOGUE, TINY_TEXT, main


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("trained") / "run"
    assert main("train", *TINY, f"--workdir={workdir}", "--config.steps=4") == 0
    return workdir


@pytest.fixture
def trained(_trained: Path, tmp_path: Path) -> Path:
    """A finished run of 4 steps, for one test to do with as it likes."""
    return shutil.copytree(_trained, tmp_path / "trained")


@pytest.fixture(scope="session")
def _text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = "the quick brown fox jumps over a lazy dog ; größer als 3 Füchse ."
    words = text.split()
    lines = [" ".join(words[(i * j) % len(words)] for j in range(3, 12)) for i in range(300)]
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def _writer(tmp_path_factory: pytest.TempPathFactory, _text: Path) -> Path:
    workdir = tmp_path_factory.mktemp("writer") / "run"
    data = f"--config.data.name=text:{_text}"
    assert main("train", *TINY_TEXT, data, f"--workdir={workdir}") == 0
    return workdir


@pytest.fixture
def writer(_writer: Path, tmp_path: Path) -> Path:
    """A finished run of a language model of characters, likewise."""
    return shutil.copytree(_writer, tmp_path / "writer")


@pytest.fixture(scope="session")
def _reader(tmp_path_factory: pytest.TempPathFactory, _text: Path) -> Path:
    workdir = tmp_path_factory.mktemp("reader") / "run"
    data = f"--config.data.name=text:{_text}"
    assert main("train", *TINY_BERT, data, f"--workdir={workdir}") == 0
    return workdir


@pytest.fixture
def reader(_reader: Path, tmp_path: Path) -> Path:
    """A finished run of BERT, likewise."""
    return shutil.copytree(_reader, tmp_path / "reader")


@pytest.fixture(scope="session")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of dialogues, of words, that copies; nobody writes into it."""
    folder = tmp_path_factory.mktemp("dialogue")
    words = [f"w{i}" for i in range(20)]
    lines = [" ".join(words[(i * j) % 20] for j in range(1, 4)) for i in range(40)]
    context = "".join(f"user: {a} system: {b} user: {a}\n" for a, b in itertools.pairwise(lines))
    (folder / "context").write_text(context)
    (folder / "response").write_text("".join(f"{b}\n" for b in lines[1:]))
    data = f"--config.data.name=pairs:{folder}/context,{folder}/response"
    assert main("train", *TINY_DIALOGUE, data, f"--workdir={folder}/run") == 0
    return folder / "run"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """`disk("size=1m")` mounts a small file system of its own; needs to be root."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        path = tmp_path / f"disk{len(mounted)}"
        path.mkdir()
        try:
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("mounting a file system is not permitted here")
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
