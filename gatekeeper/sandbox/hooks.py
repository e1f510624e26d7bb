"""Webhooks as the providers send them: when a job has ended, an event goes to the address that its request named.

Signed the provider's way, repeated a few times until somebody answers 2xx, and noted in the record. An event can be
sent once more on demand, for tests of what a receiver does with it.
"""

import asyncio
import base64
import hashlib
import hmac
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.sandbox.jobs import Job, Teller, new_token
from gatekeeper.sandbox.record import Record, Sending

PAUSES_S = (0.1, 0.3, 1.0, 3.0)
"""Between attempts: impatient, because tests wait for it."""

TIMEOUT_S = 15.0
"""The longest that fal waits for an answer."""

EVENTS_MAX = 100
"""Events kept to be sent again."""

BodyMaker = Callable[[Job], Mapping[str, Any]]
"""Writes the event of a job that has ended."""

Signer = Callable[[bytes], Mapping[str, str]]
"""The signature's headers for a body."""


@dataclass(frozen=True, slots=True)
class _Event:
    job: str
    url: str
    body: bytes
    headers: Mapping[str, str]


class Hooks:
    """Sends events. Belongs to one event loop."""

    def __init__(self, secret: str, record: Record) -> None:
        self.secret = secret
        self._record = record
        self._fal_key = Ed25519PrivateKey.generate()
        self._events: deque[_Event] = deque(maxlen=EVENTS_MAX)
        self._session: aiohttp.ClientSession | None = None

    def standard(self, url: str, body: BodyMaker) -> Teller:
        """Signed by Standard Webhooks with the secret of the settings, as Replicate does."""
        return self._teller(url, body, self._sign_standard)

    def fal(self, url: str, body: BodyMaker) -> Teller:
        """Signed with this sandbox's own ED25519 key, which `jwks` shows."""
        return self._teller(url, body, self._sign_fal)

    def bfl(self, url: str, secret: str, body: BodyMaker) -> Teller:
        """Signed with the secret that the request gave; not at all if it gave none."""
        return self._teller(url, body, lambda text: _sign_bfl(secret, text))

    def plain(self, url: str, body: BodyMaker) -> Teller:
        """Without a signature."""
        return self._teller(url, body, lambda _: {})

    async def echoes(self, url: str) -> bool:
        """Whether an address sends a challenge back, as MiniMax wants it before it takes a task."""
        challenge = new_token()
        status, body = await self._call(url, orjson.dumps({"challenge": challenge}), {})
        return 200 <= status < 300 and challenge.encode() in body

    def jwks(self) -> dict[str, Any]:
        """The key that fal's events are signed with, as a set of JSON Web Keys."""
        raw = self._fal_key.public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "sandbox", "x": x}]}

    async def again(self) -> int:
        """Sends every event that it remembers once more, byte for byte as it was. How many."""
        events = list(self._events)
        await asyncio.gather(*(self._send(event) for event in events))
        return len(events)

    async def close(self) -> None:
        """Closes its connections."""
        if self._session is not None:
            await self._session.close()

    def _teller(self, url: str, body: BodyMaker, sign: Signer) -> Teller:
        async def tell(job: Job) -> None:
            text = orjson.dumps(body(job))
            event = _Event(job.id, url, text, {"Content-Type": "application/json", **sign(text)})
            self._events.append(event)
            await self._send(event)

        return tell

    async def _send(self, event: _Event) -> None:
        names = sorted(name.lower() for name in event.headers)
        sending = Sending(event.job, event.url, hashlib.sha256(event.body).hexdigest(), names)
        self._record.webhook_sent(sending)
        for pause_s in (*PAUSES_S, None):
            sending.answers.append(await self._post(event))
            if 200 <= sending.answers[-1] < 300 or pause_s is None:
                return
            await asyncio.sleep(pause_s)

    async def _post(self, event: _Event) -> int:
        """The status, 0 if there was no answer."""
        return (await self._call(event.url, event.body, event.headers))[0]

    async def _call(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body of the answer, 0 if there was none."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, ValueError):
            # ValueError: the address is none. A provider would not say more either.
            return 0, b""

    def _sign_standard(self, body: bytes) -> Mapping[str, str]:
        message_id, stamp = f"msg_{new_token()}", str(int(time.time()))
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = hmac.digest(key, f"{message_id}.{stamp}.".encode() + body, "sha256")
        signature = f"v1,{base64.b64encode(signed).decode()}"
        return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": signature}

    def _sign_fal(self, body: bytes) -> Mapping[str, str]:
        request_id, user_id, stamp = new_token(), "sandbox-user", str(int(time.time()))
        message = "\n".join((request_id, user_id, stamp, hashlib.sha256(body).hexdigest()))
        return {
            "X-Fal-Webhook-Request-Id": request_id,
            "X-Fal-Webhook-User-Id": user_id,
            "X-Fal-Webhook-Timestamp": stamp,
            "X-Fal-Webhook-Signature": self._fal_key.sign(message.encode()).hex(),
        }


def _sign_bfl(secret: str, body: bytes) -> Mapping[str, str]:
    if not secret:
        return {}
    return {"X-BFL-Signature": f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"}
