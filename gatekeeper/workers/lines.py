"""One stdout for several processes, whose lines never mix.

The system writes up to PIPE_BUF bytes (4 KB on Linux) to a pipe in one piece; a longer line may be cut in pieces that
others write between. So whoever writes a longer one has a lock alone, and whoever writes a short one shares it, which
costs a microsecond a line. The system frees the lock when a process dies.
"""

import fcntl
import io
import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDOUT: Final = 1


LOCK_NAME: Final = "log.lock"
"""In the data directory, which all processes of a gateway have."""


class SharedOut(io.RawIOBase):
    """Stdout, each write of which comes out in one piece. One thread of a process writes. `lock_fd` is a file that this
    process has opened itself: a lock belongs to whoever opened it."""

    def __init__(self, lock_fd: int, out_fd: int = STDOUT) -> None:
        super().__init__()
        self._lock_fd = lock_fd
        self._out_fd = out_fd
        # Processes that inherited an open file share its place in it, and the system adds to it in one piece.
        self._is_file = stat.S_ISREG(os.fstat(out_fd).st_mode)

    def write(self, data: "ReadableBuffer") -> int:
        """Writes all of it."""
        size = memoryview(data).nbytes
        if self._is_file:
            return self._write_all(data, size)
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX if size > select.PIPE_BUF else fcntl.LOCK_SH)
        try:
            return self._write_all(data, size)
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _write_all(self, data: "ReadableBuffer", size: int) -> int:
        written = os.write(self._out_fd, data)
        while written < size:
            written += os.write(self._out_fd, memoryview(data)[written:])
        return size

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._out_fd

    def isatty(self) -> bool:
        return os.isatty(self._out_fd)


def join_lines(lock: Path) -> int:
    """From now on this process's stdout is one of many; the lock's file, for whoever leaves again. Raises OSError."""
    lock_fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    sys.stdout.flush()
    # A text is written when its line ends, whole unless it is a page long; what is logged as JSON goes past it.
    sys.stdout = io.TextIOWrapper(SharedOut(lock_fd), encoding="utf-8", line_buffering=True)
    return lock_fd


@contextmanager
def shared_lines(directory: Path) -> Iterator[Path]:
    """Lets processes share this one's stdout inside the block; gives what they join it by. Raises OSError."""
    before, lock = sys.stdout, directory / LOCK_NAME
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock_fd = join_lines(lock)
    try:
        yield lock
    finally:
        sys.stdout.flush()
        sys.stdout = before
        os.close(lock_fd)
