"""The code with which docs/webhooks.md verifies an event, run on what the gateway really sends."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.receiver import Receiver, listening
from tests.system.conftest import StartWorld
from tests.system.webhooking import hooked

DOCUMENT = Path(__file__).parents[2] / "docs" / "webhooks.md"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


def documented() -> Callable[[str, dict[str, str], bytes], bool]:
    """The document's `verify`."""
    (code,) = re.findall(r"```python\n(import base64.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # our own document
    verify: Callable[[str, dict[str, str], bytes], bool] = names["verify"]
    return verify


async def test_the_documents_sample_takes_what_the_gateway_sends(start_world: StartWorld, receiver: Receiver) -> None:
    """And nothing else: no other bytes, no other secret, nothing old."""
    scene, verify = await hooked(start_world, receiver), documented()
    await scene.submit()
    await receiver.until_received(1)
    headers, body = receiver.received[0]
    headers = {name.lower(): value for name, value in headers.items()}
    secret = await scene.secret()

    assert verify(secret, headers, body)
    assert not verify(secret, headers, body + b" ")
    assert not verify("whsec_" + "A" * 32, headers, body)
    assert not verify(secret, headers | {"webhook-timestamp": "1600000000"}, body)
