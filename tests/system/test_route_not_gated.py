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


async def detail_of(world: World, method: str, path: str) -> str:
    answer = await world.send(method, path, await world.key())
    assert 403 == answer.status
    return answer.body.decode()


async def test_a_route_of_a_known_provider_is_told_with_where_the_open_ones_are_listed(world: World) -> None:
    """The other providers are no help there."""
    detail = await detail_of(world, "GET", "/openai/v1/videos")

    assert "GET /openai/v1/videos is not open at openai; docs/providers.md lists what is" in detail
    assert "passthrough" in detail
    assert "/replicate" not in detail


async def test_a_long_path_is_seen_to_be_cut(world: World) -> None:
    """Else it would look like another one."""
    detail = await detail_of(world, "GET", f"/openai/v1/{'x' * 100}")

    assert "x… is not open" in detail


async def test_a_path_whose_sdk_drops_the_prefix_is_told_of_a_host(world: World) -> None:
    """A base URL with the provider in it would change nothing."""
    bfl = await detail_of(world, "POST", "/v1/flux-2-pro")
    openai = await detail_of(world, "POST", "/images/generations")

    assert "end in /bfl, or give bfl a `host`" in bfl
    assert "`host`" not in openai
