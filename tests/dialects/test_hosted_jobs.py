"""Jobs of fal, Replicate and BFL beside their transcripts: what their webhooks tell, and how they are asked."""

import json
from typing import Any

import pytest

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejected
from gatekeeper.dialects import bfl, fal
from gatekeeper.dialects.base import Dialect, JobLink
from gatekeeper.dialects.registry import DIALECTS
from tests.cases import each_case

PICTURE = {"url": "https://v3.fal.media/1.png", "width": 64, "height": 64}


def told(dialect: str, event: bytes) -> tuple[str | None, Outcome]:
    webhook = DIALECTS[dialect].TRAITS.webhook
    assert webhook is not None
    return webhook.read(event)


@each_case(
    ("dialect", "event", "job", "kind"),
    [
        ("fal", {"request_id": "r1", "status": "OK", "payload": {"images": [PICTURE]}}, "r1", Made),
        ("fal", {"request_id": "r1", "status": "OK", "payload": None, "payload_error": "too large"}, "r1", Pending),
        ("fal", {"request_id": "r1", "status": "ERROR", "payload": {"detail": []}}, "r1", Pending),
        ("fal", {"request_id": "r1", "status": "MAYBE"}, "r1", Unknown),
        ("fal", {"status": "OK"}, None, Unknown),
        ("replicate", {"id": "p1", "status": "succeeded", "output": "https://replicate.delivery/1.png"}, "p1", Made),
        ("replicate", {"id": "p1", "status": "processing"}, "p1", Pending),
        ("bfl", {"id": "t1", "status": "Ready", "result": {"sample": "https://delivery.bfl.ai/1.png"}}, "t1", Made),
        ("bfl", {"task_id": "t1", "status": "Content Moderated"}, "t1", Failed),
    ],
)
def test_an_event_tells_the_job_and_its_outcome(dialect: str, event: Any, job: str | None, kind: type[Outcome]) -> None:
    """Whose end it is, and which; what is no end tells none."""
    named, outcome = told(dialect, json.dumps(event).encode())

    assert (job, kind) == (named, type(outcome))


@pytest.mark.parametrize("status", ["OK", "ERROR"])
def test_a_result_that_an_event_has_not_is_to_be_asked_for(status: str) -> None:
    """fal may leave a large output out of its event, and never says in one what a failure was billed: it has ended."""
    _, outcome = told("fal", b'{"request_id": "r1", "status": "%s", "payload_error": "too large"}' % status.encode())

    assert isinstance(outcome, Pending)
    assert outcome.ended


@each_case("dialect", ["fal", "replicate", "bfl"])
@each_case("event", [b"", b"[]", b"\xff", b"{", b'{"id": {}, "request_id": 7, "status": []}'])
def test_an_event_of_any_bytes_is_no_end(dialect: str, event: bytes) -> None:
    """It names no job, and tells nothing."""
    named, outcome = told(dialect, event)

    assert (None, Unknown) == (named, type(outcome))


@each_case(
    ("dialect", "link", "asked"),
    [
        (fal, JobLink("r1", "/fal-ai/flux/dev"), ("queue", "/fal-ai/flux/requests/r1/status", "", False)),
        (fal, JobLink("r1", "/fal-ai/flux/dev", ended=True), ("queue", "/fal-ai/flux/requests/r1", "", False)),
        (
            fal,
            JobLink("r1", "/workflows/acme/kites/red"),
            ("queue", "/workflows/acme/kites/requests/r1/status", "", False),
        ),
        (DIALECTS["replicate"], JobLink("p1", "/v1/predictions"), ("", "/v1/predictions/p1", "", False)),
        (bfl, JobLink("t1", "/v1/flux-2-pro"), ("", "/v1/get_result", "id=t1", True)),
    ],
)
def test_a_job_is_asked_for_at_its_own_address(dialect: Dialect, link: JobLink, asked: Any) -> None:
    """Built from what its submission said, for nobody else told the address."""
    question = dialect.ask(link)

    assert question is not None
    assert ("GET", asked) == (
        question.method,
        (question.route.base, question.route.upstream_path, question.query, question.absolute),
    )


@pytest.mark.parametrize("path", ["/", "/one", "/a/b c"])
def test_a_submission_that_leads_nowhere_cannot_be_asked(path: str) -> None:
    """A path that is no app of fal's has no jobs."""
    assert fal.ask(JobLink("r1", path)) is None


@each_case(
    ("status", "body", "failed"),
    [(500, b"Internal Server Error", True), (404, b"{}", False), (429, b"{}", False), (422, b"{}", True)],
)
def test_of_a_job_that_is_over_a_models_error_is_the_end(status: int, body: bytes, failed: bool) -> None:
    """Asked because the status said so, even an error without a type tells that nothing was made."""
    question = fal.ask(JobLink("r1", "/fal-ai/flux/dev", ended=True))
    assert question is not None

    reader = fal.outcome_reader(question.route, status, "application/json")
    reader.feed(body)

    assert failed == isinstance(reader.finish(complete=True), Failed)


@each_case("query", [{}, {"id": ""}, {"id": "../x"}, {"id": "a b"}, {"id": "x" * 300}])
def test_a_question_to_bfl_names_a_task(query: dict[str, str]) -> None:
    """In its query, by an id that can stand in a log line."""
    route = bfl.find_route("GET", "/v1/get_result")
    assert route is not None

    with pytest.raises(Rejected):
        bfl.job_named(route, query, [])
    assert "t-1" == bfl.job_named(route, {"id": "t-1"}, [])


def test_a_large_picture_shows_its_size() -> None:
    """Of megabytes only the head is looked at."""
    head = "iVBORw0KGgoAAAANSUhEUgAAB4AAAAQ4CAYAAAA="
    body = json.dumps({"image_url": f"data:image/png;base64,{head}{'A' * 200_000}", "upscale_factor": 2}).encode()
    route = fal.find_route("POST", "/run/fal-ai/topaz/upscale/image")
    assert route is not None

    request = fal.read_request(route, "application/json", [body])

    assert ("1920x1080", 1) == (str(request.input_pixels), request.reference_images)
