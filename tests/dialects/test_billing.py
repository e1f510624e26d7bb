"""What is charged for a job that ended without its result: the answer reads as the dialect's own table says."""

import json
from typing import Any

import pytest

from gatekeeper.core.outcome import Failed
from gatekeeper.dialects.registry import DIALECTS

GEMINI_FILTERED = {"generateVideoResponse": {"raiMediaFilteredCount": 1}}

ENDS: list[tuple[str, str, str, str, Any]] = [
    ("bfl", "failed", "GET", "/v1/get_result", {"id": "t1", "status": "Error"}),
    ("bfl", "moderated", "GET", "/v1/get_result", {"id": "t1", "status": "Request Moderated", "cost": 3}),
    ("bfl", "moderated", "GET", "/v1/get_result", {"id": "t1", "status": "Content Moderated", "cost": 3}),
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
    ("luma", "failed", "GET", "/generations/g1", {"id": "g1", "state": "failed"}),
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


@pytest.mark.parametrize(("dialect", "end", "method", "path", "answer"), ENDS)
def test_an_end_is_charged_as_the_table_says(dialect: str, end: str, method: str, path: str, answer: Any) -> None:
    """Nothing, in full, or if the provider reports a cost above nothing."""
    known = DIALECTS[dialect]
    route = known.find_route(method, path)
    assert route is not None
    (charged,) = {rule.charged for rule in known.TRAITS.billing if rule.end == end}

    reader = known.outcome_reader(route, 200, "application/json")
    reader.feed(json.dumps(answer).encode())
    outcome = reader.finish(complete=True)

    assert isinstance(outcome, Failed)
    reported = outcome.cost is not None and outcome.cost.amount > 0
    assert {"nothing": False, "in full": True, "as reported": reported}[charged] == outcome.billable


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_rule_names_its_source(dialect: str) -> None:
    """Nobody has to take a rule on trust, and no end has two."""
    rules = DIALECTS[dialect].TRAITS.billing

    assert all(rule.source for rule in rules)
    assert len({rule.end for rule in rules}) == len(rules)
