"""What providers send when they call back, as each dialect reads it: the job's id and its outcome."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects import freepik, luma, topaz
from tests.cases import each_case

READERS = {"freepik": freepik.read_event, "luma": luma.read_event, "topaz": topaz.read_event}


@each_case(
    ("dialect", "event", "job_id", "outcome"),
    [
        (
            "luma",
            {"id": "g1", "state": "completed", "assets": {"video": "https://files.example/1.mp4"}},
            "g1",
            Made(1, (None,), job_id="g1"),
        ),
        ("luma", {"id": "g1", "state": "dreaming"}, "g1", Pending("g1")),
        ("luma", {"id": "g1", "state": "failed", "failure_reason": "r"}, "g1", Failed("failed")),
        (
            "freepik",
            {"task_id": "k1", "status": "COMPLETED", "generated": ["https://files.example/1.png"]},
            "k1",
            Made(1, (None,)),
        ),
        ("freepik", {"task_id": "k1", "status": "FAILED", "generated": []}, "k1", Failed("failed")),
        (
            "topaz",
            {"process_id": "d1", "status": "Completed", "output_width": 10, "output_height": 20},
            "d1",
            Made(1, (Pixels(10, 20),)),
        ),
    ],
)
def test_an_event_reads_as_a_poll_would(dialect: str, event: Any, job_id: str, outcome: Outcome) -> None:
    """The id, and what a poll would have told."""
    assert (job_id, outcome) == READERS[dialect](json.dumps(event).encode())


@pytest.mark.parametrize("dialect", READERS)
@given(body=st.binary() | st.sampled_from([b"{}", b"[]", b'{"id":5,"state":[]}', b'{"data":{"task_id":{}}}']))
def test_any_body_is_read_without_error(dialect: str, body: bytes) -> None:
    """Whatever comes tells of no job, or of nothing."""
    job_id, outcome = READERS[dialect](body)

    assert job_id is None
    assert isinstance(outcome, Unknown)
