"""Many processes, one stdout: each line comes out as it was written."""

import fcntl
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

from gatekeeper.workers.lines import SharedOut, shared_lines

WRITER = """
import os, sys
from gatekeeper.workers.lines import SharedOut
lines, letter = SharedOut(os.open(sys.argv[1], os.O_RDWR)), sys.argv[2].encode()
os.write(2, b"ready")
sys.stdin.read()
for number in range(150):
    lines.write(letter * (20_000 if number % 3 == 0 else 90) + b"\\n")
"""
"""Every third line is longer than what the system writes to a pipe in one piece."""


def test_long_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    """Four write at once, long lines and short ones, and each line that arrives is of one of them alone."""
    (reading, writing), (waiting, go) = os.pipe(), os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, select.PIPE_BUF)  # no long line has room at once
    (tmp_path / "lock").touch()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "lock"), letter],
            stdin=waiting, stdout=writing, stderr=subprocess.PIPE,
        )
        for letter in "abcd"
    ]  # fmt: skip
    for writer in writers:
        assert writer.stderr is not None
        assert b"ready" == writer.stderr.read(5)
    for end in (writing, waiting, go):
        os.close(end)
    with open(reading, "rb") as pipe:  # noqa: PTH123  # a number, no path
        lines = pipe.read().split(b"\n")[:-1]
    codes = [writer.wait() for writer in writers]
    for writer in writers:
        writer.stderr.close()

    assert [0] * 4 == codes
    assert {(letter, size) for letter in b"abcd" for size in (90, 20_000)} == {(line[0], len(line)) for line in lines}
    assert [] == [line[:80] for line in lines if line.strip(line[:1])]
    assert 600 == len(lines)


def test_a_pipe_that_takes_pieces_gets_all_of_a_line(tmp_path: Path) -> None:
    """A line larger than the pipe's room is written to its end."""
    reading, writing = os.pipe()
    found: list[bytes] = []

    def read() -> None:
        with open(reading, "rb") as pipe:  # noqa: PTH123
            found.append(pipe.read())

    reader = threading.Thread(target=read)
    reader.start()
    with (tmp_path / "lock").open("wb") as lock:
        written = SharedOut(lock.fileno(), writing).write(b"x" * 300_000)
    os.close(writing)
    reader.join()

    assert (300_000, b"x" * 300_000) == (written, found[0])


def test_a_file_needs_no_lock(tmp_path: Path) -> None:
    """What is written to a file goes there, in order."""
    with (tmp_path / "log").open("wb") as file:
        lines = SharedOut(-1, file.fileno())
        lines.write(b"one\n")
        lines.write(b"two\n")

    assert b"one\ntwo\n" == (tmp_path / "log").read_bytes()


def test_stdout_is_given_back(tmp_path: Path) -> None:
    """After the block this process writes to where it wrote before."""
    before = sys.stdout
    with shared_lines(tmp_path / "data") as lock:
        assert sys.stdout is not before
        assert lock.exists()

    assert sys.stdout is before
