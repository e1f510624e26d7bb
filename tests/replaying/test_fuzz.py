"""Whatever stands in a log line, a replay goes on."""

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from gatekeeper.replaying.accounts import Accounts
from gatekeeper.replaying.judging import Judge
from gatekeeper.replaying.lines import LogLine
from gatekeeper.replaying.report import OtherWorld
from gatekeeper.replaying.rerun import EVENTS, Rerun
from gatekeeper.replaying.tally import refusal_document
from tests.replaying.scene import Place, admitted

AT_MS = 1_803_895_200_000
WORDS = st.sampled_from(["a-model", "studio", "own", "native", "a", "1K", "16:9", "made", "charge", "settled", "auto"])
NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.integers(-2, 100))
PLAIN = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.text(max_size=5))
NAMES = st.sampled_from(
    [
        "model",
        "operation",
        "resolution",
        "size",
        "outputs",
        "duration_s",
        "scale",
        "input",
        "prompt",
        "pixels",
        "tokens",
    ]
)
VALUES = st.one_of(PLAIN, st.lists(PLAIN, max_size=2), st.dictionaries(NAMES, PLAIN, max_size=6))
FIELDS = st.sampled_from(
    [
        *admitted("a"), "credits_charged", "made", "outcome", "status", "transition", "code", "asked", "made",
        "outputs_made", "credits", "hold_id", "asked", "provider",
    ]
)  # fmt: skip
LINES = st.builds(
    lambda event, at_ms, fields: LogLine(at_ms, event, {**admitted("a"), **fields}),
    st.sampled_from(sorted(EVENTS)),
    st.integers(AT_MS, AT_MS + 10**9),
    st.dictionaries(FIELDS, VALUES, max_size=4),
)


@pytest.fixture(name="world", scope="module")
def _world(tmp_path_factory: pytest.TempPathFactory) -> OtherWorld:
    directory: Path = tmp_path_factory.mktemp("world")
    return Place(directory).world(limits=[{"scope": "member", "per": "day", "credits": 100}])


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(LINES, max_size=8))
def test_any_line_is_judged_or_counted(world: OtherWorld, lines: list[Any]) -> None:
    """No exception, and every sum can be told."""
    rerun = Rerun(Judge(world.catalog, world.providers), Accounts(world.teams))

    for line in lines:
        rerun.feed(line)

    assert rerun.whole.document()
    assert all(refusal_document(why, found) for why, found in rerun.refusals.rows.items())
