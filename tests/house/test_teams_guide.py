"""docs/teams.md shows what really happens: its files are written, its commands run, and what they print compared.

A line of the document is found in what was printed, in its order; `…` is anything, and the width of tables does not
count. The ports of the document are those of the servers that this test starts. Nothing is added that the reader does
not type: `gatekeeper` is not found before the document says how, and curl sends the headers that it sends by itself.
"""

import os
import re
import shlex
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatekeeper.cli.root import make_app
from tests.cases import case
from tests.cli.scene import running, wait_for

GUIDE = Path(__file__).parents[2] / "docs" / "teams.md"
BLOCKS = re.compile(
    r"<!-- file: (?P<file>\S+) -->\n```yaml\n(?P<text>.*?)```|```console\n(?P<console>.*?)```", re.DOTALL
)
SECRET = re.compile(r"gk_[A-Za-z0-9_-]{20,}")
RULE = re.compile(r"[─ ]*")
ACTIVATE = ". .venv/bin/activate"
CURL_BODY_TYPE = "application/x-www-form-urlencoded"


@dataclass
class Reader:
    """Somebody who types what the document says."""

    home: Path
    servers: ExitStack
    addresses: dict[str, str] = field(default_factory=dict)
    secret: str = ""
    key: str = ""
    finds_gatekeeper: bool = False

    def type(self, command: str) -> str:
        """Runs a command as it stands; what it prints."""
        if command == ACTIVATE:
            self.finds_gatekeeper = True
            return ""
        words = shlex.split(self.here(command.replace("$KEY", self.key)))
        assert words[0] != "gatekeeper" or self.finds_gatekeeper, "gatekeeper: command not found"
        if words[-1] == "&":
            self.start(words[1], words[2 : words.index(">")])
            return ""
        if words[0] == "kill":
            self.servers.close()
            return ""
        if words[0] == "export":
            self.set(*words[1].split("=", 1))
            return ""
        printed = fetched(words[1:]) if words[0] == "curl" else ran(words[1:])
        found = SECRET.findall(printed)
        self.secret = found[0] if found else self.secret
        return printed

    def set(self, name: str, value: str) -> None:
        """A variable; the key's is the secret that was shown last, which no document can know."""
        self.key = self.secret if name == "KEY" else self.key
        os.environ[name] = value

    def here(self, text: str) -> str:
        """A text of the document with the addresses of this test's servers."""
        for shown, real in self.addresses.items():
            text = text.replace(shown, real)
        return text

    def start(self, name: str, options: list[str]) -> None:
        """A server on a free port in place of the document's, and in place of those that its config has."""
        for file in self.home.glob("*.yaml"):
            file.write_text(self.here(file.read_text()))
        rest = [word for word in options if word != "--port" and not word.isdecimal()]
        ports = ("--port", "0") if name == "sandbox" else ("--port", "0", "--admin-port", "0")
        until = "started" if name == "serve" else "http://"
        process, output = self.servers.enter_context(running(self.home, name, *rest, *ports, until=until))
        wait_for(lambda: process.poll() is not None or "http://" in output.read_text())
        url = re.findall(r"http://127\.0\.0\.1:\d+", output.read_text())[0]
        self.addresses["http://127.0.0.1:9000" if name == "sandbox" else "http://127.0.0.1:8080"] = url


def ran(words: list[str]) -> str:
    """A command of ours, in this process; it may only fail where the document shows it."""
    done = CliRunner().invoke(make_app(words), words)
    assert 0 == done.exit_code, done.output
    return done.stdout


def fetched(words: list[str]) -> str:
    """What curl does with these words, as far as the document uses it."""
    url = next(word for word in words if word.startswith("http"))
    headers = dict(words[i + 1].split(": ", 1) for i, word in enumerate(words) if word == "-H")
    body = next((words[i + 1].encode() for i, word in enumerate(words) if word == "-d"), None)
    own = {"Content-Type": CURL_BODY_TYPE} if body is not None else {}
    request = urllib.request.Request(url, body, own | headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        return refused.read().decode()


def steps(console: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a block with the lines that it is shown to print."""
    for step in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, *lines = step.splitlines()
        yield command, lines


def missing(shown: list[str], printed: str) -> str | None:
    """The first line that is shown and was not printed in its place."""
    lines = iter([plain for line in printed.splitlines() if not RULE.fullmatch(plain := " ".join(line.split()))])
    for line in shown:
        pattern = re.compile(".*".join(re.escape(part) for part in " ".join(line.split()).split("…")))
        if not any(pattern.fullmatch(each) for each in lines):
            return f"{line!r} is not in its place in:\n{printed}"
    return None


def assert_shown(reader: Reader, command: str, shown: list[str]) -> None:
    """The command prints what is shown; a request is answered so a second later, for so long gateways remember."""
    wrong = missing(shown, reader.type(command))
    if wrong and command.startswith("curl"):
        wait_for(lambda: missing(shown, reader.type(command)) is None)
    else:
        assert wrong is None, wrong


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """Somebody in an empty directory, at a wide terminal."""
    for name in [name for name in os.environ if name.startswith("GATEKEEPER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "250")
    for name in ("GATEKEEPER_CONFIG", "KEY"):
        monkeypatch.setenv(name, "")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "catalog").symlink_to(GUIDE.parents[1] / "config" / "catalog")
    monkeypatch.chdir(tmp_path)
    with ExitStack() as servers:
        yield Reader(tmp_path, servers)


def test_the_guide_can_be_typed_as_it_stands(reader: Reader) -> None:
    """Every command prints what the document says, and the files in it can be read."""
    seen = 0
    for block in BLOCKS.finditer(GUIDE.read_text()):
        if block["file"]:
            name, text = block["file"], block["text"]
            (reader.home / name).write_text(text)
            continue
        for command, shown in steps(block["console"]):
            with case(command):
                assert_shown(reader, command, shown)
                seen += 1

    assert seen > 30
