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


def test_no_rate_is_told_before_one_is_known(monkeypatch):
    """The first chunk compiles, and may begin at any step of a resumed run."""
    now = [0.0]
    monkeypatch.setattr("genjax.engine.progress.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = Progress(10_000, 9000, stream=stream)
    now[0] = 30.0
    progress.update(9005, {"loss": 1.0})
    assert stream.getvalue() == "step 9005/10000  ? steps/s  ? left  loss 1\n"


class Terminal:
    """A terminal of some columns, and what it was sent."""

    def __init__(self, columns):
        self._ours, theirs = pty.openpty()
        self.stream = os.fdopen(theirs, "w")
        self.resize(columns)

    def resize(self, columns):
        termios.tcsetwinsize(self.stream.fileno(), (24, columns))

    def read(self):
        self.stream.close()
        text = b""
        with contextlib.suppress(OSError):  # how the end is told
            while more := os.read(self._ours, 100_000):
                text += more
        os.close(self._ours)
        return text.decode()


def lines(text):
    """What stands in the line of the bar, drawing after drawing."""
    return [line.rstrip() for line in text.replace("\r\n", "\n").replace("\n", "\r").split("\r")]


def test_a_terminal_gets_a_bar():
    terminal = Terminal(120)
    progress = Progress(10, 4, stream=terminal.stream)
    progress.update(5, {"loss": 0.5})
    progress.update(10, {"loss": 0.25})
    progress.close()
    progress.close()
    drawn = lines(terminal.read())
    assert "[#####.....] step 5/10  ? steps/s  ? left  loss 0.5" in drawn
    assert drawn[-1] == "" and drawn[-2].startswith("[##########] step 10/10  ")
    assert drawn[-2].endswith(" steps/s  0:00:00 left  loss 0.25")


METRICS = {f"metric_{i}": i / 7 for i in range(9)}


def test_the_bar_shows_as_many_whole_metrics_as_fit_and_follows_a_resize():
    terminal = Terminal(100)
    progress = Progress(100, stream=terminal.stream)
    for step, columns in enumerate((100, 60, 200, 20), start=1):
        terminal.resize(columns)
        progress.update(step, METRICS)
    drawn = [line for line in lines(terminal.read()) if "step" in line]
    shown = [line.count("metric_") for line in drawn]
    parts = [f"{name} {value:.4g}" for name, value in METRICS.items()]
    assert [len(line) < columns for line, columns in zip(drawn, (100, 60, 200, 20))] == [True] * 4
    assert shown[2] == 9 > shown[0] > shown[1] > 0 == shown[3]
    for line, number in zip(drawn, shown):
        assert [part in line for part in parts] == [i < number for i in range(9)]


def test_a_shorter_line_leaves_nothing_of_a_longer_one():
    terminal = Terminal(100)
    progress = Progress(100, stream=terminal.stream)
    progress.update(1, {"loss": 0.123456, "accuracy": 0.98765, "gradient": 12.345})
    progress.update(2, {"loss": 1.0})
    one, two = (part for part in terminal.read().split("\r") if part)
    assert len(two) == len(one) and two.rstrip().endswith("left  loss 1")


def test_other_processes_show_nothing():
    stream = io.StringIO()
    progress = Progress(10, enabled=False, stream=stream)
    progress.update(5, {"loss": 1.0})
    progress.close()
    assert stream.getvalue() == ""
