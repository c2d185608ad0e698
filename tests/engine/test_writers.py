import json
import math
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from genjax.engine.writers import METRICS, Writers, read_metrics
from tests.engine.processes import ROOT


def events(workdir):
    """(step, tag, value) of all TensorBoard records, in the order of their files' names."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted((workdir / "tensorboard").iterdir()):
        data = path.read_bytes()
        while data:  # length (8), its checksum (4), record, its checksum (4)
            n = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + n])
            data = data[16 + n :]
            if event.HasField("session_log"):
                found.append((event.step, "session", event.session_log.status))
            found += [(event.step, v.tag, v) for v in event.summary.value]
    return found


def test_a_row_is_one_json_object_with_step_and_seconds_first(tmp_path):
    with Writers(tmp_path) as w:
        w.scalars(10, {"train/loss": np.float32(0.5), "train/steps": np.int64(3), "eval/x": 2})
    (line,) = (tmp_path / METRICS).read_text().splitlines()
    row = json.loads(line)
    assert list(row) == ["step", "wall_seconds", "train/loss", "train/steps", "eval/x"]
    assert row["step"] == 10
    assert row["train/loss"] == 0.5
    assert row["wall_seconds"] >= 0


def test_values_that_are_not_finite_stay_valid_json_and_read_back(tmp_path):
    values = {"a": math.nan, "b": np.float32(np.inf), "c": -math.inf, "d": np.array([1, np.nan])}
    with Writers(tmp_path) as w:
        w.scalars(1, values)

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    json.loads((tmp_path / METRICS).read_text(), parse_constant=refuse)
    (row,) = read_metrics(tmp_path / METRICS)
    assert math.isnan(row["a"])
    assert (row["b"], row["c"]) == (math.inf, -math.inf)
    assert row["d"][0] == 1.0
    assert math.isnan(row["d"][1])


def test_rows_after_the_resumed_step_and_torn_lines_are_dropped(tmp_path):
    with Writers(tmp_path) as w:
        for step in (10, 20, 30):
            w.scalars(step, {"loss": step / 10})
    with (tmp_path / METRICS).open("a") as f:
        f.write('{"step": 40, "wall_sec')
    with Writers(tmp_path, start_step=20) as w:
        w.scalars(30, {"loss": 0.25})
    rows = read_metrics(tmp_path / METRICS)
    assert [(r["step"], r["loss"]) for r in rows] == [(10, 1.0), (20, 2.0), (30, 0.25)]
    assert len((tmp_path / METRICS).read_text().splitlines()) == 3
    assert not list(tmp_path.glob("*.tmp"))


def test_a_run_from_the_start_leaves_nothing_of_an_earlier_one(tmp_path):
    with Writers(tmp_path) as w:
        w.scalars(0, {"loss": 1.0})
        w.scalars(10, {"loss": 1.0})
    with Writers(tmp_path) as w:
        w.scalars(0, {"loss": 2.0})
    assert [r["loss"] for r in read_metrics(tmp_path / METRICS)] == [2.0]
    sessions = [step for step, tag, _ in events(tmp_path) if tag == "session"]
    assert sessions[-1] == 0  # TensorBoard hides everything older


def test_seconds_go_on_where_the_resumed_run_stopped(tmp_path):
    (tmp_path / METRICS).write_text(
        '{"step": 10, "wall_seconds": 100.5, "loss": 1.0}\n'
        '{"step": 20, "wall_seconds": 900.0, "loss": 1.0}\n'
    )
    with Writers(tmp_path, start_step=10) as w:
        w.scalars(20, {"loss": 2.0})
    seconds = [r["wall_seconds"] for r in read_metrics(tmp_path / METRICS)]
    assert seconds[0] == 100.5
    assert 100.5 <= seconds[1] < 900


def test_tensorboard_gets_scalars_images_and_text(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    with Writers(tmp_path) as w:
        w.scalars(5, {"train/loss": 0.5, "members": np.array([1.0, 2.0, 6.0])})
        w.images(5, "samples", image)
        w.images(5, "gray", image[..., :1])
        w.text(5, "summary", "it **works**")
    found = {tag: (step, value) for step, tag, value in events(tmp_path)}
    assert found["train/loss"][1].simple_value == 0.5
    assert found["members"][1].simple_value == 3.0
    shown = found["samples"][1].image
    assert (shown.height, shown.width, shown.colorspace) == (4, 6, 3)
    assert "works" in found["summary/text_summary"][1].tensor.string_val[0].decode()
    assert found["gray"][0] == 5


def test_tensorboard_gets_members_by_mean_and_range_of_those_that_are_finite(tmp_path):
    with Writers(tmp_path, num_members=3) as w:
        w.scalars(5, {"loss": [1.0, 2.0, 6.0], "latents": [[0.0, 2.0], [3.0, 3.0], [5.0, 5.0]]})
        w.scalars(6, {"loss": [1.0, math.nan, 3.0]})
        w.scalars(7, {"loss": [math.nan] * 3})
    found = {(tag, step): value.simple_value for step, tag, value in events(tmp_path)[1:]}
    assert [found["loss", 5], found["loss_min", 5], found["loss_max", 5]] == [3, 1, 6]
    assert [found["latents", 5], found["latents_min", 5], found["latents_max", 5]] == [3, 1, 5]
    assert [found["loss", 6], found["loss_min", 6], found["loss_max", 6]] == [2, 1, 3]
    assert ("loss_not_finite", 5) not in found and found["loss_not_finite", 6] == 1
    assert found["loss_not_finite", 7] == 3 and math.isnan(found["loss", 7])


def test_tensorboard_is_told_which_steps_a_resumed_run_does_again(tmp_path):
    with Writers(tmp_path) as w:
        w.scalars(30, {"loss": 1.0})
    with Writers(tmp_path, start_step=20) as w:
        w.scalars(30, {"loss": 2.0})
    steps = [(step, tag) for step, tag, _ in events(tmp_path)]
    assert steps[-2:] == [(21, "session"), (30, "loss")]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2


def test_an_image_of_the_wrong_kind_is_refused(tmp_path):
    with Writers(tmp_path) as w, pytest.raises(ValueError, match=r"samples: must be uint8"):
        w.images(1, "samples", np.zeros((8, 8, 3), np.float32))


def test_other_processes_write_nothing(tmp_path):
    w = Writers(tmp_path / "run", enabled=False)
    w.scalars(1, {"loss": 1.0})
    w.images(1, "x", np.zeros((8, 8, 1), np.uint8))
    w.text(1, "x", "y")
    w.close()
    assert not (tmp_path / "run").exists()


def test_a_killed_run_has_all_its_rows(tmp_path):
    code = """if True:
        import sys
        from genjax.engine.writers import Writers
        w = Writers(sys.argv[1])
        for step in range(1, 10**6):
            w.scalars(step, {"loss": [0.5] * 2000})
            print(step, flush=True)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for _ in range(5):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    said = [5, *map(int, child.communicate(timeout=60)[0].split())][-1]
    lines = (tmp_path / METRICS).read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines[:said]] == list(range(1, said + 1))


