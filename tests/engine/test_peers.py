"""Processes that watch each other, as threads of one: what they say, and when they end."""

import contextlib
import queue
import socket

import pytest

from genjax.core.config import ConfigError
from genjax.engine import peers
from genjax.engine.peers import Peers


class Store:
    """The keys and values that all processes share."""

    def __init__(self):
        self._found = queue.Queue()

    def key_value_set(self, key, value):
        self._found.put((key, value))

    def blocking_key_value_get(self, key, milliseconds):
        found = self._found.get(timeout=milliseconds / 1000)
        self._found.put(found)
        assert found[0] == key
        return found[1]


@pytest.fixture
def ended(monkeypatch):
    """Exit statuses, in the order in which processes end."""
    found = queue.Queue()
    monkeypatch.setattr(peers, "_GRACE", 0.1)
    monkeypatch.setattr(peers, "_SETTLE", 0.1)
    return found


@pytest.fixture
def three(ended):
    """Processes 0, 1 and 2, and the lines that each prints."""
    store, message = Store(), [queue.Queue() for _ in range(3)]
    found = [Peers(lines.put) for lines in message]
    for i, process in enumerate(found):
        process._process, process._number, process._exit = i, 3, ended.put
        if i == 0:
            process._listen(store)
        else:
            process._connect(store, "127.0.0.1")
    for _ in range(500):
        if [len(process._links) for process in found] == [2, 1, 1]:
            break
        peers.time.sleep(0.01)
    yield found, message
    for process in found:  # nobody misses them from here on
        process._left |= {0, 1, 2}
    for process in found:
        die(process)
    peers.time.sleep(0.3)


def die(process):
    """What the operating system does for a process that is killed."""
    process._left |= {0, 1, 2}  # its threads, which live on here, say nothing
    for link in process._links.values():
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)
    process._links.clear()


def test_all_hear_of_a_process_that_dies(three, ended):
    found, message = three
    die(found[2])
    line = "process 2 of 3 is gone (its connection closed)"
    assert message[0].get(timeout=10) == message[1].get(timeout=10) == line
    assert ended.get(timeout=10) == ended.get(timeout=10) == 143


def test_all_hear_of_process_0(three, ended):
    found, message = three
    die(found[0])
    line = "process 0 of 3 is gone (its connection closed)"
    assert message[1].get(timeout=10) == message[2].get(timeout=10) == line


def test_one_that_falls_silent_is_given_up(three, ended, monkeypatch):
    found, message = three
    for link in found[0]._links.values():
        link.settimeout(0.1)  # no sign of life is sent here
    monkeypatch.setattr(peers, "_SILENT", 0.1)
    found[1]._send("alive")  # wakes the reader, whose next wait is a short one
    assert "process 1 of 3 is gone (silent" in message[0].get(timeout=10)


def test_those_that_end_well_end_nobody_else(three, ended):
    found, message = three
    for process in found:
        process.left(0)
    peers.time.sleep(0.2)
    for process in found[1:]:
        die(process)
    peers.time.sleep(0.2)
    assert ended.empty() and all(lines.empty() for lines in message)


def test_an_error_of_one_ends_the_others_after_a_while(three, ended):
    found, message = three
    with pytest.raises(ConfigError), found[1]:
        raise ConfigError("config.steps=0: must be above 0")
    line = "process 1 of 3 ended with an error (see there)"
    assert message[0].get(timeout=10) == message[2].get(timeout=10) == line
    assert ended.get(timeout=10) == ended.get(timeout=10) == 143 and message[1].empty()


def test_who_does_not_know_the_token_is_not_listened_to(ended):
    store, lines = Store(), queue.Queue()
    process = Peers(lines.put)
    process._number, process._exit = 2, ended.put
    process._listen(store)
    port = int(store.blocking_key_value_get(peers._KEY, 1000).split()[0])
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(b"guessed 1\ngone 1 why\n")
    peers.time.sleep(0.2)
    assert lines.empty() and ended.empty() and not process._links


def test_a_relay_hands_all_on_and_hides_that_its_target_is_gone():
    target = socket.create_server(("127.0.0.1", 0))
    near = socket.create_connection(peers._split(peers._relay(target.getsockname())), timeout=10)
    far, _ = target.accept()
    near.sendall(b"question")
    assert far.recv(100) == b"question"
    far.sendall(b"answer")
    assert near.recv(100) == b"answer"
    far.close()
    near.settimeout(0.3)
    with pytest.raises(TimeoutError):  # not b"", the end
        near.recv(100)


def test_addresses_of_both_kinds_are_split():
    assert peers._split("10.0.0.1:1234") == ("10.0.0.1", 1234)
    assert peers._split("[::1]:1234") == ("::1", 1234)
