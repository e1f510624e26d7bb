"""What a process used, by the kernel's own accounting: CPU of all its threads, memory, and its children's if wanted.

Nothing is sampled: a window's cost is what the counters say after it, less what they said before. Memory is what stands
in user space (RSS); the kernel's socket buffers are nobody's.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
KB: Final = 1024


def cpu_ns(pid: int) -> int:
    """CPU time of all living threads, in nanoseconds; in ticks of 10 ms where the kernel counts no finer."""
    spent = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended just now
            spent += int((thread / "schedstat").read_text().split()[0])
    return spent or _ticks_ns(pid)


def _ticks_ns(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // _TICKS


def rss_bytes(pid: int) -> int:
    """Memory in use now."""
    return _status(pid, "VmRSS")


def peak_rss_bytes(pid: int) -> int:
    """The most memory since the start, or since `reset_peak`."""
    return _status(pid, "VmHWM")


def reset_peak(pid: int) -> None:
    """From here on the peak counts anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * KB for line in lines if line.startswith(f"{name}:"))


def family(pid: int) -> list[int]:
    """The process and everything below it: programs that start workers."""
    found = [pid]
    for each in found:
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{each}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found
