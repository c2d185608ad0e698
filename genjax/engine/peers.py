"""Several processes as one run: how they are joined, and what the others do when one is gone.

Left to itself, `jax.distributed` notices that a process is gone after its heartbeats time out, and
then aborts the others with a C++ trace; where process 0 dies, whose coordination service all
clients poll, it does so at once. No callback of Python's is possible there (jaxlib 0.10 cannot hand
over the status: `std::bad_cast`). So two things stand beside it:

- Each process holds a connection to process 0, which the operating system closes when it dies, and
  over which both sides say that they live, for machines that vanish without a word.
- The clients of the processes 1 … reach the coordination service through a relay of their own,
  which does not tell them that it is gone: they stay alive to say, in one line, what happened.
"""

import contextlib
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from genjax.core.config import ConfigError

STOPPED = 143  # exit status of those that are left
_PING, _SILENT = 5.0, 40.0  # seconds: between signs of life, and until one without is given up
_GRACE = 20.0  # for the own end, once another process has ended with an error
_SETTLE = 10.0  # for the news that a process is gone, once something else has failed
_KEY = "genjax/peers"


class Peers:
    """Watches the other processes of a run from threads; none of a run of one process.

    Within its context this process is one of the run. Leaving tells the others; with an exception
    they end as well.

    Args:
      tell: prints what happened, one line, with what is saved and how to go on.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._exit = tell, os._exit  # a collective that waits ends in no other way
        self._lock = threading.Lock()
        self._links: dict[int, socket.socket] = {}  # by the process at the other end
        self._left: set[int] = set()
        self._status: int | None = None  # of this process, once it has ended
        self._process, self._number = 0, 1

    def __enter__(self) -> "Peers":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if kind is None:
            return
        message = issubclass(kind, ConfigError)  # a mistake of this process's own
        if issubclass(kind, Exception) and not message:
            self.settle()
        self.left(2 if message else STOPPED if kind is KeyboardInterrupt else 1, alone=True)

    def left(self, status: int, *, alone: bool = False) -> None:
        """Tells the others that this process has ended; `alone`: and they must, too."""
        self._status = status
        self._send(f"left {self._process} {status if alone else 0}")

    def settle(self) -> None:
        """Waits a little: what failed may come of a process that is gone, which ends this one."""
        if self._links:
            time.sleep(_SETTLE)

    def join(self, given: Mapping[str, Any]) -> None:
        """Joins the processes of the run with `jax.distributed`, and watches them from then on.

        Args:
          given: `coordinator_address`, `num_processes` and `process_id`; empty: those that
            `jax.distributed` finds in this cluster.

        Raises:
          RuntimeError, ValueError: they cannot be joined.
        """
        import jax
        from jax._src import distributed  # the only way to the store of keys that all share

        given = dict(given) or _in_cluster()
        address = given.get("coordinator_address")
        if address and given["process_id"]:
            given["coordinator_address"] = _relay(_split(address))
        jax.distributed.initialize(**given)
        state = distributed.global_state
        self._process, self._number = state.process_id, state.num_processes
        # Without the watch the run is what it was before: jax ends it.
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            if self._number > 1 and self._process == 0:
                self._listen(state.client)
            elif self._number > 1:
                self._connect(state.client, _split(address or str(state.coordinator_address))[0])
        if self._number > 1:
            _thread(self._ping)

    def _listen(self, client: Any) -> None:
        server = socket.create_server(("", 0), backlog=self._number)
        token = secrets.token_hex(16)
        client.key_value_set(_KEY, f"{server.getsockname()[1]} {token}")

        def accept() -> None:
            while True:
                link, _ = server.accept()
                _thread(self._greet, link, token)

        _thread(accept)

    def _greet(self, link: socket.socket, token: str) -> None:
        """Takes a connection for that of a process if it knows the token."""
        link.settimeout(_SILENT)
        with contextlib.suppress(OSError, ValueError):
            found, process = link.makefile("r").readline(100).split()
            if secrets.compare_digest(found, token):
                self._watch(int(process), link)

    def _connect(self, client: Any, host: str) -> None:
        port, token = client.blocking_key_value_get(_KEY, 60_000).split()
        link = socket.create_connection((host, int(port)), timeout=10)
        link.sendall(f"{token} {self._process}\n".encode())
        _thread(self._watch, 0, link)

    def _watch(self, process: int, link: socket.socket) -> None:
        """Reads what `process` says until it is gone."""
        link.settimeout(_SILENT)
        with self._lock:
            self._links[process] = link
        why = "its connection closed"
        try:
            for line in link.makefile("r"):
                self._read(line.split())
        except TimeoutError:
            why = f"silent for {_SILENT:.0f} s"
        except OSError:
            pass
        if process not in self._left:
            self._gone(process, why)

    def _read(self, words: list[str]) -> None:
        if words[:1] == ["left"]:
            process, status = int(words[1]), int(words[2])
            self._left.add(process)
            if status:
                self._send(" ".join(words), but=process)
                _thread(self._follow, process, status)
        elif words[:1] == ["gone"]:
            self._gone(int(words[1]), " ".join(words[2:]))

    def _gone(self, process: int, why: str) -> None:
        self._send(f"gone {process} {why}", but=process)
        self._end(f"process {process} of {self._number} is gone ({why})")

    def _follow(self, process: int, status: int) -> None:
        time.sleep(_GRACE)
        if self._status is None:
            self._end(f"process {process} of {self._number} ended with an error (see there)")

    def _end(self, what: str) -> None:
        """Ends this process, whatever its main thread waits for; a collective never returns."""
        with self._lock:  # once
            if self._status is None:
                with contextlib.suppress(Exception):
                    self._tell(what)
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            time.sleep(0.2)  # until the news is on its way
            self._exit(STOPPED if self._status is None else self._status)

    def _ping(self) -> None:
        while True:
            self._send("alive")
            time.sleep(_PING)

    def _send(self, line: str, but: int | None = None) -> None:
        for process, link in list(self._links.items()):
            if process != but:
                with contextlib.suppress(OSError):
                    link.sendall(f"{line}\n".encode())


def _in_cluster() -> dict[str, Any]:
    """Returns arguments of `jax.distributed.initialize` as it finds them; none where it must."""
    try:
        from jax._src.clusters import ClusterEnv

        found = ClusterEnv.auto_detect_unset_distributed_params(None, None, None, None, None, 300)
        names = ("coordinator_address", "num_processes", "process_id", "local_device_ids")
        arguments = dict(zip(names, found, strict=True))
    except (ImportError, AttributeError, TypeError, ValueError):  # another version of jax
        return {}
    return arguments if None not in list(arguments.values())[:3] else {}


def _relay(address: tuple[str, int]) -> str:
    """Opens a relay to `address`, which closes no connection that its target closes."""
    server = socket.create_server(("127.0.0.1", 0))
    if any(f"{kind}_proxy" in os.environ for kind in ("http", "https", "grpc")):
        name = "no_grpc_proxy" if "no_grpc_proxy" in os.environ else "no_proxy"
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1"]))

    def accept() -> None:
        while True:
            near, _ = server.accept()
            try:
                far = socket.create_connection(address, timeout=10)
            except OSError:  # not there yet: the client tries again
                near.close()
                continue
            far.settimeout(None)
            _thread(_pump, near, far, closes=True)
            _thread(_pump, far, near, closes=False)

    _thread(accept)
    return f"127.0.0.1:{server.getsockname()[1]}"


def _pump(source: socket.socket, target: socket.socket, *, closes: bool) -> None:
    """Copies bytes until there are no more; `closes`: ends `target` as well then."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    if closes:
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


def _split(address: str) -> tuple[str, int]:
    """Splits "HOST:PORT"."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _thread(f: Callable[..., None], *args: Any, **more: Any) -> None:
    threading.Thread(target=f, args=args, kwargs=more, daemon=True).start()
