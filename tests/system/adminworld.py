"""The admin plane of a running gateway, and the words in which tests speak to it."""

import asyncio
import io
import json
from dataclasses import dataclass, field
from typing import Any

from tests.system.world import Answer, World

TEAM = "/teams/studio"


@dataclass
class Admin:
    """Whoever runs a gateway. `seen` is every answer so far, by method and path."""

    world: World
    seen: list[tuple[str, str, Answer]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.world.gateway.admin_url}/admin/v1"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.world.gateway.admin_token}"}

    async def ask(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **more: str) -> Answer:
        """One request below /admin/v1 and its answer; header names in `more` with _ for -."""
        headers = self.headers | {name.replace("_", "-"): value for name, value in more.items()}
        data = io.BytesIO(raw) if raw is not None else None if body is None else json.dumps(body).encode()
        async with self.world.session.request(method, self.url + path, data=data, headers=headers) as response:
            answer = Answer(response.status, dict(response.headers), await response.read())
        self.seen.append((method, path, answer))
        return answer

    async def done(self, method: str, path: str, body: Any = None, **more: str) -> Any:
        """The same, which must succeed; its document."""
        answer = await self.ask(method, path, body, **more)
        assert answer.status in {200, 201}, (method, path, answer.status, answer.body)
        return answer.json

    async def found(self, credits: int = 1000, **team: Any) -> None:  # noqa: A002  # as the API calls it
        """The team `studio` with these credits."""
        self.world.teams.append("studio")
        await self.done("POST", "/teams", {"id": "studio", **team})
        if credits:
            await self.done("POST", f"{TEAM}/grants", {"id": "opening", "credits": credits})

    async def new_key(self, **fields: Any) -> str:
        """A new key of the team; its secret."""
        made = await self.done("POST", f"{TEAM}/keys", {"id": "ci", **fields})
        return str(made["secret"])

    async def state(self) -> dict[str, Any]:
        """Everything of the team that an act could change: books, journal, record, keys."""
        ledger = self.world.gateway.store.ledger
        figures, record, keys, grants, all_teams = await asyncio.gather(
            ledger.balance("studio"), ledger.team("studio"), ledger.keyring.of_team("studio"), ledger.grants("studio"),
            self.team_ids(),
        )  # fmt: skip
        moved = (figures.seq, figures.granted, figures.available, figures.held, figures.charged, figures.expired)
        return {"figures": moved, "record": record, "keys": keys, "grants": grants, "teams": all_teams}

    async def team_ids(self) -> list[str]:
        """Every team of the store."""
        return sorted([team_id async for team_id in self.world.gateway.store.ledger.teams()])

    async def spoken(self, head: str, body: bytes = b"") -> Answer:
        """A request written by hand, byte for byte, with the token."""
        host, port = self.world.gateway.admin_url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        token = self.headers["Authorization"]
        lines = f"{head} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nConnection: close\r\n"
        writer.write(lines.encode("latin-1") + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        top, _, rest = answer.partition(b"\r\n\r\n")
        return Answer(int(top.split()[1]), {}, rest)
