"""`serve`, `demo` and `sandbox` as processes of their own: they start, say where they are, and end when told to."""

import json
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.cli.scene import CI_KEY, CONFIG, START_TIMEOUT_S, Run, running, wait_for

ANYWHERE = ("--port", "0", "--admin-port", "0")


def event(output: Path, name: str) -> dict[str, object]:
    """The log line of this event."""
    lines = (json.loads(line) for line in output.read_text().splitlines() if line.startswith("{"))
    return next(line for line in lines if line["event"] == name)


@pytest.mark.usefixtures("configured")
def test_serve_and_commands_beside_it(run: Run, home: Path) -> None:
    """Beside a running gateway its store can be worked on; SIGTERM ends the gateway with exit code 0."""
    with running(home, "serve", *ANYWHERE, until="server.started") as (process, output):
        started = event(output, "server.started")
        applied = run("apply", "teams.yaml", CI_KEY=CI_KEY)
        verified = run("verify")
        process.send_signal(signal.SIGTERM)

        assert 0 == process.wait(START_TIMEOUT_S)

    assert str(started["url"]).startswith("http://127.0.0.1:")
    assert process.pid == started["pid"]
    assert "4 changes made." in applied.stdout
    assert (0, 0) == (applied.exit_code, verified.exit_code)
    assert "studio" in verified.stdout


@pytest.mark.usefixtures("configured")
def test_the_command_line_wins(home: Path) -> None:
    """A port on the command line is used whatever file and environment say."""
    (home / "gatekeeper.yaml").write_text(CONFIG + "server: {port: 1, admin_port: 1}\n")

    with running(home, "serve", *ANYWHERE, until="server.started", GATEKEEPER_SERVER__PORT="2") as (_, output):
        started = event(output, "server.started")

    ports = {int(str(started[name]).rpartition(":")[2]) for name in ("url", "admin_url")}
    assert set() == ports & {1, 2}


@pytest.mark.usefixtures("configured")
def test_a_port_in_use(run: Run, home: Path) -> None:
    """A port that somebody has is one line that says which and what to do."""
    with running(home, "sandbox", "--port", "0", until="http://") as (_, output):
        port = sandbox_url(output).rpartition(":")[2]
        result = run("serve", "--port", port, "--admin-port", "0")

    mend = "stop what listens there, or choose another --port or --admin-port (0: any free)."
    told = f"127.0.0.1:{port} is in use: {mend}\n"
    assert (1, told) == (result.exit_code, result.stderr)


def sandbox_url(output: Path) -> str:
    """What the sandbox said its address is."""
    return next(word for word in output.read_text().split() if word.startswith("http://"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sandbox(home: Path, number: signal.Signals) -> None:
    """The sandbox says where it is, answers there, and ends with exit code 0."""
    with running(home, "sandbox", "--port", "0", "--fail-rate", "0.5", until="http://") as (process, output):
        url = sandbox_url(output)
        with urllib.request.urlopen(url, timeout=START_TIMEOUT_S) as answer:
            about = answer.read().decode()
        process.send_signal(number)

        assert 0 == process.wait(START_TIMEOUT_S)

    assert f"sandbox: {url} (a stand-in provider; Ctrl-C ends it)\n" == output.read_text()
    assert "stand-in for image and video providers" in about


def test_demo_needs_nothing(home: Path) -> None:
    """In an empty directory the demo runs, prints its commands, and leaves nothing behind."""
    with running(home, "demo", *ANYWHERE, until="Ctrl-C") as (process, output):
        wait_for(lambda: "curl -sS" in output.read_text())
        process.send_signal(signal.SIGINT)

        assert 0 == process.wait(START_TIMEOUT_S)

    assert "gk_demo" in output.read_text()
    assert ["demo.out"] == [path.name for path in home.iterdir()]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("serve", "--workers", "65"), "--workers"),
        (("serve", "--port", "70000"), "--port"),
        (("sandbox", "--fail-rate", "0.7", "--cut-rate", "0.7"), "add up to more than 1"),
        (("sandbox", "--latency", "-1"), "--latency"),
    ],
)
def test_options_that_cannot_be(run: Run, arguments: tuple[str, ...], told: str) -> None:
    """What is out of range is refused before anything starts, with exit code 2."""
    result = run(*arguments, COLUMNS="200")

    assert 2 == result.exit_code
    assert told in result.stderr
