"""What a run writes for its reader: `metrics.jsonl`, and TensorBoard scalars, images, texts."""

import json
import logging
import math
import os
import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genjax.core import files

METRICS = "metrics.jsonl"
_EVENTS = "tensorboard"
_SAMPLES = "samples"


class Writers:
    """Writes to `workdir/metrics.jsonl` and to `workdir/tensorboard/`.

    A line of `metrics.jsonl` is one object: `step`, `wall_seconds` (time spent training, summed
    over resumed runs), then the metrics. It is written whole and at once, so a kill costs at most
    the line that was under way. JSON has no word for values that are not finite: they are the
    strings "NaN", "Infinity" and "-Infinity", which `float()` of Python reads back.

    Opening drops what an earlier run wrote after `start_step`: those steps are done again.

    Args:
      workdir: the run's folder; made if absent.
      enabled: False on every process but 0: nothing is opened and nothing is written.
      start_step: the step that the run resumes from; 0 begins anew.
      num_members: of a population, of whose finite members TensorBoard gets the mean (`NAME`) and
        range (`NAME_min`, `NAME_max`), with the number of the others as soon as there are some
        (`NAME_not_finite`); 0 for a single run.
    """

    def __init__(
        self,
        workdir: str | os.PathLike[str],
        *,
        enabled: bool = True,
        start_step: int = 0,
        num_members: int = 0,
    ) -> None:
        self._enabled, self._num_members = enabled, num_members
        if not enabled:
            return
        self._workdir, self._start_step = Path(workdir), start_step
        self._workdir.mkdir(parents=True, exist_ok=True)
        path = self._workdir / METRICS
        rows = [row for row in read_metrics(path) if row["step"] <= start_step and start_step > 0]
        if path.exists():
            write_metrics(path, rows)
        self._before = max((float(row.get("wall_seconds", 0.0)) for row in rows), default=0.0)
        self._began = time.monotonic()
        self._file = path.open("ab", buffering=0)
        self._opened = _identity(self._workdir.stat()), _identity(os.fstat(self._file.fileno()))
        self._events: Any = None

    def check(self) -> None:
        """Raises `OSError` unless folder and file are those that were opened.

        What is written to a file that was removed is lost without an error, and a folder that was
        removed or renamed must not be made again by what is written next.
        """
        if not self._enabled:
            return
        for path, opened in zip((self._workdir, self._workdir / METRICS), self._opened):
            try:
                same = _identity(path.stat()) == opened
            except OSError:
                same = False
            if not same:
                raise OSError(f"{path}: is gone, removed or renamed while the run wrote to it")

    def scalars(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Writes one row.

        Args:
          step: number of updates made.
          metrics: by full name (`train/loss`, `eval/loss`, …): numbers, or lists of numbers, which
            TensorBoard gets by their mean; of a population one number or list a member.
        """
        if not self._enabled:
            return
        self.check()
        seconds = round(self._before + time.monotonic() - self._began, 3)
        row: dict[str, Any] = {"step": int(step), "wall_seconds": seconds}
        row |= to_json(metrics)
        self._append(_line(row).encode())
        for name, value in metrics.items():
            for tag, number in self._curves(name, np.asarray(value, np.float64)):
                self._tensorboard().add_scalar(tag, number, int(step))

    def _curves(self, name: str, value: np.ndarray) -> list[tuple[str, float]]:
        """Returns what TensorBoard shows of a number: one curve, or those of a population."""
        if self._num_members < 2 or value.shape[:1] != (self._num_members,):
            return [(name, float(value.mean()))]
        members = value.reshape(self._num_members, -1).mean(1)
        finite = members[np.isfinite(members)]
        curves = [(f"{name}_not_finite", float(members.size - finite.size))]
        curves = curves if finite.size < members.size else []
        if not finite.size:
            return [(name, math.nan), *curves]
        range_ = [(f"{name}_min", float(finite.min())), (f"{name}_max", float(finite.max()))]
        return [(name, float(finite.mean())), *range_, *curves]

    def images(self, step: int, tag: str, image: np.ndarray) -> None:
        """Shows an image, uint8 (H, W, 1 or 3), and writes it to `samples/<tag>_<step>.png`."""
        if not self._enabled:
            return
        self.check()
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3):
            raise ValueError(f"{tag}: must be uint8 (H, W, 1 or 3), is {image.dtype}{image.shape}")
        self._tensorboard().add_image(tag, image, int(step), dataformats="HWC")
        from genjax.plots.grid import save_png

        save_png(self._workdir / _SAMPLES / f"{tag}_{int(step):07d}.png", image)

    def text(self, step: int, tag: str, text: str) -> None:
        """Shows a text as it is, and writes it to `samples/<tag>_<step>.txt`."""
        if not self._enabled:
            return
        self.check()
        # TensorBoard reads Markdown: what is indented stays as it is.
        self._tensorboard().add_text(tag, textwrap.indent(text, "    ", lambda _: True), int(step))
        path = self._workdir / _SAMPLES / f"{tag}_{int(step):07d}.txt"
        path.parent.mkdir(exist_ok=True)
        files.write_whole(path, text)

    def close(self) -> None:
        """Closes the files; safe to call twice."""
        if self._enabled:
            self._file.close()
            if self._events is not None:
                self._events.close()
                self._events = None

    def __enter__(self) -> "Writers":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        try:
            whole = self._file.write(line) == len(line)
        except OSError as error:
            raise OSError(f"{self._file.name}: cannot be written ({error.strerror})") from error
        if not whole:
            raise OSError(f"{self._file.name}: cannot be written (no space is left)")

    def _tensorboard(self) -> Any:
        if self._events is None:
            from tensorboardX import SummaryWriter

            # It warns of every NaN it is given; a reader sees them in the plot.
            logging.getLogger("tensorboardX.x2num").setLevel(logging.ERROR)
            self._events = SummaryWriter(
                str(self._workdir / _EVENTS),
                # TensorBoard hides what earlier files hold at this step and later.
                purge_step=self._start_step + 1 if self._start_step else 0,
                # Its file names tell seconds only: two runs within one would share a file.
                filename_suffix=f".{time.time_ns()}",
            )
        return self._events


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def read_metrics(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Reads the rows of a `metrics.jsonl` that are not damaged; none where there is no file.

    Values that were not finite are floats again. Damaged is what is torn, is no object, has no
    whole number for its step, or for some value something else than numbers, or than as many of
    them as the other rows have under that name.
    """
    if not Path(path).is_file():
        return []
    rows = [row for line in files.lines(Path(path)) if (row := _row(line))]
    shapes: dict[str, Counter[tuple[int, ...]]] = {}
    for row in rows:
        for name, value in row.items():
            shapes.setdefault(name, Counter())[np.shape(value)] += 1
    usual = {name: counts.most_common(1)[0][0] for name, counts in shapes.items()}
    return [row for row in rows if all(np.shape(v) == usual[n] for n, v in row.items())]


def last_evaluation(workdir: Path) -> dict[str, Any]:
    """Returns the numbers of the run's last evaluation by name; empty before the first."""
    rows = [r for r in read_metrics(workdir / METRICS) if any(n.startswith("eval/") for n in r)]
    last = rows[-1] if rows else {}
    return {n.removeprefix("eval/"): v for n, v in last.items() if n.startswith("eval/")}


def _row(line: str) -> dict[str, Any] | None:
    """Reads a line as a row; None if it is damaged."""
    if not line.isascii():  # what is written is, whatever a name holds
        return None
    try:
        row = files.parse_json(line, finite=False)
        if not isinstance(row, dict) or type(row.get("step")) is not int or row["step"] < 0:
            return None
        row = {name: _number(value) for name, value in row.items()}
        for value in row.values():
            np.asarray(value, np.float64)  # numbers of one shape
        return row
    except (ValueError, TypeError, OverflowError):
        return None


def write_metrics(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Makes `rows` the content of `path`, all of them or nothing."""
    files.write_whole(path, "".join(_line(to_json(row)) for row in rows))


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"


_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


def plain(value: Any) -> Any:
    """Returns a number, or a list of those of members, in float64."""
    value = np.asarray(value, np.float64)
    return float(value) if value.ndim == 0 else value.tolist()


def to_json(value: Any) -> Any:
    """Returns numbers, arrays, mappings and lists as JSON has them: what is not finite as text.

    `from_json` is the inverse, up to arrays, which come back as lists.
    """
    if isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {name: to_json(v) for name, v in value.items()}
    if not isinstance(value, list):
        value = np.asarray(value).tolist()
    if isinstance(value, list):
        return [to_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def from_json(value: Any) -> Any:
    """Reads what `to_json` has written."""
    if isinstance(value, dict):
        return {name: from_json(v) for name, v in value.items()}
    if isinstance(value, list):
        return [from_json(v) for v in value]
    return float(value) if isinstance(value, str) and value in _NOT_FINITE else value


def _number(value: Any) -> Any:
    """Reads as `from_json`; a TypeError for what is no number, or numbers in lists."""
    if isinstance(value, list):
        return [_number(v) for v in value]
    if isinstance(value, str) and value in _NOT_FINITE:
        return float(value)
    if type(value) not in (int, float):
        raise TypeError(f"{value!r} is no number")
    return value