JUNK = {
    "torn": b'{"step": 3, "wall_sec',
    "binary": bytes(range(128, 256)),
    "bytes within a name": b'{"step": 3, "wall_seconds": 1, "train/\xff": 0.1}',
    "no object": b"[3, 1]",
    "a word": b'"step"',
    "nested without end": b"[" * 200_000,
    "a step that is text": b'{"step": "3", "wall_seconds": 1, "train/loss": 0.1}',
    "a step that is true": b'{"step": true, "wall_seconds": 1, "train/loss": 0.1}',
    "a step that is broken": b'{"step": 3.5, "wall_seconds": 1, "train/loss": 0.1}',
    "a step below zero": b'{"step": -3, "wall_seconds": 1, "train/loss": 0.1}',
    "no step": b'{"wall_seconds": 1, "train/loss": 0.1}',
    "a value that is text": b'{"step": 3, "wall_seconds": 1, "train/loss": "0.1"}',
    "a value that is true": b'{"step": 3, "wall_seconds": 1, "train/loss": true}',
    "a value that is null": b'{"step": 3, "wall_seconds": 1, "train/loss": null}',
    "an object": b'{"step": 3, "wall_seconds": 1, "train/loss": {"a": 1}}',
    "a list where a number was": b'{"step": 3, "wall_seconds": 1, "train/loss": [0.1]}',
    "a list of other lengths": b'{"step": 3, "wall_seconds": 1, "train/all": [[1, 2], [3]]}',
    "a list of text": b'{"step": 3, "wall_seconds": 1, "train/all": [1, "x"]}',
    "other seconds": b'{"step": 3, "wall_seconds": [1], "train/loss": 0.1}',
    "a number beyond all floats": b'{"step": 3, "wall_seconds": 1, "train/loss": 1%s}'
    % (b"0" * 999),
}


@pytest.mark.parametrize("kind", JUNK)
def test_a_damaged_row_is_passed_over(tmp_path, kind):
    with Writers(tmp_path) as w:
        for step in (2, 4):
            w.scalars(step, {"train/loss": 0.5, "train/all": [1.0, 2.0]})
    path = tmp_path / METRICS
    whole = read_metrics(path)
    first, second = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first, JUNK[kind], second, b""]))
    assert read_metrics(path) == whole
    with Writers(tmp_path, start_step=4):
        pass
    assert path.read_bytes().splitlines() == [first, second]


@pytest.mark.parametrize("what", ["removed", "renamed", "another", "metrics"])
def test_a_folder_that_is_gone_is_an_error_and_is_not_made_again(tmp_path, what):
    folder = tmp_path / "run"
    w = Writers(folder)
    w.scalars(1, {"train/loss": 0.5})
    w.check()
    if what == "metrics":
        (folder / METRICS).unlink()
    elif what == "removed":
        shutil.rmtree(folder)
    else:
        folder.rename(tmp_path / "elsewhere")
    if what == "another":
        folder.mkdir()
    before = sorted(tmp_path.rglob("*"))
    for write in (
        w.check,
        lambda: w.scalars(2, {"train/loss": 0.5}),
        lambda: w.text(2, "samples", "x"),
        lambda: w.images(2, "samples", np.zeros((2, 2, 1), np.uint8)),
    ):
        with pytest.raises(OSError, match=r"run.*: is gone, removed or renamed"):
            write()
    w.close()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_is_told(small_disk):
    w = Writers(small_disk / "run")
    with pytest.raises(OSError, match="No space"):
        (small_disk / "filler").write_bytes(bytes(2_000_000))
    with pytest.raises(OSError, match=r"metrics\.jsonl: cannot be written"):
        for _ in range(2000):
            w._append(b"x" * 100)
    w.close()
