"""What the front door and the bookkeeping do when something inside goes wrong, and what may never leave."""

import aiohttp
import openai
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from openai import AsyncOpenAI

from gatekeeper.admin.plane import AdminPlane
from gatekeeper.dialects import openai as openai_dialect
from gatekeeper.dialects.openai_answer import read_images
from gatekeeper.ledger.records import OnUnknown, Settlement, SettleStatus
from tests.system.conftest import StartWorld
from tests.system.world import World


async def test_a_bug_after_sending_is_not_sent_again_by_the_sdk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 that says do not retry: one picture at the provider, one unknown hold, not three."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(openai_dialect, "outcome_reader", broken)
    async with AsyncOpenAI(base_url=f"{world.url}/openai/v1", api_key=await world.key()) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.images.generate(model="gpt-image-1.5", prompt="x", size="1024x1024")

    assert "internal_error" == caught.value.code
    assert 1 == (await world.provider())["requests"]
    assert 1 == len(world.events("hold.unknown"))
    assert "ZeroDivisionError" == (await world.event("error"))["error"]


async def test_a_bug_in_an_answer_that_began_cuts_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an answer must not be followed by another one on the same connection."""

    class Broken(openai_dialect.JsonAnswer):
        def finish(self, *, complete: bool) -> None:  # type: ignore[override]
            raise ZeroDivisionError

    monkeypatch.setattr(openai_dialect, "outcome_reader", lambda _, status, *__: Broken(status, read_images))
    with pytest.raises(aiohttp.ClientError):
        await world.openai(await world.key(), prompt="x", size="1536x1024")

    await world.event("hold.unknown")


@pytest.mark.parametrize("status", [SettleStatus.GONE, SettleStatus.MISMATCH])
async def test_what_the_ledger_did_not_book_is_not_said_to_be_charged(world: World, status: SettleStatus) -> None:
    """No settled line, no header, no metric: a line that the hold is not booked."""

    async def end(*_: object) -> Settlement:
        return Settlement(status, 0, 0, 0, 0, 0, over=False, was=None, seq=0)

    world.gateway.store.ledger.end = end  # type: ignore[method-assign]  # what a lost hold answers
    answer = await world.native(await world.key())

    assert "Gatekeeper-Credits-Charged" not in answer.headers
    assert status == (await world.event("settle.failed"))["reason"]
    assert [] == world.events("generation.settled")


async def test_a_charge_by_policy_is_counted(start_world: StartWorld) -> None:
    """on_unknown: charge takes the credits when the grace is over, and the metric has them."""
    world = await start_world(timeouts={"head_s": 0.2}, on_unknown=OnUnknown.CHARGE)
    await world.openai(await world.key(), prompt="x [sandbox: hang]")
    await world.gateway.store.ledger.expire_due("team-0")

    async with world.session.get(f"{world.gateway.admin_url}/metrics") as response:
        metrics = await response.text()

    assert 35_000_000 == (await world.balance()).charged
    assert "gatekeeper_credits_charged_total 35.0" in metrics
    assert 'gatekeeper_hold_transitions_total{kind="charge"} 1.0' in metrics


async def test_a_metric_has_no_label_of_a_providers_making(world: World) -> None:
    """Outcomes come from a closed list; what the provider says about it stays in the line."""
    await world.openai(await world.key(), n=2, prompt="x [sandbox: error_event]", stream=True)

    async with world.session.get(f"{world.gateway.admin_url}/metrics") as response:
        lines = (await response.text()).splitlines()

    outcomes = {line for line in lines if line.startswith("gatekeeper_generations_resolved_total{")}
    assert {'gatekeeper_generations_resolved_total{outcome="partial",provider="openai"} 1.0'} == outcomes
    assert "error" in (await world.event("generation.settled"))["note"]


async def test_how_long_a_provider_took_is_observed(world: World) -> None:
    """The histogram has one observation for one generation."""
    await world.native(await world.key())

    async with world.session.get(f"{world.gateway.admin_url}/metrics") as response:
        metrics = await response.text()

    assert 'gatekeeper_upstream_seconds_count{provider="studio"} 1.0' in metrics


async def test_an_admin_handler_that_fails_is_told_and_logged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON 500 and a line, not a page that names the library."""

    async def broken(*_: object) -> web.Response:
        raise ZeroDivisionError

    monkeypatch.setattr(AdminPlane, "_healthz", broken)
    plane = AdminPlane("t", world.gateway.gate.metrics, world.gateway.store.ledger, broken, broken, broken, broken)  # type: ignore[arg-type]
    async with TestServer(plane.application()) as server, world.session.get(server.make_url("/healthz")) as response:
        answer = response.status, (await response.json())["code"]

    assert (500, "internal_error") == answer
    assert "ZeroDivisionError" == (await world.event("error"))["error"]


async def test_an_unknown_admin_path_is_json(world: World) -> None:
    """404 as JSON, for scripts; without the token nobody hears what there is."""
    found = []
    for headers in ({"Authorization": f"Bearer {world.gateway.admin_token}"}, {}):
        async with world.session.get(f"{world.gateway.admin_url}/nowhere", headers=headers) as response:
            found.append((response.status, (await response.json())["code"]))

    assert [(404, "not_found"), (401, "unauthenticated")] == found


async def test_the_teams_key_is_taken_out_of_any_header(world: World) -> None:
    """Whatever the header is called that holds it too, it does not go upstream."""
    key = await world.key()

    answer = await world.openai(key, headers={"X-Foo": f"for {key}"})

    assert (200, 0) == (answer.status, (await world.provider())["team_key_seen"])


@pytest.mark.parametrize("query", ["?x={key}", "?{key}=1"])
async def test_the_teams_key_in_an_address_is_refused(world: World, query: str) -> None:
    """Addresses end up in logs: who writes a key into one is told so, and nothing goes upstream."""
    key = await world.key()
    body = {"model": "gpt-image-1.5", "prompt": "a cat", "size": "1024x1024"}

    answer = await world.send("POST", f"/openai/v1/images/generations{query.format(key=key)}", key, json=body)

    assert (400, "malformed_request") == (answer.status, answer.headers["Gatekeeper-Rejection"])
    assert (await world.provider())["requests"] == 0


async def test_a_redirect_leads_nowhere(start_world: StartWorld) -> None:
    """An SDK that followed it would carry the team's key to another host."""

    async def redirect(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/elsewhere"})

    app = web.Application()
    app.router.add_post("/{anything:.*}", redirect)
    async with TestServer(app) as server:
        world = await start_world(provider_url=str(server.make_url("")).rstrip("/"))
        body = {"model": "nano-banana-2", "prompt": "a", "resolution": "1K", "aspect_ratio": "1:1"}
        answer = await world.send("POST", "/v1/generations", await world.key(), json=body, allow_redirects=False)

    assert (307, False) == (answer.status, "Location" in answer.headers)
    await world.assert_books_clean()


@pytest.mark.parametrize(("model", "codes"), [("imagineart-1.5", ["model_not_found"]), ("chatgpt", ["model_retired"])])
async def test_a_quote_for_what_nobody_here_offers_is_not_admissible(
    start_world: StartWorld, model: str, codes: list[str]
) -> None:
    """It has a price, and the quote says why a generation would be refused all the same."""
    world = await start_world(models=[])
    body = {"model": model, "prompt": "a", "resolution": "1K", "aspect_ratio": "1:1"}

    quote = (await world.send("POST", "/v1/quotes", await world.key(), json=body)).json

    assert (False, codes) == (quote["admissible"], quote["codes"])
    assert quote["credits"] > 0
