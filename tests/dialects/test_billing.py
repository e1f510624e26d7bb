"""What is charged for a job that ended without its result: the answer reads as the dialect's own table says."""

import json
from typing import Any

from gatekeeper.core.outcome import Failed
from gatekeeper.dialects.registry import DIALECTS
from tests.cases import each_case

GEMINI_FILTERED = {"generateVideoResponse": {"raiMediaFilteredCount": 1}}

ARK_TASK = "/contents/generations/tasks/t1"
KLING_TASK = "/v1/videos/text2video/t1"

ENDS: list[tuple[str, str, str, str, Any]] = [
    ("ark", "failed", "GET", ARK_TASK, {"id": "t1", "status": "failed", "error": {"code": "InternalServiceError"}}),
    (
        "ark",
        "moderated",
        "GET",
        ARK_TASK,
        {"status": "failed", "error": {"code": "OutputVideoSensitiveContentDetected"}},
    ),
    ("ark", "cancelled", "GET", ARK_TASK, {"id": "t1", "status": "cancelled"}),
    ("ark", "expired", "GET", ARK_TASK, {"id": "t1", "status": "expired"}),
    ("bfl", "failed", "GET", "/v1/get_result", {"id": "t1", "status": "Error"}),
    ("bfl", "moderated", "GET", "/v1/get_result", {"id": "t1", "status": "Request Moderated", "cost": 3}),
    ("bfl", "moderated", "GET", "/v1/get_result", {"id": "t1", "status": "Content Moderated", "cost": 3}),
    ("dashscope", "failed", "GET", "/tasks/t1", {"output": {"task_id": "t1", "task_status": "FAILED"}}),
    (
        "dashscope",
        "moderated",
        "GET",
        "/tasks/t1",
        {"output": {"task_status": "FAILED", "code": "DataInspectionFailed"}},
    ),
    ("dashscope", "cancelled", "GET", "/tasks/t1", {"output": {"task_id": "t1", "task_status": "CANCELED"}}),
    ("fal", "failed", "POST", "/run/fal-ai/flux/dev", {"images": []}),
    ("freepik", "failed", "GET", "/v1/ai/image-upscaler/k1", {"task_id": "k1", "task_status": "FAILED"}),
    ("gemini", "failed", "GET", "/v1beta/models/m/operations/o1", {"done": True, "error": {"code": 13}}),
    ("gemini", "failed", "GET", "/v1/interactions/v1_a", {"id": "v1_a", "status": "failed"}),
    ("gemini", "moderated", "GET", "/v1beta/models/m/operations/o1", {"done": True, "response": GEMINI_FILTERED}),
    ("gemini", "moderated", "POST", "/v1/models/m:generateContent", {"candidates": [{"finishReason": "IMAGE_SAFETY"}]}),
    ("gemini", "moderated", "POST", "/v1/models/m:predict", {"predictions": [{"raiFilteredReason": "r"}]}),
    ("gemini", "cancelled", "GET", "/v1/interactions/v1_a", {"id": "v1_a", "status": "cancelled"}),
    ("ideogram", "failed", "POST", "/v1/ideogram-v3/generate", {"data": []}),
    ("ideogram", "moderated", "POST", "/v1/ideogram-v3/generate", {"data": [{"url": "", "is_image_safe": False}]}),
    ("kling", "failed", "GET", KLING_TASK, {"code": 0, "data": {"task_id": "t1", "task_status": "failed"}}),
    (
        "kling",
        "moderated",
        "GET",
        KLING_TASK,
        {"code": 0, "data": {"task_status": "failed", "task_status_msg": "risk control"}},
    ),
    ("luma", "failed", "GET", "/generations/g1", {"id": "g1", "state": "failed"}),
    ("luma", "moderated", "GET", "/generations/g1", {"id": "g1", "state": "failed", "failure_reason": "moderated"}),
    ("minimax", "failed", "GET", "/query/video_generation", {"task_id": "1", "status": "Fail"}),
    (
        "minimax",
        "moderated",
        "GET",
        "/query/video_generation",
        {"task_id": "1", "status": "Fail", "base_resp": {"status_code": 1027}},
    ),
    ("native", "failed", "GET", "/v1/generations/j1", {"id": "j1", "status": "failed"}),
    ("native", "cancelled", "GET", "/v1/generations/j1", {"id": "j1", "status": "cancelled"}),
    ("openai", "failed", "GET", "/v1/videos/v1", {"id": "v1", "status": "failed", "error": {"code": "internal_error"}}),
    ("openai", "moderated", "GET", "/v1/videos/v1", {"status": "failed", "error": {"code": "moderation_blocked"}}),
    ("openai", "cancelled", "DELETE", "/v1/videos/v1", {"id": "v1", "deleted": True}),
    ("recraft", "failed", "POST", "/images/generations", {"data": []}),
    ("replicate", "failed", "GET", "/v1/predictions/p1", {"id": "p1", "status": "failed", "error": "x"}),
    ("replicate", "moderated", "GET", "/v1/predictions/p1", {"id": "p1", "status": "failed", "error": "E005"}),
    ("replicate", "cancelled", "GET", "/v1/predictions/p1", {"id": "p1", "status": "canceled", "started_at": None}),
    ("replicate", "expired", "GET", "/v1/predictions/p1", {"id": "p1", "status": "aborted"}),
    ("runway", "failed", "GET", "/v1/tasks/t1", {"status": "FAILED", "cost": {"credits": 0}}),
    ("runway", "failed", "GET", "/v1/tasks/t1", {"status": "FAILED", "cost": {"credits": 25}}),
    ("runway", "moderated", "GET", "/v1/tasks/t1", {"status": "FAILED", "failureCode": "SAFETY.OUTPUT"}),
    ("runway", "cancelled", "GET", "/v1/tasks/t1", {"status": "CANCELLED", "cost": {"credits": 25}}),
    ("topaz", "failed", "GET", "/status/d1", {"process_id": "d1", "status": "Failed", "credits": 2}),
    ("topaz", "cancelled", "GET", "/status/d1", {"process_id": "d1", "status": "Cancelled"}),
    ("xai", "failed", "GET", "/v1/videos/r1", {"status": "failed", "error": {"code": "internal_error"}}),
    ("xai", "moderated", "GET", "/v1/videos/r1", {"status": "done", "video": {"url": "", "respect_moderation": False}}),
    ("xai", "expired", "GET", "/v1/videos/r1", {"status": "expired"}),
]


