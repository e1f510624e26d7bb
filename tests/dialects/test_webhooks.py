"""Events of every dialect that has webhooks: any bytes are read, none raise."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.core.outcome import Failed, Made, Pending, Unknown
from gatekeeper.dialects.base import Dialect
from gatekeeper.dialects.registry import DIALECTS
from tests.cases import each_case

WITH_WEBHOOKS = [pytest.param(each, id=name) for name, each in DIALECTS.items() if each.TRAITS.webhook is not None]

WORDS = st.sampled_from(
    ["id", "request_id", "task_id", "process_id", "status", "state", "task_status", "payload", "result", "output",
     "error", "data", "content", "succeeded", "completed", "OK", "ERROR", "Ready", "COMPLETED", "failed", "job-1"]
)  # fmt: skip
EVENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=12,
)


def read(dialect: Dialect, body: bytes) -> tuple[str | None, Any]:
    trait = dialect.TRAITS.webhook
    assert trait is not None
    return trait.read(body)


@pytest.mark.parametrize("dialect", WITH_WEBHOOKS)
@settings(deadline=None, max_examples=60)
@given(body=st.binary() | EVENTS.map(lambda event: json.dumps(event).encode()))
def test_any_event_is_read(dialect: Dialect, body: bytes) -> None:
    """A job's id or none, and an outcome: whatever comes, nothing is raised."""
    name, outcome = read(dialect, body)

    assert name is None or (isinstance(name, str) and name)
    assert isinstance(outcome, Made | Failed | Pending | Unknown)


@pytest.mark.parametrize("dialect", WITH_WEBHOOKS)
@each_case("body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"id":"job-1"}', b'{"request_id":"job-1"}'])
def test_an_event_that_tells_nothing_ends_nothing(dialect: Dialect, body: bytes) -> None:
    """It is neither a success nor a failure."""
    _, outcome = read(dialect, body)

    assert isinstance(outcome, Pending | Unknown)
