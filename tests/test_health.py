"""What a container asks itself."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from gatekeeper import health
from gatekeeper.health import ALIVE, READY, ask
from tests.ledger.topologies import free_port


class Admin(BaseHTTPRequestHandler):
    """An admin port whose store is away."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == ALIVE else 503)
        self.end_headers()
        self.wfile.write(b'{"ready": false}')

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(name="port")
def _port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Admin)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_alive_is_not_ready(port: int) -> None:
    """Each question has its own answer; one that says no says why."""
    assert (True, False) == (ask("127.0.0.1", port, ALIVE)[0], ask("127.0.0.1", port, READY)[0])
    assert '{"ready": false}' == ask("127.0.0.1", port)[1]


def test_who_listens_everywhere_is_asked_here(port: int) -> None:
    """0.0.0.0 is where a gateway listens, not where it is."""
    assert ask("0.0.0.0", port, ALIVE)[0]


def test_nobody_there_is_no_failure_of_the_question() -> None:
    """It says that nobody answers, and where."""
    port = free_port()
    well, says = ask("127.0.0.1", port)

    assert not well
    assert says.startswith(f"nobody answers at 127.0.0.1:{port}: ")


def test_one_that_is_kept_waiting_is_not_called_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """While its store is silent, so is `/readyz`: what is said must not send anybody to look for a dead process."""
    monkeypatch.setattr(health, "TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        well, says = ask("127.0.0.1", port)

    assert not well
    assert f"no answer from 127.0.0.1:{port} within 0.05 s: it waits for something, perhaps its store" == says


def test_it_imports_nothing_of_the_gateway() -> None:
    """It runs every few seconds beside it: not one module more than the package's own name."""
    program = "import sys, gatekeeper.health; print([m for m in sys.modules if m.startswith('gatekeeper')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "['gatekeeper', 'gatekeeper.health']" == done.stdout.strip()
