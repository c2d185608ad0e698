import contextlib
import io
import os
import pty
import termios

from genjax.engine.progress import Progress


def test_plain_lines_tell_step_rate_time_left_and_metrics():
    stream = io.StringIO()
    progress = Progress(1000, stream=stream)
    for step in (100, 200, 300):
        progress.update(step, {"loss": 0.123456, "accuracy": 1.0})
    progress.update(350)
    progress.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3  # updates without metrics are silent
    assert lines[-1].startswith("step 300/1000  ")
    assert " steps/s  0:00:0" in lines[-1]
    assert lines[-1].endswith("left  loss 0.1235  accuracy 1")


def test_the_rate_leaves_out_the_first_chunk_which_compiles(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("genjax.engine.progress.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = Progress(10_000, 1000, stream=stream)
    for step, second in ((1100, 60.0), (1200, 61.0), (1300, 62.0)):
        now[0] = second
        progress.update(step, {})
    assert progress.rate() == 100.0
    assert stream.getvalue().splitlines()[-1] == "step 1300/10000  100 steps/s  0:01:27 left"


def test_a_terminal_gets_a_bar():
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    with os.fdopen(theirs, "w") as terminal:
        progress = Progress(10, 4, stream=terminal)
        progress.update(5, {"loss": 0.5})
        progress.message("a line of its own")
        progress.update(10, {"loss": 0.25})
        progress.close()
        progress.close()
    text = b""
    with contextlib.suppress(OSError):  # how the end is told
        while more := os.read(ours, 100_000):
            text += more
    os.close(ours)
    text = text.decode()
    assert "5/10" in text
    assert "a line of its own" in text
    assert "10/10" in text
    assert "loss 0.25" in text
    assert "step/s" in text


def test_other_processes_show_nothing():
    stream = io.StringIO()
    progress = Progress(10, enabled=False, stream=stream)
    progress.update(5, {"loss": 1.0})
    progress.message("x")
    progress.close()
    assert stream.getvalue() == ""
