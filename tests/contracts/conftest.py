"""What the contract tests share: each recipe is compiled once for all of them."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from genjax.engine import loop
from genjax.engine.executor import Executor
from genjax.engine.run import Run, prepare
from tests.contracts import recipes
from tests.contracts.resuming import trained_and_killed


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For pictures and decoded data."""
    return tmp_path_factory.mktemp("contracts")


@pytest.fixture(scope="session")
def scanned(folder: Path) -> Callable[[str], Run]:
    """The recipe under executor `scan`, prepared once; chunks of 4 steps, 20 in all."""
    return functools.cache(lambda name: prepare(recipes.lipschitz(recipes.tiny(name, folder))))


@pytest.fixture(params=recipes.marked(recipes.names()))
def name(request: pytest.FixtureRequest) -> str:
    """Every recipe and variant."""
    return request.param


@pytest.fixture(scope="module")
def killed(
    tmp_path_factory: pytest.TempPathFactory, folder: Path, request: pytest.FixtureRequest
) -> Path:
    """Where the recipes of a file were trained by a process that was killed."""
    workdirs = tmp_path_factory.mktemp("killed")
    trained_and_killed(workdirs, folder, recipes.selected(request))
    return workdirs


@pytest.fixture(autouse=True)
def no_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what a run does after its end, for its summary: it takes longer than tiny runs."""
    monkeypatch.setattr(loop, "measured_gemm_rate", lambda dtype: 1.0)
    monkeypatch.setattr(Executor, "step_flops", lambda self: 1.0)
