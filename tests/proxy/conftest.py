"""A request as the data plane has it once its sender and route are known, without a server."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from gatekeeper.clock import SystemClock
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.events import GenerationFacts
from gatekeeper.ledger.teamrecord import KeyRecord, TeamRecord
from gatekeeper.metrics import Metrics
from gatekeeper.proxy.gate import Call, Trace
from gatekeeper.web.auth import Caller

MakeCall = Callable[..., Call]


@pytest.fixture(name="make_call")
def _make_call() -> MakeCall:
    """Makes the call of a POST to the native generations; headers are pairs, so that one can come twice."""

    def make(*headers: tuple[str, str], path: str = "/v1/generations", key_id: str = "ci", **team: Any) -> Call:
        dialect = DIALECTS["native"]
        route = dialect.find_route("POST", "/v1/generations")
        assert route is not None
        request: Any = make_mocked_request("POST", path, headers=list(headers))
        caller = Caller(b"gk_x", KeyRecord("0" * 64, "studio", key_id), TeamRecord("studio", **team))
        trace = Trace(GenerationFacts(request_id="req", provider="studio"), 0.0)
        catalog: Any = None
        return Call(
            request=request, trace=trace, catalog=catalog, caller=caller, dialect=dialect, route=route, candidates=()
        )

    return make


class KeepsAnswers:
    """A ledger that knows answers by hold id."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers

    async def answer(self, team_id: str, hold_id: str) -> str | None:
        assert team_id == "studio"
        return self.answers.get(hold_id)


@pytest.fixture(name="make_gate")
def _make_gate() -> Callable[..., Any]:
    """Makes as much of a gate as names a request and answers it again."""

    def make(**answers: str) -> Any:
        return SimpleNamespace(
            ledger=KeepsAnswers(**answers), metrics=Metrics(), clock=SystemClock(), retry_guard_window_s=1800
        )

    return make
