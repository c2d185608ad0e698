import os
import signal
import threading

import pytest

from genjax.engine.preemption import Preemption
from tests.engine.processes import finish, start_python


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_noted_and_the_work_goes_on(number, monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_DFL)  # also under nohup
    with Preemption() as p:
        assert p.requested is None
        assert not p.agreed()
        os.kill(os.getpid(), number)
        assert p.requested == number
        assert p.agreed()


def test_a_hangup_that_is_ignored_stays_so():
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Preemption() as p:
            os.kill(os.getpid(), signal.SIGHUP)
            assert p.requested is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_first_signal_counts_and_sigterm_may_come_twice():
    with Preemption() as p:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert p.requested == signal.SIGTERM


def test_a_second_interrupt_stops_at_once():
    with Preemption() as p:
        os.kill(os.getpid(), signal.SIGINT)
        assert p.requested == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_before_are_put_back_even_after_an_error():
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("mine"))
    try:
        with pytest.raises(RuntimeError), Preemption():
            raise RuntimeError
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen == ["mine"]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_the_main_thread_it_does_nothing():
    answers = []

    def work():
        with Preemption() as p:
            answers.append(p.agreed())

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]
    assert signal.getsignal(signal.SIGTERM) is before


def test_all_processes_stop_at_the_same_step_when_one_is_asked_to():
    code = """
        import time
        from genjax.engine.preemption import Preemption
        with Preemption() as p:
            for step in range(2000):
                if step == 3:
                    print("ready", flush=True)
                time.sleep(0.01)
                if p.agreed():
                    break
        print(step, p.requested)
    """
    children = start_python(code, processes=2)
    try:
        for child in children:
            assert child.stdout is not None
            assert any(line == "ready\n" for line in child.stdout)
        children[1].send_signal(signal.SIGTERM)
    except BaseException:
        for child in children:
            child.kill()
        raise
    (first, _), (second, _) = finish(children)
    step, number = first.split()
    assert first == second
    assert int(step) < 1999
    assert int(number) == signal.SIGTERM
