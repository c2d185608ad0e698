"""Standard streams that never decide over a program: what they do not take is left out.

A terminal hangs up, a reader ends, a disk fills up: then `print` raises, and so would whatever else
writes (logging, a progress bar, Python itself at its exit, with status 120). Here the first write
that fails points the stream's descriptor at /dev/null, for C++ as well, and all goes on.
"""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any


class Lost(BaseException):
    """Standard output takes nothing more, and it is what the program is for."""


class Stream(io.TextIOBase):
    """A text stream whose writes do not fail.

    Args:
      stream: the one below; None as Python has it for a descriptor that was closed.
      product: raise `Lost` at the first write that fails.

    Attributes:
      lost: the error of the first write that failed, None if none has.
    """

    def __init__(self, stream: Any, *, product: bool = False) -> None:
        self.lost: OSError | ValueError | None = None
        self._product = product
        self._stream = stream if stream is not None else _Closed()

    def write(self, text: str) -> int:
        """Writes; letters that the stream lacks are spelled out, as `\\xb1`."""
        try:
            try:
                return self._stream.write(text)
            except UnicodeEncodeError as error:  # a terminal of few letters
                plain = text.encode(error.encoding, "backslashreplace").decode(error.encoding)
                return self._stream.write(plain)
        except (OSError, ValueError) as error:  # ValueError: it is closed
            self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Hands on what was written."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._lose(error)

    def close(self) -> None:
        """Does nothing: the stream below is not this one's, and Python closes what nobody holds."""

    def isatty(self) -> bool:
        """Says whether the stream below is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Returns the descriptor below."""
        return self._stream.fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self, error: OSError | ValueError) -> None:
        with contextlib.suppress(OSError, ValueError):
            number = self._stream.fileno()  # what is still buffered goes to /dev/null as well
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, number)
            os.close(null)
        self._stream = _Null()
        if self.lost is None:
            self.lost = error
            if self._product:
                raise Lost


class _Null(io.TextIOBase):
    """Takes all."""

    def write(self, text: str) -> int:
        return len(text)


class _Closed(io.TextIOBase):
    """Takes nothing."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


@contextlib.contextmanager
def sturdy(*, product: bool) -> Iterator[tuple[Stream, Stream]]:
    """Makes `sys.stdout` and `sys.stderr` `Stream`s within it, and yields them.

    `product`: standard output is what the program is for; writes that fail raise `Lost`.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Stream(before[0], product=product), Stream(before[1])
    try:
        yield sys.stdout, sys.stderr
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Lost):
                stream.flush()
        sys.stdout, sys.stderr = before


def open_closed() -> None:
    """Opens the descriptors 0, 1 and 2 where they are closed, and lets writes to them wait.

    Else the next files that are opened get these numbers, and what C++ logs goes into them.
    """
    for number in (0, 1, 2):
        try:
            os.set_blocking(number, True)
        except OSError:
            null = os.open(os.devnull, os.O_RDONLY)  # so that writes fail as they did
            if null != number:
                os.dup2(null, number)
                os.close(null)
