"""The calls in `docs/admin.md`, as they stand there."""

import re
import shlex
from pathlib import Path

from tests.system.adminworld import Admin
from tests.system.conftest import StartWorld

DOCUMENT = Path(__file__).parents[2] / "docs" / "admin.md"
CALL = re.compile(r"^curl -s (.*)$", re.MULTILINE)


async def test_the_documents_calls_do_what_they_say(start_world: StartWorld) -> None:
    """Each answers 200 or 201; the key that they make may spend what they grant, within the limits."""
    world = await start_world()
    admin = Admin(world)
    secret, last = "", {}

    for call in CALL.findall(DOCUMENT.read_text()):
        words = shlex.split(call.replace("$ADMIN", "").replace("$TOKEN", ""))
        body = words[words.index("-d") + 1].encode() if "-d" in words else None
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if body else "GET"
        path = next(word for word in words if word.startswith("/"))
        answer = await admin.ask(method, path, raw=body)
        assert answer.status == (201 if method == "POST" else 200), call
        last = answer.json
        secret = last.get("secret") or secret

    assert 1000 == last["balance"]["available"]
    statuses = [(await world.native(secret, headers={"Gatekeeper-Member": "amy"})).status for _ in range(2)]
    assert [200, 402] == statuses
