"""Transcripts: what goes in and what is read from it, for every dialect, in files that people can read."""

import json
from dataclasses import fields
from itertools import product
from typing import Any

import pytest

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending
from gatekeeper.core.rejection import Rejected
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects import native
from gatekeeper.dialects.base import Route, RouteKind
from gatekeeper.dialects.registry import DIALECTS
from tests.cases import case, each_case
from tests.dialects.samples import Case, body_of, content_type_of, in_pieces, load_cases, routes_of

ENDING_HEADERS = {"x-fal-billable-units": "3", "x-fal-error-type": "internal_server_error"}
"""Headers that are read with an end."""


def asked(request: GenerationRequest) -> dict[str, str]:
    """What a request says, as texts, without what it leaves open."""
    found = {field.name: getattr(request, field.name) for field in fields(request) if field.compare}
    off = {name for name in ("stream", "duration_auto", "input_video", "sources") if not found[name]}
    open_to_model = {name for name, value in found.items() if value is None} | off
    return {name: str(value) for name, value in found.items() if name not in open_to_model}


def told(outcome: Outcome) -> Case:
    """An outcome as the transcript files write it: what it does not tell is left out."""
    match outcome:
        case Made():
            return {"made": _made(outcome)}
        case Failed(reason, billable, cost):
            return {"failed": reason} | _given(billable=billable, cost=cost and f"{cost.amount} {cost.unit}")
        case Pending(job_id, poll_url, ended, cost):
            more = _given(poll_url=poll_url, ended=ended, cost=cost and f"{cost.amount} {cost.unit}")
            return {"pending": job_id} | more
        case _:
            return {"unknown": outcome.reason} | _given(gone=outcome.gone)


def _made(made: Made) -> Case:
    told_always = {"outputs": made.outputs, "pixels": [None if p is None else str(p) for p in made.pixels]}
    return told_always | _given(
        quality=made.quality,
        note=made.note,
        duration_s=made.duration_s and str(made.duration_s),
        resolution=made.resolution,
        audio=made.audio,
        tokens=made.tokens,
        cost=made.cost and f"{made.cost.amount} {made.cost.unit}",
        job=made.job_id,
        files=list(made.files),
    )


def _given(**values: Any) -> Case:
    return {name: value for name, value in values.items() if value or (value == 0 and value is not False)}


def route_of(dialect: str, case: Case, kind: RouteKind) -> Route:
    """The route that a case names, or the dialect's first of this kind."""
    if "path" not in case:
        return routes_of(dialect, kind)[0][2]
    method = case.get("method", "POST" if kind is RouteKind.GENERATION else "GET")
    route = DIALECTS[dialect].find_route(method, case["path"])
    assert route is not None
    return route


def test_every_dialect_has_its_transcripts() -> None:
    """No dialect goes without: requests and answers of each, and the polls of each that has jobs."""
    wanted = {(dialect, kind) for dialect in DIALECTS for kind in ("requests", "answers")}
    wanted |= {(dialect, "polls") for dialect in DIALECTS if routes_of(dialect, RouteKind.POLL)}

    assert set() == {each for each in wanted if not load_cases(*each)}


@each_case("dialect", DIALECTS)
def test_request_reads_as_written_down(dialect: str) -> None:
    """A request says what its transcript says it asks, or is refused with the fields it names."""
    for told_of in load_cases(dialect, "requests"):
        with case(told_of["fact"]):
            check_request(dialect, told_of)


def check_request(dialect: str, told_of: Case) -> None:
    route = route_of(dialect, told_of, RouteKind.GENERATION)
    body = in_pieces(body_of(told_of), 7)

    if "asks" in told_of:
        assert told_of["asks"] == asked(DIALECTS[dialect].read_request(route, content_type_of(told_of), body))
        return
    with pytest.raises(Rejected) as caught:
        DIALECTS[dialect].read_request(route, content_type_of(told_of), body)
    refusal = caught.value.rejection
    assert (told_of["refused"], told_of.get("status", 400)) == (refusal.code, refusal.status)
    assert told_of.get("fields", []) == [violation.field for violation in refusal.violations]
    assert told_of.get("nearest", []) == [violation.nearest for violation in refusal.violations if violation.nearest]


@each_case("dialect", DIALECTS)
def test_a_prompt_that_is_measured_is_known_again(dialect: str) -> None:
    """Whatever a dialect calls it: the digest is there with the length, and the same whenever it is read. Only the
    prompts of a film's shots, each of which is measured, have none."""
    for told_of in load_cases(dialect, "requests"):
        with case(told_of["fact"]):
            route = route_of(dialect, told_of, RouteKind.GENERATION)
            if "asks" in told_of:
                check_digest(dialect, route, told_of)


def check_digest(dialect: str, route: Route, told_of: Case) -> None:
    first, again = (
        DIALECTS[dialect].read_request(route, content_type_of(told_of), in_pieces(body_of(told_of), size))
        for size in (7, 10**6)
    )
    assert first.prompt_digest == again.prompt_digest
    in_shots = "multi_prompt" in told_of.get("json", {})
    assert in_shots or not first.prompt_length or first.prompt_digest is not None


@each_case("dialect", DIALECTS)
def test_answer_reads_as_written_down(dialect: str) -> None:
    """An answer comes to the outcome of its transcript, in pieces of any size."""
    for told_of, piece_bytes in product(load_cases(dialect, "answers"), (1, 10, 10**6)):
        with case(told_of["fact"], f"in pieces of {piece_bytes}"):
            check_answer(dialect, told_of, RouteKind.GENERATION, piece_bytes)


@each_case("dialect", [dialect for dialect in DIALECTS if routes_of(dialect, RouteKind.POLL)])
def test_poll_reads_as_written_down(dialect: str) -> None:
    """What a provider says of a job comes to the outcome of its transcript, in pieces of any size."""
    for told_of, piece_bytes in product(load_cases(dialect, "polls"), (1, 10**6)):
        with case(told_of["fact"], f"in pieces of {piece_bytes}"):
            check_answer(dialect, told_of, RouteKind.POLL, piece_bytes)


@each_case("dialect", [dialect for dialect in DIALECTS if routes_of(dialect, RouteKind.POLL)])
def test_no_header_ends_a_job_that_runs(dialect: str) -> None:
    """An answer whose body says that a job runs says so under whatever headers: it is known again by its body."""
    running = [each for each in load_cases(dialect, "polls") if each.get("pending") and not each.get("ended")]
    for told_of in running:
        with case(told_of["fact"]):
            check_answer(dialect, {**told_of, "headers": ENDING_HEADERS}, RouteKind.POLL, 10**6)


def check_answer(dialect: str, told_of: Case, kind: RouteKind, piece_bytes: int) -> None:
    status, headers = told_of.get("status", 200), told_of.get("headers", {})
    route = route_of(dialect, told_of, kind)
    reader = DIALECTS[dialect].outcome_reader(route, status, content_type_of(told_of), headers)

    for piece in in_pieces(body_of(told_of), piece_bytes):
        reader.feed(piece)

    names = ("made", "failed", "billable", "pending", "poll_url", "ended", "cost", "unknown", "gone")
    expected = {name: told_of[name] for name in names if name in told_of}
    assert expected == told(reader.finish(complete=told_of.get("complete", True)))


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
