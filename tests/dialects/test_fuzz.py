"""Whatever comes in, from callers or providers: a request or a refusal, an outcome, and never anything else."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.core.outcome import Failed, Made, Pending, Unknown
from gatekeeper.core.rejection import Rejected, Rejection
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects.base import Route
from gatekeeper.dialects.native import FIELDS
from gatekeeper.dialects.registry import DIALECTS

ROUTES = {
    "openai": [DIALECTS["openai"].find_route("POST", f"/v1/images/{end}") for end in ("generations", "edits")],
    "native": [DIALECTS["native"].find_route("POST", "/v1/generations")],
}
PAIRS = [(name, route) for name, routes in ROUTES.items() for route in routes if route is not None]

BOUNDARY = "b0undary"
CONTENT_TYPES = st.sampled_from(["application/json", f"multipart/form-data; boundary={BOUNDARY}", ""]) | st.text()

NAMES = st.sampled_from([*FIELDS, "n", "stream", "image", "width", "height"]) | st.text(max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=600)
    | st.sampled_from(["auto", "16:9", "8s", "2x", "1024x1024", "image.edit", "999999999999999999999", "1e5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=6).map(lambda body: json.dumps(body).encode())

PART = st.builds(
    lambda name, extra, value: (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n{value}\r\n'.encode(
            errors="replace"
        )
    ),
    NAMES,
    st.sampled_from(["", '; filename="a.png"', "\r\nContent-Type: text/plain", "\r\nX: y"]) | st.text(max_size=5),
    st.sampled_from(["1", "true", "auto", f"\n--{BOUNDARY}"]) | st.text(max_size=20),
)
FORMS = st.lists(PART, max_size=4).map(lambda parts: b"".join(parts) + f"--{BOUNDARY}--\r\n".encode())

ENTRIES = st.dictionaries(st.sampled_from(["b64_json", "url", "width", "height", "x"]), VALUES, max_size=3) | VALUES
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "data": st.lists(ENTRIES, max_size=3) | VALUES,
        "outputs": st.lists(ENTRIES, max_size=3) | VALUES,
        "error": st.dictionaries(st.sampled_from(["code", "type", "message"]), VALUES) | VALUES,
        "type": st.sampled_from(["image_generation.completed", "image_edit.completed", "error"]) | VALUES,
        "b64_json": VALUES,
        "size": VALUES,
        "quality": VALUES,
        "id": VALUES,
        "code": VALUES,
    },
)
ANSWER_BODIES = ANSWERS.map(lambda answer: json.dumps(answer).encode())
STREAMS = st.lists(
    st.builds(lambda name, data, end: b"event: " + name + b"\ndata: " + data + end,
              st.sampled_from([b"image_generation.completed", b"error", b""]) | st.binary(max_size=5),
              ANSWER_BODIES, st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r", b"\n"])),
    max_size=4,
).map(b"".join)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """A body with a piece replaced by something else, or left as it is."""
    body = draw(bodies)
    start, stop = sorted(draw(st.tuples(st.integers(0, len(body)), st.integers(0, len(body)))))
    return draw(st.just(body) | st.binary(max_size=4).map(lambda piece: body[:start] + piece + body[stop:]))


@st.composite
def chunked(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> list[bytes]:
    body = draw(bodies)
    cuts = sorted({0, len(body), *draw(st.lists(st.integers(0, len(body)), max_size=5))})
    return [body[a:b] for a, b in pairwise(cuts)]


@pytest.mark.parametrize(("dialect", "route"), PAIRS)
@settings(max_examples=200)
@given(content_type=CONTENT_TYPES, body=chunked(st.binary() | mutated(BODIES) | mutated(FORMS)))
def test_any_body_is_a_request_or_a_refusal(dialect: str, route: Route, content_type: str, body: list[bytes]) -> None:
    """Any bytes under any type are read or refused, and the refusal can be written."""
    came = read(dialect, route, content_type, body)

    if isinstance(came, Rejection):
        assert json.loads(DIALECTS[dialect].render_rejection(came, "r").body)
    else:
        assert isinstance(came, GenerationRequest)


@pytest.mark.parametrize(("dialect", "route"), PAIRS)
@settings(max_examples=200)
@given(body=mutated(BODIES), data=st.data())
def test_chunks_do_not_change_what_is_read(dialect: str, route: Route, body: bytes, data: st.DataObject) -> None:
    """However a body is cut, it asks the same or is refused for the same."""
    pieces = data.draw(chunked(st.just(body)))

    whole = read(dialect, route, "application/json", [body])

    assert whole == read(dialect, route, "application/json", pieces)


@pytest.mark.parametrize(("dialect", "route"), PAIRS)
@settings(max_examples=200)
@given(
    status=st.sampled_from([200, 201, 202, 302, 400, 402, 500, 599]),
    content_type=st.sampled_from(["application/json", "text/event-stream"]) | st.text(),
    body=chunked(st.binary() | mutated(ANSWER_BODIES) | mutated(STREAMS)),
    complete=st.booleans(),
)
def test_any_answer_is_an_outcome(
    dialect: str, route: Route, status: int, content_type: str, body: list[bytes], complete: bool
) -> None:
    """Any answer in any chunks comes to an outcome; what was made has as many sizes as outputs, and at least one."""
    reader = DIALECTS[dialect].outcome_reader(route, status, content_type)
    for chunk in body:
        reader.feed(chunk)

    outcome = reader.finish(complete=complete)

    assert isinstance(outcome, Made | Failed | Pending | Unknown)
    assert not isinstance(outcome, Made) or outcome.outputs == len(outcome.pixels) > 0
    assert 200 <= status < 300 or isinstance(outcome, Failed)


def read(dialect: str, route: Route, content_type: str, body: Sequence[bytes]) -> Any:
    """The request, or the rejection in its place."""
    try:
        return DIALECTS[dialect].read_request(route, content_type, body)
    except Rejected as refusal:
        return refusal.rejection
