"""What a hold is ordered with: what its journal entry tells, and what it is counted under."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from gatekeeper.catalog import Catalog
from gatekeeper.clock import SystemClock
from gatekeeper.core.request import GenerationRequest
from gatekeeper.core.spec import Offer
from gatekeeper.ledger.records import HoldOrder, OnUnknown
from gatekeeper.ledger.usagebook import usage_text
from gatekeeper.proxy.admission import admit_call
from gatekeeper.proxy.entropy import Entropy
from gatekeeper.proxy.once import UNNAMED
from gatekeeper.proxy.ordering import order_of
from gatekeeper.proxy.pipeline import learn
from gatekeeper.proxy.remembering import Habits
from tests.factories import a_capability, a_model
from tests.proxy.conftest import MakeCall

SELLER: Any = SimpleNamespace(
    name="acme", offers_of="acme", models=(), default_model=None, on_unknown=OnUnknown.RELEASE, unknown_grace_s=60,
    timeouts=SimpleNamespace(total_s=900),
)  # fmt: skip
CATALOG = Catalog.of([a_model(a_capability(), id="painter", offers=(Offer("acme", "painter"),))], "made up")
GATE: Any = SimpleNamespace(habits=Habits(), clock=SystemClock(), client_total_s=900, entropy=Entropy())


def ordered(make_call: MakeCall, request_id: str, phase: str | None = None, outputs: int = 1) -> HoldOrder:
    """The order for a 1K picture."""
    call = make_call()
    call.catalog, call.candidates = CATALOG, (SELLER,)
    call.facts.request_id, call.facts.phase = request_id, phase
    admission = admit_call(call, GenerationRequest(model="painter", resolution="1K", outputs=outputs, prompt_length=1))
    learn(call, admission)
    return order_of(GATE, call, admission, UNNAMED, None)


@pytest.mark.parametrize(("phase", "outputs"), [(None, 1), ("final", 1), ("final", 2), (None, 2)])
def test_a_journal_entry_tells_of_its_own_request(make_call: MakeCall, phase: str | None, outputs: int) -> None:
    """Also where the same was asked before; what is not known is left out."""
    for request_id in ("0a1", "0a2"):
        order = ordered(make_call, request_id, phase, outputs)

        told = {"model": "painter", "operation": "image.generate", "resolution": "1K", "phase": phase,
                "provider": "acme", "outputs": outputs, "request_id": request_id}  # fmt: skip
        assert {name: value for name, value in told.items() if value is not None} == json.loads(order.meta)
        assert usage_text("painter", "image.generate", "1K", phase, "acme") == order.usage
