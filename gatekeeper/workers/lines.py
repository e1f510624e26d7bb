"""One stdout for several processes, whose lines never mix.

The system writes up to PIPE_BUF bytes (4 KB on Linux) to a pipe in one piece; a longer line may be cut in pieces that
others write between. So whoever writes a longer one has a lock alone, and whoever writes a short one shares it. The
lock is a byte of a file without a name, which all processes inherit, and which the system frees when one of them dies.
"""

import fcntl
import io
import os
import select
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDOUT: Final = 1


class Lines(io.RawIOBase):
    """Stdout, each write of which comes out in one piece. One thread of a process writes."""

    def __init__(self, lock_fd: int, out_fd: int = STDOUT) -> None:
        super().__init__()
        self._lock_fd = lock_fd
        self._out_fd = out_fd
        # Processes that inherited an open file share its place in it, and the system adds to it in one piece.
        self._is_file = stat.S_ISREG(os.fstat(out_fd).st_mode)

    def write(self, data: "ReadableBuffer") -> int:
        """Writes all of it."""
        view = memoryview(data)
        if self._is_file:
            return self._write_all(view)
        fcntl.lockf(self._lock_fd, fcntl.LOCK_EX if len(view) > select.PIPE_BUF else fcntl.LOCK_SH)
        try:
            return self._write_all(view)
        finally:
            fcntl.lockf(self._lock_fd, fcntl.LOCK_UN)

    def _write_all(self, view: memoryview) -> int:
        written = 0
        while written < len(view):
            written += os.write(self._out_fd, view[written:])
        return written

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._out_fd

    def isatty(self) -> bool:
        return os.isatty(self._out_fd)


def join_lines(lock_fd: int) -> None:
    """From now on this process's stdout is one of many."""
    sys.stdout.flush()
    # A text is written as it ends in a line, whole unless it is a page long; what is logged as JSON goes past it.
    sys.stdout = io.TextIOWrapper(Lines(lock_fd), encoding="utf-8", line_buffering=True)


@contextmanager
def shared_lines() -> Iterator[int]:
    """Lets processes share this one's stdout inside the block; gives the lock for them to inherit."""
    before = sys.stdout
    with tempfile.TemporaryFile() as lock:
        join_lines(lock.fileno())
        try:
            yield lock.fileno()
        finally:
            sys.stdout.flush()
            sys.stdout = before
