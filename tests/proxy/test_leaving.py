"""What a refused request leaves behind: nothing."""

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.streams import EMPTY_PAYLOAD

from gatekeeper.clock import SystemClock
from gatekeeper.core.rejection import Rejected
from gatekeeper.proxy.crowd import Elsewhere
from gatekeeper.proxy.pipeline import generate
from tests.proxy.conftest import MakeCall


async def test_a_refusal_is_gone_when_it_is_told(make_call: MakeCall) -> None:
    """With its request and all that stood in it: nothing waits for the collector of garbage."""
    crowd = SimpleNamespace(elsewhere=Elsewhere())
    gate: Any = SimpleNamespace(room=None, max_body_bytes=1024, body_timeout_s=1, clock=SystemClock(), crowd=crowd)
    call = make_call()
    call.request._payload = EMPTY_PAYLOAD
    gc.disable()

    try:
        with pytest.raises(Rejected) as raised:
            await generate(gate, call)
        refused = weakref.ref(raised.value)
        del raised

        assert refused() is None
    finally:
        gc.enable()
