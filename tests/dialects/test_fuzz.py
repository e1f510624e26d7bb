"""Whatever comes in, from callers or providers: a request or a refusal, an outcome, and never anything else."""

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.core.outcome import Failed, Made, Pending, Unknown
from gatekeeper.core.rejection import Rejected, Rejection
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects.base import Route, RouteKind
from gatekeeper.dialects.native import FIELDS
from gatekeeper.dialects.registry import DIALECTS
from tests.dialects.samples import body_of, load_cases, routes_of

EXAMPLES = 20
"""For each dialect, and each of them on all its routes: to draw one takes a hundred times as long as to read it."""


def dialects_with(*kinds: RouteKind) -> list[Any]:
    """Every dialect that has routes of these kinds, by its name, with those."""
    found = ((name, [route for *_, route in routes_of(name, *kinds)]) for name in DIALECTS)
    return [pytest.param(name, routes, id=name) for name, routes in found if routes]


GENERATIONS = dialects_with(RouteKind.GENERATION)
ANSWERED = dialects_with(RouteKind.GENERATION, RouteKind.POLL, RouteKind.CANCEL)
JOBS = dialects_with(RouteKind.POLL, RouteKind.CANCEL, RouteKind.DOWNLOAD)

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


@cache
def seeds(dialect: str, *kinds: str) -> st.SearchStrategy[bytes]:
    """Bodies from the dialect's transcripts, each with one value anywhere in it replaced."""
    bodies = [body_of(case) for kind in kinds for case in load_cases(dialect, kind)]
    return st.sampled_from(bodies).flatmap(lambda body: st.just(body) | twisted(body))


@st.composite
def twisted(draw: st.DrawFn, body: bytes) -> bytes:
    """A JSON body with one of its values replaced, renamed or taken out; any other body as it is."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    place = value
    while isinstance(place, dict | list) and place:
        key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        deeper = place[key]
        if not (isinstance(deeper, dict | list) and deeper and draw(st.booleans())):
            if draw(st.booleans()):
                place[key] = draw(VALUES)
            else:
                del place[key]
            break
        place = deeper
    return json.dumps(value).encode()


@pytest.mark.parametrize(("dialect", "routes"), GENERATIONS)
@settings(max_examples=EXAMPLES)
@given(data=st.data(), content_type=CONTENT_TYPES)
def test_any_body_is_a_request_or_a_refusal(
    dialect: str, routes: list[Route], content_type: str, data: st.DataObject
) -> None:
    """Any bytes under any type are read or refused, and the refusal can be written."""
    bodies = st.binary() | mutated(BODIES) | mutated(FORMS) | mutated(seeds(dialect, "requests"))
    body = data.draw(chunked(bodies))

    for route in routes:
        came = read(dialect, route, content_type, body)
        if isinstance(came, Rejection):
            assert json.loads(DIALECTS[dialect].render_rejection(came, "r").body), route
        else:
            assert isinstance(came, GenerationRequest), route


@pytest.mark.parametrize(("dialect", "routes"), GENERATIONS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_chunks_do_not_change_what_is_read(dialect: str, routes: list[Route], data: st.DataObject) -> None:
    """However a body is cut, it asks the same or is refused for the same."""
    body = data.draw(mutated(BODIES) | mutated(seeds(dialect, "requests")))
    pieces = data.draw(chunked(st.just(body)))

    for route in routes:
        whole = read(dialect, route, "application/json", [body])
        assert whole == read(dialect, route, "application/json", pieces), route


@pytest.mark.parametrize(("dialect", "routes"), ANSWERED)
@settings(max_examples=EXAMPLES)
@given(
    status=st.sampled_from([200, 201, 202, 302, 400, 402, 404, 500, 599]),
    content_type=st.sampled_from(["application/json", "text/event-stream"]) | st.text(),
    headers=st.dictionaries(st.sampled_from(["x-fal-billable-units", "x-fal-error-type", "location"]), st.text()),
    complete=st.booleans(),
    data=st.data(),
)
def test_any_answer_is_an_outcome(
    dialect: str, routes: list[Route], status: int, content_type: str, headers: Any, complete: bool, data: st.DataObject
) -> None:
    """Any answer in any chunks comes to an outcome; an error makes nothing, and what was made is at least one."""
    bodies = st.binary() | mutated(ANSWER_BODIES) | mutated(STREAMS) | mutated(seeds(dialect, "answers", "polls"))
    chunks = data.draw(chunked(bodies))

    for route in routes:
        reader = DIALECTS[dialect].outcome_reader(route, status, content_type, headers)
        for chunk in chunks:
            reader.feed(chunk)
        outcome = reader.finish(complete=complete)

        assert isinstance(outcome, Made | Failed | Pending | Unknown), route
        assert not isinstance(outcome, Made) or outcome.outputs >= max(len(outcome.pixels), 1), route
        assert 200 <= status < 300 or isinstance(outcome, Failed | Unknown), route


@pytest.mark.parametrize(("dialect", "routes"), JOBS)
@settings(max_examples=EXAMPLES)
@given(query=st.dictionaries(st.sampled_from(["id", "task_id", "file_id"]) | st.text(), st.text()), data=st.data())
def test_any_question_about_a_job_names_one_or_is_refused(
    dialect: str, routes: list[Route], query: dict[str, str], data: st.DataObject
) -> None:
    """Whatever stands in the address and the body: a name that can stand in a log line, or a refusal."""
    bodies = st.binary() | mutated(BODIES) | mutated(seeds(dialect, "requests"))
    body = data.draw(chunked(bodies))

    for route in routes:
        with suppress(Rejected):
            name = DIALECTS[dialect].job_named(route, query, body)
            assert 0 < len(name) <= 300, route
            assert name.isprintable(), route


def read(dialect: str, route: Route, content_type: str, body: Sequence[bytes]) -> Any:
    """The request, or the rejection in its place."""
    try:
        return DIALECTS[dialect].read_request(route, content_type, body)
    except Rejected as refusal:
        return refusal.rejection
