"""What is known of a request while it is under way."""

import pytest

from gatekeeper.events import GenerationFacts
from gatekeeper.proxy.gate import Trace


def test_a_trace_learns_the_facts_that_there_are() -> None:
    """Any other would stand in every line of the request."""
    trace = Trace(GenerationFacts(request_id="req"), 0.0)
    trace.learn(team="studio")

    with pytest.raises(AttributeError):
        trace.learn(prompt="a lighthouse")

    assert ("studio", False) == (trace.facts.team, hasattr(trace.facts, "prompt"))
