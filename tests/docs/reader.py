"""Somebody who types what a page says: programs, commands and requests, and compares what comes with what is shown.

In what is shown `…` is anything, lines between others may be left out, and the width of tables does not count. curl is
done here as far as the pages use it.
"""

import contextlib
import gc
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import typer
from typer.testing import CliRunner

from gatekeeper.cli.root import make_app

SECRET = re.compile(r"gk_[A-Za-z0-9_-]{20,}")
RULE = re.compile(r"[─ ]*")
SHOWN = re.compile(r"^\s*print\(.*\)  # (.+)$", re.MULTILINE)
"""A line of a program that says what it prints."""

SERVERS = {"serve", "sandbox", "demo"}
"""Commands that run until they are stopped: of these the words are read and nothing is started."""

NOTHING = {"make run", "make run | tee gateway.log", ". .venv/bin/activate", "make generate"}
"""What has been done: the gateway runs, and its command is found."""

PROGRAMS_TIMEOUT_S = 120


@dataclass
class Reader:
    """At a desk of their own. `places` are the page's addresses with those that this test has."""

    places: dict[str, str]
    not_run: dict[str, str]
    secret: str = ""
    names: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def here(self, text: str) -> str:
        """A text of the page with the addresses of this test."""
        for shown, real in self.places.items():
            text = text.replace(shown, real)
        return text

    def type(self, command: str) -> str:
        """What a command prints, wherever it goes to."""
        if command in self.not_run or command in NOTHING:
            self.skipped.append(command)
            return ""
        if command.startswith("export "):
            return exported(self.here(command.replace("gk_…", self.secret or "gk_…")))
        if command.startswith("unset "):
            del os.environ[command.removeprefix("unset ")]
            return ""
        words = shlex.split(self.expanded(command), comments=True)
        target = None
        if ">" in words:
            words, target = words[: words.index(">")], words[words.index(">") + 1]
        elif ">>" in words:
            words = words[: words.index(">>")]
        printed = self._run(words)
        found = SECRET.findall(printed)
        self.secret = found[0] if found else self.secret
        if target not in {None, "/dev/null"}:
            Path(str(target)).write_text(printed)
            return ""
        return "" if target else printed

    def _run(self, words: list[str]) -> str:
        match words:
            case []:
                return ""
            case ["curl", *rest]:
                return curl(rest)
            case ["gatekeeper" | ".venv/bin/gatekeeper", name, *rest] if name in SERVERS:
                return understood([name, *rest])
            case ["gatekeeper" | ".venv/bin/gatekeeper", *rest]:
                return ran(rest)
            case ["grep", pattern, path]:
                return "".join(line for line in Path(path).open() if pattern in line)
            case ["cat", path]:
                return Path(path).read_text()
        raise AssertionError(f"nobody here knows how to type {words[0]}; tests/docs/snippets.py may say why")

    def expanded(self, command: str) -> str:
        """With the values of its variables, and the secret shown last in place of one that no page can know."""
        command = self.here(command.replace("gk_…", self.secret or "gk_…"))
        return re.sub(r"\$(\w+)", lambda found: os.environ.get(found[1], ""), command)

    def run(self, program: str) -> None:
        """A program, to its end; names that an earlier one of the page made are still there."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(self.here(program), "snippet", "exec"), self.names)
        wrong = missing(SHOWN.findall(program), printed.getvalue())
        assert wrong is None, wrong

    def leave(self) -> None:
        """Lets go of all that its programs left open, here and not in the middle of another test."""
        self.names.clear()
        gc.collect()

    def run_apart(self, program: str, **environment: str) -> None:
        """A program in a process of its own, for an SDK that reads its environment when it is imported."""
        known = {"PATH": os.environ["PATH"], "HOME": str(Path.cwd())} | environment
        command = [sys.executable, "-W", "ignore", "-c", self.here(program)]
        done = subprocess.run(
            command, env=known, capture_output=True, text=True, check=False, timeout=PROGRAMS_TIMEOUT_S
        )
        assert done.returncode == 0, done.stderr
        wrong = missing(SHOWN.findall(program), done.stdout)
        assert wrong is None, wrong


def exported(command: str) -> str:
    """What a shell makes of an `export`, commands inside it included, for the next ones."""
    script = f"{command}\nenv -0"
    done = subprocess.run(["sh", "-ec", script], env=dict(os.environ), capture_output=True, text=True, check=True)
    os.environ.update(dict(each.split("=", 1) for each in done.stdout.split("\0") if each))
    return ""


def ran(words: list[str]) -> str:
    """A command of ours, in this process. It may fail where the page shows that it does."""
    done = CliRunner().invoke(make_app(words), words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return f"{done.stdout}{done.stderr}"


def understood(words: list[str]) -> str:
    """A command that would go on for ever, or that names what there is not: its words are read, nothing is done."""
    command: Any = typer.main.get_command(make_app())
    rest = list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    command.make_context(words[0], rest)
    return ""


def curl(words: list[str]) -> str:
    """What curl does with these words, as far as the pages use it."""
    method, body, headers, files, url, shows = "GET", None, {}, [], "", False
    rest = iter(words)
    for word in rest:
        match word:
            case "-X":
                method = next(rest)
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            case "-d":
                method, body = "POST" if method == "GET" else method, next(rest).encode()
            case "-F":
                method, files = "POST", [*files, next(rest).partition("=")]
            case "-i":
                shows = True
            case "-s" | "-sS" | "-fsS":
                pass
            case _:
                url = word
    answer = httpx.request(method, url, headers=own(headers, body), content=body, files=form(files), timeout=60)
    lines = "".join(f"{name.title()}: {value}\n" for name, value in answer.headers.items())
    return f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}\n{lines}\n{answer.text}" if shows else answer.text


def own(headers: dict[str, str], body: bytes | None) -> dict[str, str]:
    """What curl says by itself, unless it was told otherwise."""
    usual = {} if body is None else {"Content-Type": "application/x-www-form-urlencoded"}
    return usual | headers


def form(files: list[tuple[str, str, str]]) -> Any:
    """The parts of a form; a value that begins with @ is a file."""
    if not files:
        return None
    return [
        (name, (Path(value[1:]).name, Path(value[1:]).read_bytes(), "image/png") if value[0] == "@" else (None, value))
        for name, _, value in files
    ]


def steps(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a `console` block with the lines that it is shown to print."""
    for step in re.split(r"^\$ ", joined(text), flags=re.MULTILINE)[1:]:
        command, *lines = step.splitlines()
        yield command, lines


def commands(text: str) -> list[str]:
    """The commands of an `sh` block."""
    return [line for line in joined(text).splitlines() if line.strip() and not line.startswith("#")]


def joined(text: str) -> str:
    """With each command in one line."""
    return re.sub(r" *\\\n *", " ", text)


def missing(shown: list[str], printed: str) -> str | None:
    """The first line that is shown and was not printed in its place."""
    lines = iter([plain for line in printed.splitlines() if not RULE.fullmatch(plain := " ".join(line.split()))])
    for line in shown:
        if not line.strip() or line.strip() == "…":
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in " ".join(line.split()).split("…")))
        if not any(pattern.fullmatch(each) for each in lines):
            return f"{line!r} is not in its place in:\n{printed}"
    return None
