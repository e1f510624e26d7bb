"""Ark, DashScope, MiniMax and Kling: questions about a task, what events tell, and refusals in their own codes."""

import json
from fractions import Fraction

import pytest

from gatekeeper.core.outcome import Failed, Made, Pending, Unknown
from gatekeeper.core.rejection import FACTS, Code, Rejection, Violation
from gatekeeper.dialects import ark, dashscope, kling, minimax
from gatekeeper.dialects.base import Dialect, JobLink, RouteKind
from tests.cases import each_case


@each_case(
    ("dialect", "submitted", "path", "query"),
    [
        (ark, "/contents/generations/tasks", "/contents/generations/tasks/9", ""),
        (dashscope, "/services/aigc/video-generation/video-synthesis", "/tasks/9", ""),
        (minimax, "/video_generation", "/query/video_generation", "task_id=9"),
        (kling, "/v1/videos/text2video", "/v1/videos/text2video/9", ""),
        (kling, "/v1/videos/image2video", "/v1/videos/image2video/9", ""),
        (kling, "/v1/images/generations", "/v1/images/generations/9", ""),
    ],
)
def test_a_task_is_asked_about_where_it_is_known(dialect: Dialect, submitted: str, path: str, query: str) -> None:
    """Kling knows each kind at its own address; the others have one for all."""
    question = dialect.ask(JobLink("9", submitted))

    assert question is not None
    assert ("GET", path, query) == (question.method, question.route.upstream_path, question.query)
    assert RouteKind.POLL is question.route.kind


@pytest.mark.parametrize("dialect", [ark, dashscope, kling])
def test_what_is_no_id_is_not_asked_about(dialect: Dialect) -> None:
    """An id with a slash would be another address."""
    assert dialect.ask(JobLink("9/../8", "/v1/videos/text2video")) is None


ENDED = [
    (
        ark,
        {"id": "9", "status": "succeeded", "content": {"video_url": "u"}, "duration": 5},
        Made(1, duration_s=Fraction(5)),
    ),
    (ark, {"id": "9", "status": "expired"}, Failed("expired")),
    (ark, {"id": "9", "status": "running"}, Pending("9")),
    (minimax, {"task_id": "9", "status": "success", "file_id": "7"}, Made(1, (), files=("7",))),
    (minimax, {"task_id": "9", "status": "failed"}, Failed("failed: no code")),
    (minimax, {"task_id": "9", "status": "processing"}, Pending("9")),
    (kling, {"task_id": "9", "task_status": "failed", "task_status_msg": "a prompt"}, Failed("failed")),
    (kling, {"task_id": "9", "task_status": "processing"}, Pending("9")),
]  # fmt: skip


@each_case(("dialect", "event", "outcome"), ENDED)
def test_an_event_tells_what_a_poll_would(
    dialect: Dialect, event: dict[str, object], outcome: Made | Failed | Pending
) -> None:
    """With the task's id; what it says is in the words of a poll, or nearly."""
    hook = dialect.TRAITS.webhook
    assert hook is not None

    assert ("9", outcome) == hook.read(json.dumps(event).encode())


@each_case("dialect", [ark, minimax, kling])
@each_case("body", [b"", b"[1]", b"{}", b'{"id": 5}', b"\xff"])
def test_an_event_that_is_none_tells_nothing(dialect: Dialect, body: bytes) -> None:
    """Whatever comes."""
    hook = dialect.TRAITS.webhook
    assert hook is not None

    name, outcome = hook.read(body)

    assert (name, type(outcome)) == (None, Unknown)


@each_case(
    ("body", "answer"),
    [
        (b'{"challenge": "a\\"b"}', b'{"challenge":"a\\"b"}'),
        (b'{"challenge": 5}', None),
        (b'{"task_id": "9", "status": "success"}', None),
        (b"challenge", None),
    ],
)
def test_minimax_gets_its_challenge_back(body: bytes, answer: bytes | None) -> None:
    """And nothing else gets an answer by that."""
    hook = minimax.TRAITS.webhook
    assert hook is not None
    assert hook.echo is not None

    assert answer == hook.echo(body)


@each_case("code", list(Code))
def test_codes_are_numbers_where_they_are_numbers(code: Code) -> None:
    """Kling and MiniMax have numbers for what other formats say in words; none of them is 0, which is success."""
    refusal = Rejection(code, "It was refused.")

    kling_code = json.loads(kling.render_rejection(refusal, "r").body)["code"]
    minimax_code = json.loads(minimax.render_rejection(refusal, "r").body)["base_resp"]["status_code"]

    assert all(isinstance(number, int) and number > 0 for number in (kling_code, minimax_code))
    assert (FACTS[code].status == 402) == (kling_code == 1102) == (minimax_code == 1008)


def test_kling_says_which_mode_a_tier_is() -> None:
    """Its callers write modes."""
    violation = Violation(Code.UNSUPPORTED_RESOLUTION, "resolution", "720P", ("1080P",), "1080P")
    refusal = Rejection(Code.UNSUPPORTED_RESOLUTION, "Kling 2.6 makes 1080P.", (violation,))

    message = json.loads(kling.render_rejection(refusal, "r").body)["message"]

    assert message.endswith("std is 720P, pro is 1080P, 4k is 4K.")


@pytest.mark.parametrize(
    ("dialect", "part"), [(ark, b"event: error\ndata: {"), (dashscope, b":HTTP_STATUS/504\ndata:{")]
)
def test_a_stream_can_end_in_a_refusal(dialect: Dialect, part: bytes) -> None:
    """In the way in which the provider itself would end it."""
    event = dialect.render_stream_error(Rejection(Code.PROVIDER_TIMEOUT, "It took too long."), "r")

    assert event is not None
    assert part in event
    assert event.endswith(b"\n\n")
