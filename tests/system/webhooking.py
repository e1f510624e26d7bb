"""A world with webhooks: a gateway in front of the sandbox, a receiver that may be called, and the words to ask."""

import asyncio
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook

from gatekeeper.proxy.webhooks.keys import callback_path
from gatekeeper.proxy.webhooks.signatures import standard_headers
from gatekeeper.sandbox.settings import WEBHOOK_SECRET
from tests.receiver import Receiver
from tests.system.conftest import StartWorld
from tests.system.world import Answer, World

TRIES = 2000
"""Twenty seconds, for a machine that is busy with everything else."""

LOCAL = {"allow_hosts": ["127.0.0.1"], "retry_min_s": 0.05, "retry_max_s": 0.1}
"""The receiver of a test is on this machine, and nobody wants to wait for it."""


def signed(directory: Path) -> dict[str, Any]:
    """The provider's settings with which its events are believed."""
    path = directory / "webhook-secret"
    path.write_text(WEBHOOK_SECRET)
    return {"webhook_secret": {"file": str(path)}}


@dataclass
class Hooked:
    """A world, a receiver, and a team with a key."""

    world: World
    receiver: Receiver
    key: str

    async def submit(
        self, behaviour: str = "", webhook: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """A prediction of Replicate's with boring defaults, whose end the receiver is to be told."""
        prompt = f"a cat [sandbox: {behaviour}]" if behaviour else "a cat"
        body = {
            "version": "nano-banana-2",
            "webhook": self.receiver.url if webhook is None else webhook,
            "webhook_events_filter": ["completed"],
            "input": {"prompt": prompt, "aspect_ratio": "1:1", "resolution": "1K"},
        }
        answer = await self.world.send("POST", "/replicate/v1/predictions", self.key, json=body, headers=headers or {})
        assert 201 == answer.status, answer.body
        return answer

    def now_s(self, later_s: int = 0) -> str:
        """The gateway's time, or some seconds later, as signatures have it."""
        return str(int(self.world.gateway.gate.clock.now().timestamp()) + later_s)

    async def poll(self, job: str) -> Answer:
        return await self.world.send("GET", f"/replicate/v1/predictions/{job}", self.key)

    async def until_charged(self, job: str) -> None:
        """Polls (bounded) until an answer tells what the job cost."""
        for _ in range(TRIES):
            if "Gatekeeper-Credits-Charged" in (await self.poll(job)).headers:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{job} is not charged")

    async def secret(self) -> str:
        """What the team's webhooks are signed with."""
        answer = await self.world.send("GET", "/v1/webhooks/default/secret", self.key)
        assert 200 == answer.status
        return str(answer.json["key"])

    async def verified(self, number: int = 0) -> Any:
        """An event that the receiver got, as the standard's own library lets it through."""
        headers, body = self.receiver.received[number]
        Webhook(await self.secret()).verify(body, headers)
        return json.loads(body)

    async def end_jobs(self) -> None:
        await self.sandbox("POST", "/sandbox/jobs/end")

    async def sandbox(self, method: str, path: str) -> Any:
        assert self.world.sandbox is not None
        async with self.world.session.request(method, self.world.sandbox.url + path) as response:
            return await response.json()

    async def sendings(self, ended: int = 1) -> list[dict[str, Any]]:
        """What the sandbox sent to webhooks, once so many were taken (bounded)."""
        for _ in range(TRIES):
            sent = (await self.sandbox("GET", "/sandbox/ledger"))["webhooks_recent"]
            if sum(bool(each["answers"] and each["answers"][-1] == 200) for each in sent) >= ended:
                return list(sent)
            await asyncio.sleep(0.01)
        raise AssertionError(f"not {ended} events were taken: {[each['answers'] for each in sent]}")

    def callback(self, hold_id: str, provider: str = "replicate") -> str:
        """The address that the provider was given for this hold."""
        secret = self.world.gateway.gate.webhooks.secret
        return self.world.url + callback_path(secret, provider, "team-0", hold_id)

    async def forge(self, url: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Somebody calls the gateway as a provider would; its answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.world.session.post(url, data=io.BytesIO(data), headers=headers or {}) as response:
            return response.status, await response.read()

    async def kinds(self) -> list[str]:
        """What the team's journal says about holds, in order."""
        return await self.world.kinds()


def signed_event(event: dict[str, Any], now_s: str) -> tuple[bytes, dict[str, str]]:
    """An event, and the headers with which Replicate would send it."""
    body = json.dumps(event).encode()
    return body, standard_headers(WEBHOOK_SECRET, "msg_forged", body, int(now_s))


async def hooked(start_world: StartWorld, receiver: Receiver, **changes: Any) -> Hooked:
    """A world in which webhooks of this machine may be called, with a key of a team."""
    world = await start_world(webhooks={**LOCAL, **changes.pop("webhooks", {})}, **changes)
    return Hooked(world, receiver, await world.key())
