"""What `make audit` makes of each end that uv's own audit can have: real runs of it, against databases of ours."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.house.audit import SERVICE, asked, verdict
from tests.ledger.topologies import free_port

FLAW = "PYSEC-0000-1"


@contextmanager
def database(flaws: list[dict[str, str]]) -> Iterator[str]:
    """One in which the first package that is asked for has these flaws, in OSV's words; its address."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked_for = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            self._say({"results": [{"vulns": flaws} if not number else {} for number in range(len(asked_for))]})

        def do_GET(self) -> None:
            self._say({"id": FLAW, "modified": "2024-01-01T00:00:00Z", "summary": "a flaw", "affected": []})

        def _say(self, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = HTTPServer(("127.0.0.1", 0), Answering)
    serving = Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.mark.parametrize(
    ("flaws", "code", "says"),
    [
        ([], 0, "nothing in uv.lock is known to be vulnerable"),
        ([{"id": FLAW, "modified": "2024-01-01T00:00:00Z"}], 1, "something in uv.lock is vulnerable"),
    ],
)
def test_what_the_database_knows_decides(flaws: list[dict[str, str]], code: int, says: str) -> None:
    """Every package of the lock is asked about; one flaw fails, and is named."""
    with database(flaws) as url:
        ended, output = asked("--service-url", url)
    found = verdict(ended, output, require_all=False)

    assert (code, True) == (found.code, says in found.says)
    assert bool(flaws) == (FLAW in output)


def test_a_database_that_is_not_there_says_nothing_about_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that all is well, and not that anything is wrong."""
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    found = verdict(*asked("--service-url", f"http://127.0.0.1:{free_port()}/"), require_all=False)

    assert 0 == found.code
    assert found.says.startswith(f"NOT AUDITED: {SERVICE}")
