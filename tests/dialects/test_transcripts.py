"""Transcripts: what goes in and what is read from it, for every dialect, in files that people can read."""

import base64
import json
import re
import struct
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending
from gatekeeper.core.rejection import Rejected
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects import native
from gatekeeper.dialects.registry import DIALECTS

TRANSCRIPTS = Path(__file__).parent / "transcripts"
GENERATION_PATHS = ("/v1/images/generations", "/v1/generations")
Case = dict[str, Any]


def png_base64(width: int, height: int) -> str:
    """A PNG as far as its size, and enough behind it to be a long string."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII5B", 13, b"IHDR", width, height, 8, 6, 0, 0, 0)
    return base64.b64encode(head + bytes(2000)).decode()


def load_cases(kind: str) -> list[Any]:
    """The cases of every dialect as pytest parameters, each named by the fact it shows."""
    return [
        pytest.param(dialect, case, id=f"{dialect}: {case['fact']}")
        for dialect in DIALECTS
        for case in json.loads((TRANSCRIPTS / f"{dialect}_{kind}.json").read_text(encoding="utf-8"))
    ]


def body_of(case: Case) -> bytes:
    """The body a case writes as `json`, as `events` or as plain `text`, with its pictures drawn."""
    if "events" in case:
        text = "".join(f"event: {name}\ndata: {written(data)}\n\n" for name, data in case["events"])
    else:
        text = json.dumps(case["json"]) if "json" in case else case["text"]
    return re.sub(r"\{png (\d+)x(\d+)\}", lambda m: png_base64(int(m[1]), int(m[2])), text).encode()


def written(data: Any) -> str:
    return data if isinstance(data, str) else json.dumps(data)


def content_type_of(case: Case) -> str:
    return str(case.get("content_type", "text/event-stream" if "events" in case else "application/json"))


def in_pieces(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def asked(request: GenerationRequest) -> dict[str, str]:
    """What a request says, as texts, without what it leaves open."""
    found = {field.name: getattr(request, field.name) for field in fields(request)}
    off = {name for name in ("stream", "duration_auto", "input_video") if not found[name]}
    open_to_model = {name for name, value in found.items() if value is None} | off
    return {name: str(value) for name, value in found.items() if name not in open_to_model}


def told(outcome: Outcome) -> Case:
    """An outcome as the transcript files write it."""
    match outcome:
        case Made(outputs, pixels, quality, note):
            made: Case = {"outputs": outputs, "pixels": [None if p is None else str(p) for p in pixels]}
            return {"made": made | ({"quality": quality} if quality else {}) | ({"note": note} if note else {})}
        case Failed(reason, billable):
            return {"failed": reason} | ({"billable": True} if billable else {})
        case Pending(job_id):
            return {"pending": job_id}
        case _:
            return {"unknown": outcome.reason}


@pytest.mark.parametrize(("dialect", "case"), load_cases("requests"))
def test_request_reads_as_written_down(dialect: str, case: Case) -> None:
    """A request says what its transcript says it asks, or is refused with the fields it names."""
    route = DIALECTS[dialect].find_route("POST", case["path"])
    assert route is not None
    body = in_pieces(body_of(case), 7)

    if "asks" in case:
        assert case["asks"] == asked(DIALECTS[dialect].read_request(route, content_type_of(case), body))
        return
    with pytest.raises(Rejected) as caught:
        DIALECTS[dialect].read_request(route, content_type_of(case), body)
    refusal = caught.value.rejection
    assert (case["refused"], case.get("status", 400)) == (refusal.code, refusal.status)
    assert case.get("fields", []) == [violation.field for violation in refusal.violations]
    assert case.get("nearest", []) == [violation.nearest for violation in refusal.violations if violation.nearest]


@pytest.mark.parametrize(("dialect", "case"), load_cases("answers"))
@pytest.mark.parametrize("piece_bytes", [1, 10, 10**6])
def test_answer_reads_as_written_down(dialect: str, case: Case, piece_bytes: int) -> None:
    """An answer comes to the outcome of its transcript, in pieces of any size."""
    route = next(filter(None, (DIALECTS[dialect].find_route("POST", path) for path in GENERATION_PATHS)))
    reader = DIALECTS[dialect].outcome_reader(route, case.get("status", 200), content_type_of(case))

    for piece in in_pieces(body_of(case), piece_bytes):
        reader.feed(piece)

    kind = next(kind for kind in ("made", "failed", "pending", "unknown") if kind in case)
    assert {kind: case[kind]} == told(reader.finish(complete=case.get("complete", True)))


def test_large_body_reads_like_a_small_one() -> None:
    """With megabytes of base64 in it a body asks the same; its long prompt is measured in bytes."""
    body = json.dumps({"model": "m", "prompt": "p" * 70_000, "image": "A" * 3_000_000, "n": 2}).encode()
    route = DIALECTS["openai"].find_route("POST", "/v1/images/edits")
    assert route is not None

    request = DIALECTS["openai"].read_request(route, "application/json", in_pieces(body, 65_536))

    assert asked(request) == {"model": "m", "operation": "image.edit", "prompt_length": "70000", "outputs": "2"}


def test_a_name_is_not_read_from_the_head_of_a_long_text() -> None:
    """A model name with kilobytes of padding is refused, not cut to the name in front."""
    body = json.dumps({"model": "m" + " " * 600, "image": "A" * 100_000}).encode()

    with pytest.raises(Rejected) as caught:
        native.read_body([body])

    assert "model" in {violation.field for violation in caught.value.rejection.violations}


def test_quotes_read_the_same_body() -> None:
    """The body of a quote is the body of a generation."""
    assert asked(native.read_body([b'{"model":', b'"m"}'])) == {"model": "m"}
