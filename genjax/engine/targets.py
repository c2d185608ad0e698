"""Targets that a teacher writes for the sources of a run, by beam search, once.

Source: Kim and Rush 2016 (Sequence-level knowledge distillation), section 3.2: the mode of the
teacher's distribution over targets stands for all of it, and beam search for the mode.

The run's folder keeps them. Until all are there it keeps parts, each written whole or not at all,
in a folder that the teacher's checksum names: who is killed goes on behind the last part.
"""

import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging

from genjax.core import files
from genjax.core.arrays import read_npz
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec, State
from genjax.core.teaching import TargetTeacher
from genjax.engine.checkpoints import from_process_0
from genjax.engine.layout import TEACHER_TARGETS
from genjax.generation import beam_search, decoder_of

_PART = 1024  # sources of a part
_AT_ONCE = 64  # sources of a program
_PLACES = 8  # by which sources are cut


@dataclass(frozen=True, eq=False)
class Writer:
    """What writes targets: a teacher's family, its state, and what its checkpoint is known by.

    Attributes:
      section: how it searches.
      spec: of the pairs.
      family, state, checksum: of the teacher; None and empty where all targets are there.
    """

    section: TargetTeacher
    spec: DataSpec
    family: Any = None
    state: State | None = None
    checksum: str = ""

    def __call__(
        self, x_NxS: np.ndarray, folder: Path, stopped: Callable[[], bool]
    ) -> np.ndarray | None:
        """Returns targets (N, U), read from the run's folder or written there.

        Each process writes parts of its own. None if one of them was stopped.

        Raises:
          ConfigError: a file of targets is damaged, or cannot be written.
        """
        path, shape = folder / TEACHER_TARGETS, (len(x_NxS), *self.spec.target_shape)
        if self.family is not None and not path.exists():
            with files.writing(path):
                self._write(x_NxS, path, stopped)
            from_process_0(0)  # it is there, or somebody was stopped
        return self._read(path, shape) if path.exists() else None

    def _write(self, x_NxS: np.ndarray, path: Path, stopped: Callable[[], bool]) -> None:
        parts = path.with_name(f"targets-{self.checksum[:12]}")
        parts.mkdir(parents=True, exist_ok=True)
        # Sources of one length cost a search no padding, and are done at about the same time.
        order = np.argsort(np.count_nonzero(x_NxS, axis=1), kind="stable")
        rows = [order[i : i + _PART] for i in range(0, len(order), _PART)]
        named = [(parts / f"{i:05d}.npz", of) for i, of in enumerate(rows)]
        first, number = jax.process_index(), jax.process_count()
        state = jax.device_put(self.state)
        for i, (part, of) in list(enumerate(named))[first::number]:
            if not part.exists():
                y = self._search_all(state, x_NxS[of], stopped)
                if y is None:
                    break
                with files.replacing(part) as file:
                    np.savez(file, y=y)
            logging.info("The teacher has written part %d of %d of the targets", i + 1, len(named))
        from_process_0(0)
        if jax.process_index() == 0 and all(part.exists() for part, _ in named):
            y_NxU = np.zeros((len(x_NxS), *self.spec.target_shape), np.uint32)
            for part, of in named:
                y_NxU[of] = self._read(part, (len(of), y_NxU.shape[1]))
            with files.replacing(path) as file:
                np.savez(file, y=y_NxU)
            shutil.rmtree(parts)

    def _search_all(
        self, state: Any, x_NxS: np.ndarray, stopped: Callable[[], bool]
    ) -> np.ndarray | None:
        """Searches the targets of some sources; None if stopped on the way."""
        found = []
        for start in range(0, len(x_NxS), _AT_ONCE):
            if stopped():
                return None
            x = x_NxS[start : start + _AT_ONCE].astype(np.int32)
            width = -(-np.count_nonzero(x, axis=1).max() // _PLACES) * _PLACES
            whole = np.concatenate([x, np.repeat(x[:1], _AT_ONCE - len(x), 0)])[:, :width]
            found.append(np.asarray(self._search(state, whole))[: len(x)])
        return np.concatenate(found).astype(np.uint32)

    @functools.cached_property
    def _search(self) -> Callable[..., Any]:
        """The program that finds targets (B, U) of sources (B, S), given the teacher's state."""
        family, size, section = self.family, self.spec.target_shape[0], self.section
        options: Any = {"width": section.beam, "alpha": section.length_penalty}

        def search(state: State, x_BxS: jax.Array) -> jax.Array:
            found = beam_search(decoder_of(family, state), x_BxS, size, size=size, **options)
            return found[0][:, 0]

        return jax.jit(search)

    def _read(self, path: Path, shape: tuple[int, ...]) -> np.ndarray:
        where = f"{path} (remove it to write it again)"
        y = read_npz(path, where).get("y", np.zeros(0, np.uint32))
        if y.shape != shape or y.dtype != np.uint32 or y.max() >= self.spec.target_vocab_size:
            raise ConfigError(f"{where}: holds no targets of these data, which are {shape}")
        return y
