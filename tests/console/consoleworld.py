"""A browser without a screen: it keeps its cookie, sends the secret of its session, and follows nothing by itself."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.system.world import Answer, World

WHO = {"who": "lena", "why": "a test"}


@dataclass
class Console:
    """Somebody at the console of a running gateway. `seen` is every page so far."""

    world: World
    cookie: str = ""
    csrf: str = ""
    seen: list[Answer] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.world.gateway.admin_url

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """One request with the cookie; what comes back, not followed."""
        headers = {"Cookie": f"gatekeeper_session={self.cookie}"} if self.cookie else {}
        headers |= options.pop("headers", {})
        sent = {"method": method, "url": self.url + path, "headers": headers, "allow_redirects": False}
        async with self.world.session.request(**sent, **options) as response:
            answer = Answer(response.status, dict(response.headers), await response.read())
        # The session of the tests keeps cookies by itself; here they are sent by hand.
        self.world.session.cookie_jar.clear()
        self.seen.append(answer)
        return answer

    async def get(self, path: str, **options: Any) -> str:
        """A page that is there; its text."""
        answer = await self.ask("GET", path, **options)
        assert 200 == answer.status, (path, answer.status, answer.body[:500])
        return answer.body.decode()

    async def post(self, path: str, **fields: str) -> Answer:
        """A form, with the secret of the session, from a page of ours."""
        return await self.send(path, {"csrf": self.csrf, **fields})

    async def send(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        """A form as it is given; header names with _ for -."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return await self.ask("POST", path, data=urlencode(fields), headers=sent)

    async def sign_in(self, token: str | None = None) -> Answer:
        """With the gateway's own token unless another is given."""
        answer = await self.send("/login", {"token": token or self.world.gateway.admin_token})
        found = re.match(r"gatekeeper_session=([^;]+)", answer.headers.get("Set-Cookie", ""))
        if found and answer.status == 303:
            self.cookie = found[1]
            page = await self.get("/")
            self.csrf = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        return answer

    async def do(self, path: str, **fields: str) -> Answer:
        """An action that is done: who and why are said."""
        answer = await self.post(path, **{**WHO, **fields})
        assert answer.status in {200, 303}, (path, answer.status, answer.body.decode()[:3000])
        return answer

    async def last_entry(self, team: str = "studio") -> tuple[str, str, str]:
        """Kind, actor and why of the last journal entry."""
        ledger = self.world.gateway.store.ledger
        seq = (await ledger.balance(team)).seq
        (entry,) = await ledger.journal(team, seq - 1, 1)
        return entry.kind, entry.fields.get("actor", ""), entry.fields.get("why", "")