ERRORS: list[tuple[str, str, str, str, Any, int]] = [
    ("fal", "moderated", "POST", "/run/fal-ai/flux/dev", {"detail": [{"type": "content_policy_violation"}]}, 422),
    ("fal", "expired", "POST", "/run/fal-ai/flux/dev", {"detail": "Request timed out"}, 504),
    ("recraft", "moderated", "POST", "/images/generations", {"code": "image_moderation_failed"}, 400),
]

UNTOLD = {
    ("bfl", "expired"), ("dashscope", "expired"), ("fal", "cancelled"), ("freepik", "moderated"),
    ("gemini", "expired"), ("luma", "cancelled"),
}  # fmt: skip
"""Ends that no answer tells by a word of its own: a failure like any other, or the provider knows no such job then."""


def test_every_rule_is_seen_at_work() -> None:
    """A rule that is in the documents alone could say anything."""
    stated = {(name, rule.end) for name, dialect in DIALECTS.items() for rule in dialect.TRAITS.billing}

    assert stated == {(dialect, end) for dialect, end, *_ in (*ENDS, *ERRORS)} | UNTOLD


@each_case(("dialect", "end", "method", "path", "answer", "status"), [*((*e, 200) for e in ENDS), *ERRORS])
def test_an_end_is_charged_as_the_table_says(
    dialect: str, end: str, method: str, path: str, answer: Any, status: int
) -> None:
    """Nothing, in full, or if the provider reports a cost above nothing."""
    known = DIALECTS[dialect]
    route = known.find_route(method, path)
    assert route is not None
    (charged,) = {rule.charged for rule in known.TRAITS.billing if rule.end == end}

    reader = known.outcome_reader(route, status, "application/json")
    reader.feed(json.dumps(answer).encode())
    outcome = reader.finish(complete=True)

    assert isinstance(outcome, Failed)
    reported = outcome.cost is not None and outcome.cost.amount > 0
    assert {"nothing": False, "in full": True, "as reported": reported}[charged] == outcome.billable


@each_case("dialect", sorted(DIALECTS))
def test_every_rule_names_its_source(dialect: str) -> None:
    """Nobody has to take a rule on trust, and no end has two."""
    rules = DIALECTS[dialect].TRAITS.billing

    assert all(rule.source for rule in rules)
    assert len({rule.end for rule in rules}) == len(rules)
