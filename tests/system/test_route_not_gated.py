"""No provider has a back door: what its dialect does not know is refused, and never reaches it."""

import pytest

from gatekeeper.dialects.registry import DIALECTS
from tests.system.world import World

CLOSED = [
    ("POST", "/v1/responses"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1beta/models/some-model:countTokens"),
    ("POST", "/v1beta/cachedContents"),
    ("GET", "/v1/account"),
    ("GET", "/v1/organization/usage"),
    ("POST", "/v1/fine-tunes"),
    ("DELETE", "/v1/models/some-model"),
    ("PUT", "/v1/images/generations"),
    ("POST", "/v1/images/generations/../../../account"),
    ("POST", "//"),
    ("POST", "/"),
    ("GET", "/"),
]
"""Routes that providers have, or could have, and that no dialect opens."""


def mounted(dialect: str) -> str:
    return "studio" if dialect == "native" else dialect


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_a_route_that_a_dialect_does_not_know_is_refused(world: World, dialect: str) -> None:
    """Each closed route gets 403 with the code in the header, and the provider sees nothing of it."""
    key = await world.key()

    answers = [await world.send(method, f"/{mounted(dialect)}{path}", key) for method, path in CLOSED]

    assert {(403, "route_not_gated")} == {(a.status, a.headers.get("Gatekeeper-Rejection")) for a in answers}
    assert (await world.provider())["requests"] == 0
    assert (await world.balance()).charged == (await world.balance()).held == 0
