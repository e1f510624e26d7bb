"""The official runwayml SDK, unchanged but for `base_url` and key, is the judge of the runway dialect."""

import asyncio
import base64
import io
from typing import Any

import pytest
from PIL import Image

from tests.later import Later
from tests.system.world import World

runwayml, polling = Later("runwayml"), Later("runwayml.lib.polling")

SECOND = 25_320_000
"""What gen-4.5 costs a second, in micro-credits."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK asks every six seconds; nothing is learnt from that."""
    monkeypatch.setattr("runwayml.lib.polling.POLL_TIME", 0.05)
    monkeypatch.setattr("runwayml.lib.polling.POLL_JITTER", 0)


def sdk(world: World, key: str) -> Any:
    """The SDK as a team would set it up."""
    return runwayml.AsyncRunwayML(base_url=f"{world.url}/runway", api_key=key)


async def film(client: Any, words: str = "", **fields: Any) -> Any:
    """A film of two seconds, submitted; `words` are the sandbox's."""
    wanted = {"model": "gen4.5", "ratio": "1280:720", "duration": 2, **fields}
    return await client.text_to_video.create(prompt_text=f"a cat [sandbox: {words or 'none'}]", **wanted)


async def until(client: Any, task_id: str, status: str) -> Any:
    """The task once it stands so (bounded)."""
    for _ in range(500):
        task = await client.tasks.retrieve(task_id)
        if task.status == status:
            return task
        await asyncio.sleep(0.01)
    raise AssertionError(f"not {status} but {task.status}")


async def test_a_film_is_submitted_polled_and_fetched(world: World) -> None:
    """While it is made its price is held; its end is charged, and the film is a film."""
    async with sdk(world, await world.key()) as client:
        created = await film(client)
        held = (await world.balance()).held
        task = await created.wait_for_task_output()

    async with world.session.get(task.output[0]) as response:
        data = await response.read()
    balance = await world.balance()
    assert (2 * SECOND, 2 * SECOND, 0) == (held, balance.charged, balance.held)
    assert b"ftyp" == data[4:8]
    settled = await world.event("generation.settled")
    assert (10, "runway_credits") == (settled["cost_reported"], settled["cost_unit"])
    await world.assert_books_clean()


async def test_the_version_goes_on_and_the_key_does_not(world: World) -> None:
    """Runway's version header reaches it, in a request that carries no key of the gateway's."""
    async with sdk(world, await world.key()) as client:
        await film(client)

    seen = await world.provider()
    names = {name.lower() for name in seen["recent"][0]["header_names"]}
    assert "x-runway-version" in names
    assert 0 == seen["team_key_seen"]


async def test_an_upscale_is_priced_by_its_factor(world: World) -> None:
    """Four times is 260 credits, and four times as wide."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(picture, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()

    async with sdk(world, await world.key()) as client:
        created = await client.image_upscale.create(
            model="magnific_precision_upscaler_v2", image_uri=uri, scale_factor=4
        )
        task = await created.wait_for_task_output()

    async with world.session.get(task.output[0]) as response:
        image = Image.open(io.BytesIO(await response.read()))
    assert (256, 192) == image.size
    assert 260_000_000 == (await world.balance()).charged


async def test_out_of_credits_raises_402_after_one_attempt(world: World) -> None:
    """The SDK retries 429 and 5xx, not 402: the refusal reaches its caller at once, facts and all."""
    async with sdk(world, await world.key("50")) as client:
        with pytest.raises(runwayml.APIStatusError) as caught:
            await film(client)

    assert 402 == caught.value.status_code
    assert {"code": "insufficient_credits", "retryable": False}.items() <= dict(caught.value.body or {}).items()  # type: ignore[call-overload]
    assert 1 == len(world.events("generation.rejected"))
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [({"ratio": "1280:721"}, "1280x720, 720x1280"), ({"duration": 11}, "duration.*2.*10")],
)
async def test_a_bad_setting_raises_with_the_allowed_set(world: World, fields: dict[str, Any], allowed: str) -> None:
    """What would be allowed is in the only text that the SDK shows."""
    async with sdk(world, await world.key()) as client:
        with pytest.raises(runwayml.UnprocessableEntityError, match=allowed):
            await film(client, **fields)

    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize("word", ["job_fail", "job_moderated"])
async def test_a_failed_task_is_refunded_once(world: World, word: str) -> None:
    """Runway says that it cost nothing, so nothing is charged; asking again changes nothing."""
    async with sdk(world, await world.key()) as client:
        created = await film(client, word)
        with pytest.raises(polling.TaskFailedError):
            await created.wait_for_task_output()
        await client.tasks.retrieve(created.id)

    balance = await world.balance()
    assert (0, 0) == (balance.charged, balance.held)
    assert 1 == len(world.events("job.finished"))
    await world.assert_books_clean()


async def test_a_task_that_ran_is_charged_when_it_is_cancelled(world: World) -> None:
    """Runway does not refund what was running, and says so in the task's cost."""
    async with sdk(world, await world.key()) as client:
        created = await film(client, "job_wait")
        await until(client, created.id, "RUNNING")
        await client.tasks.delete(created.id)
        held = (await world.balance()).held
        await until(client, created.id, "CANCELLED")

    balance = await world.balance()
    assert (2 * SECOND, 2 * SECOND, 0) == (held, balance.charged, balance.held)
    await world.assert_books_clean()


async def test_a_finished_task_is_charged_before_it_is_deleted(world: World) -> None:
    """Its caller never asked for its end, and after this nobody could."""
    async with sdk(world, await world.key()) as client:
        created = await film(client, "job=0")
        for _ in range(500):
            if (await world.provider())["videos"]:
                break
            await asyncio.sleep(0.01)
        await client.tasks.delete(created.id)

    balance = await world.balance()
    assert (2 * SECOND, 0) == (balance.charged, balance.held)
    await world.assert_books_clean()


async def test_another_teams_task_is_not_found(world: World) -> None:
    """Neither asked for nor cancelled; and the provider hears nothing of it."""
    async with sdk(world, await world.key()) as client:
        created = await film(client, "job_wait")
    requests = (await world.provider())["requests"]

    async with sdk(world, await world.key()) as other:
        for ask in (other.tasks.retrieve, other.tasks.delete):
            with pytest.raises(runwayml.NotFoundError, match="job_not_found"):
                await ask(created.id)

    assert requests == (await world.provider())["requests"]


async def test_what_is_not_gated_is_refused(world: World) -> None:
    """Runway's own choice of a model has no price here."""
    async with sdk(world, await world.key()) as client:
        with pytest.raises(runwayml.PermissionDeniedError, match="route_not_gated"):
            await client.generate.video.create(config_id="c", input={"prompt_text": "a cat"})

    assert 0 == (await world.provider())["requests"]


async def test_an_upload_is_free(world: World) -> None:
    """Its body goes on, and costs nothing."""
    answer = await world.send("POST", "/runway/v1/uploads", await world.key(), json={"filename": "a.png"})

    assert (200, True) == (answer.status, answer.json["runwayUri"].startswith("runway://"))
    assert 0 == (await world.balance()).charged
