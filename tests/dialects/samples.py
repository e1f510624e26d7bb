"""What tests of every dialect share: a path for each template of a route, and the bodies that transcripts tell of."""

import base64
import json
import re
import struct
from pathlib import Path
from typing import Any

from gatekeeper.dialects.base import Route, RouteKind
from gatekeeper.dialects.registry import DIALECTS

TRANSCRIPTS = Path(__file__).parent / "transcripts"

Case = dict[str, Any]

SAMPLES = {"version": "v1", "project": "p-1", "location": "us-central1"}
"""What stands in a path for names that only take some values; any other is `<name>-1`."""


def sample_path(template: str) -> str:
    """A path that the template matches."""

    def fill(place: re.Match[str]) -> str:
        word = SAMPLES.get(place[1], f"{place[1]}-1")
        return f"{word}/{word}" if place[2] == "*" else word

    return re.sub(r"\{([a-z_]+)([*:]?)\}", fill, template)


def routes_of(dialect: str, *kinds: RouteKind) -> list[tuple[str, str, Route]]:
    """The method, a sample path and the route of each line of a dialect's table, of these kinds or of all."""
    found = []
    for method, template, known in DIALECTS[dialect].routes():
        if not kinds or known.kind in kinds:
            path = sample_path(template)
            route = DIALECTS[dialect].find_route(method, path)
            assert route is not None, f"{dialect}: {method} {path} is in the table and leads nowhere"
            found.append((method, path, route))
    return found


def load_cases(dialect: str, kind: str) -> list[Case]:
    """The cases of one kind: `requests`, `answers` or `polls`; none if there is no such file."""
    path = TRANSCRIPTS / f"{dialect}_{kind}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def body_of(case: Case) -> bytes:
    """The body a case writes as `json`, as `events` or as plain `text`, with its pictures drawn."""
    if "events" in case:
        text = "".join(f"event: {name}\ndata: {_written(data)}\n\n" for name, data in case["events"])
    else:
        text = json.dumps(case["json"]) if "json" in case else case.get("text", "")
    return re.sub(r"\{png (\d+)x(\d+)\}", lambda m: png_base64(int(m[1]), int(m[2])), text).encode()


def content_type_of(case: Case) -> str:
    return str(case.get("content_type", "text/event-stream" if "events" in case else "application/json"))


def png_base64(width: int, height: int) -> str:
    """A PNG as far as its size, and enough behind it to be a long string."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII5B", 13, b"IHDR", width, height, 8, 6, 0, 0, 0)
    return base64.b64encode(head + bytes(2000)).decode()


def in_pieces(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def _written(data: Any) -> str:
    return data if isinstance(data, str) else json.dumps(data)
