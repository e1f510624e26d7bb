"""Replicate's own SDK, unchanged but for `base_url` and token, is the judge of the replicate dialect."""

import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import replicate
from PIL import Image
from replicate.exceptions import ModelError, ReplicateError
from replicate.webhook import Webhooks

from gatekeeper.sandbox import RunningSandbox, SandboxSettings, start_sandbox
from tests.receiver import listening
from tests.system.conftest import StartWorld
from tests.system.test_jobs import count_commands
from tests.system.test_jobs_reconciled import SOON
from tests.system.tlsrelay import CERTIFICATE, TlsRelay
from tests.system.webhooking import LOCAL, signed
from tests.system.world import World

FLUX = "black-forest-labs/flux-2-pro"
SMALL = {"prompt": "a cat", "aspect_ratio": "custom", "width": 256, "height": 256}
"""28 credits."""


Sdk = Callable[[World, str], replicate.Client]


@pytest.fixture(name="sdk")
async def _sdk() -> AsyncIterator[Sdk]:
    """Makes clients of the SDK as a team would, but less patient, and closes them."""
    made: list[replicate.Client] = []

    def make(world: World, key: str) -> replicate.Client:
        client = replicate.Client(api_token=key, base_url=f"{world.url}/replicate")
        client.poll_interval = 0.02
        made.append(client)
        return client

    yield make
    for client in made:
        await client._async_client.aclose()


def behaving(words: str) -> dict[str, Any]:
    return {**SMALL, "prompt": f"a cat [sandbox: {words}]"}


@pytest.fixture(name="delivery")
async def _delivery() -> AsyncIterator[RunningSandbox]:
    """A provider whose outputs are behind https, as Replicate's are."""
    relay = TlsRelay()
    await relay.start()
    sandbox = await start_sandbox(SandboxSettings(public_url=relay.url))
    relay.target = sandbox.url
    yield sandbox
    await sandbox.close()
    await relay.close()


async def test_run_waits_and_brings_a_picture(
    start_world: StartWorld, sdk: Sdk, delivery: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run` asks with `Prefer: wait`; the file that it gives can be read and decoded, and it is charged."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    world = await start_world(provider_url=delivery.url)

    output = await sdk(world, await world.key()).async_run(FLUX, input=SMALL)

    assert (256, 256) == Image.open(io.BytesIO(await output.aread())).size
    assert (28_000_000, 0) == ((await world.balance()).charged, (await world.balance()).held)
    await world.assert_books_clean()


async def test_a_prediction_is_created_waited_for_and_read(world: World, sdk: Sdk) -> None:
    """Submitted without waiting, then polled by its id: settled when a poll finds the end."""
    client = sdk(world, await world.key())
    prediction = await client.models.predictions.async_create(FLUX, input=behaving("job=0.2"), wait=False)
    first, held = prediction.status, (await world.balance()).held

    await prediction.async_wait()

    assert ("starting", 28_000_000, "succeeded") == (first, held, prediction.status)
    assert f"{world.url}/replicate/v1/predictions/{prediction.id}" == prediction.urls["get"]
    assert (28_000_000, 0) == ((await world.balance()).charged, (await world.balance()).held)
    await world.assert_books_clean()


async def test_a_version_is_its_models(world: World) -> None:
    """`owner/name:hash` is charged as the model."""
    body = {"version": f"{FLUX}:{'0' * 64}", "input": SMALL}

    answer = await world.send(
        "POST", "/replicate/v1/predictions", await world.key(), json=body, headers={"Prefer": "wait"}
    )

    assert (201, "28") == (answer.status, answer.headers["Gatekeeper-Credits-Charged"])
    await world.assert_books_clean()


async def test_a_bare_version_is_no_model(world: World, sdk: Sdk) -> None:
    """Of `owner/name:hash` the SDK sends the hash alone, which the catalog has to list."""
    with pytest.raises(ReplicateError) as caught:
        await sdk(world, await world.key()).async_run(f"{FLUX}:{'0' * 64}", input=SMALL)

    assert 404 == caught.value.status
    assert 0 == (await world.provider())["requests"]


async def test_what_was_done_at_once_can_be_asked_for(world: World, sdk: Sdk) -> None:
    """By its team, at no further charge, and by nobody else."""
    client, other = sdk(world, await world.key()), sdk(world, await world.key())
    prediction = await client.models.predictions.async_create(FLUX, input=SMALL, wait=10)

    again = await client.predictions.async_get(prediction.id)
    with pytest.raises(ReplicateError) as caught:
        await other.predictions.async_get(prediction.id)

    assert ("succeeded", prediction.output, 404) == (prediction.status, again.output, caught.value.status)
    assert 28_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_a_file_is_uploaded_free(world: World, sdk: Sdk) -> None:
    """A file as an input is uploaded first, and only the prediction is charged."""
    picture = io.BytesIO(b"not looked at")

    await sdk(world, await world.key()).async_run(FLUX, input={**SMALL, "input_images": [picture]})

    assert 28_000_000 == (await world.balance()).charged
    assert {"POST /v1/files"} <= set((await world.provider())["routes"])
    await world.assert_books_clean()


async def test_out_of_credits_raises_402_after_one_attempt(world: World, sdk: Sdk) -> None:
    """The SDK's own exception with the reason; nothing reached the provider."""
    with pytest.raises(ReplicateError) as caught:
        await sdk(world, await world.key("27.999999")).async_run(FLUX, input=SMALL)

    assert (402, "Not enough credits") == (caught.value.status, caught.value.title)
    assert "27.999999" in str(caught.value.detail)
    assert 1 == len(world.events("generation.rejected"))
    assert 0 == (await world.provider())["requests"]


@pytest.mark.parametrize(
    ("model", "fields", "allowed"),
    [
        (FLUX, {"aspect_ratio": "21:9"}, "1:1, 3:2, 2:3, 5:4, 4:5, 9:16, 16:9"),
        ("google/veo-3.1", {"resolution": "2k"}, "720P, 1080P, 4K"),
        ("google/veo-3.1", {"duration": 5}, "4, 6, 8"),
    ],
)
async def test_what_would_be_allowed_is_in_the_exception(
    world: World, sdk: Sdk, model: str, fields: dict[str, Any], allowed: str
) -> None:
    """In its detail, which the SDK prints."""
    with pytest.raises(ReplicateError) as caught:
        await sdk(world, await world.key()).async_run(model, input={"prompt": "a cat", **fields})

    assert (422, True) == (caught.value.status, allowed in str(caught.value))
    assert 0 == (await world.provider())["requests"]


async def test_a_film_is_charged_by_its_seconds(world: World, sdk: Sdk) -> None:
    """Eight seconds of Veo with sound, at 84.4 credits a second."""
    fields = {"prompt": "a cat", "resolution": "720p", "duration": 8, "generate_audio": True, "aspect_ratio": "16:9"}

    output = await sdk(world, await world.key()).async_run("google/veo-3.1", input=fields)

    async with world.session.get(output) as answer:
        film = await answer.read()
    assert (b"ftyp", 675_200_000) == (film[4:8], (await world.balance()).charged)
    await world.assert_books_clean()


@pytest.mark.parametrize("words", ["job_fail", "job_moderated"])
async def test_a_prediction_that_failed_is_refunded_once(world: World, sdk: Sdk, words: str) -> None:
    """The SDK raises the model's error, and nothing is charged."""
    with pytest.raises(ModelError):
        await sdk(world, await world.key()).async_run(FLUX, input=behaving(words))

    assert (0, 0) == ((await world.balance()).charged, (await world.balance()).held)
    assert 1 == len(world.events("generation.released"))
    await world.assert_books_clean()


async def test_a_cancelled_prediction_is_charged_once_it_ran(world: World, sdk: Sdk) -> None:
    """As Replicate does; the answer to the cancel is its end."""
    client = sdk(world, await world.key())
    prediction = await client.models.predictions.async_create(FLUX, input=behaving("job_wait"), wait=False)
    while prediction.status != "processing":
        await prediction.async_reload()

    await prediction.async_cancel()

    assert "canceled" == prediction.status
    assert (28_000_000, 0) == ((await world.balance()).charged, (await world.balance()).held)
    await world.assert_books_clean()


async def test_a_prediction_cancelled_before_it_began_is_free(
    world: World, sdk: Sdk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing ran, nothing is charged."""
    monkeypatch.setattr("gatekeeper.sandbox.jobs.QUEUED_S_MAX", 30.0)
    client = sdk(world, await world.key())
    prediction = await client.models.predictions.async_create(FLUX, input=behaving("job=90"), wait=False)

    await prediction.async_cancel()

    assert ("canceled", None) == (prediction.status, prediction.started_at)
    assert (0, 0) == ((await world.balance()).charged, (await world.balance()).held)
    await world.assert_books_clean()


async def test_polls_of_a_running_prediction_are_cheap(world: World, sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    """They ask the ledger nothing."""
    client = sdk(world, await world.key())
    prediction = await client.models.predictions.async_create(FLUX, input=behaving("job_wait"), wait=False)
    asked = count_commands(world, monkeypatch)

    for _ in range(50):
        await prediction.async_reload()

    assert [] == asked


async def test_an_abandoned_prediction_is_settled(start_world: StartWorld, sdk: Sdk) -> None:
    """Nobody polls it but the gateway."""
    world = await start_world(jobs=SOON)
    await sdk(world, await world.key()).models.predictions.async_create(FLUX, input=SMALL, wait=False)

    finished = await world.event("job.finished")

    assert ("made", "reconciler", 28) == (finished["outcome"], finished["via"], finished["credits_charged"])
    await world.assert_books_clean()


async def test_a_prediction_of_another_team_is_not_found(world: World, sdk: Sdk) -> None:
    """To be read or cancelled."""
    client = sdk(world, await world.key())
    prediction = await client.models.predictions.async_create(FLUX, input=behaving("job_wait"), wait=False)
    other = sdk(world, await world.key())

    for ask in (other.predictions.async_get, other.predictions.async_cancel):
        with pytest.raises(ReplicateError) as caught:
            await ask(prediction.id)
        assert 404 == caught.value.status


async def test_a_deployment_needs_a_default_model(world: World, sdk: Sdk) -> None:
    """Which model it runs is not known: refused, unless the operator says at whose price."""
    client = sdk(world, await world.key())

    with pytest.raises(ReplicateError) as caught:
        await client.deployments.predictions.async_create("acme/kites", input=SMALL)

    assert 422 == caught.value.status


async def test_lists_are_not_open(world: World, sdk: Sdk) -> None:
    """They would show what other teams made."""
    client = sdk(world, await world.key())

    for listed in (client.predictions.async_list, client.files.async_list, client.trainings.async_list):
        with pytest.raises(ReplicateError) as caught:
            await listed()
        assert 403 == caught.value.status


async def test_the_teams_key_never_reaches_the_provider(world: World, sdk: Sdk) -> None:
    """Neither with a prediction nor with polls, nor in any answer's links."""
    client = sdk(world, await world.key())
    prediction = await client.models.predictions.async_create(FLUX, input=SMALL, wait=False)

    await prediction.async_wait()

    assert 0 == (await world.provider())["team_key_seen"]


async def test_a_webhook_is_told_of_the_end(start_world: StartWorld, sdk: Sdk, tmp_path: Path) -> None:
    """Signed by the gateway, with the secret that the SDK asks for and judges it by; settled without a poll."""
    async with listening() as receiver:
        world = await start_world(webhooks=LOCAL, providers={"replicate": signed(tmp_path)})
        client = sdk(world, await world.key())
        secret = await client.webhooks.default.async_secret()

        prediction = await client.models.predictions.async_create(
            FLUX, input=SMALL, wait=False, webhook=receiver.url, webhook_events_filter=["completed"]
        )
        await receiver.until_received(1)

    headers, body = receiver.received[0]
    Webhooks.validate(headers=headers, body=body.decode(), secret=secret, tolerance=300)
    told = json.loads(body)
    assert (prediction.id, "succeeded", prediction.urls["get"]) == (told["id"], told["status"], told["urls"]["get"])
    assert "webhook" == (await world.event("job.finished"))["via"]
    assert (28_000_000, 0) == ((await world.balance()).charged, (await world.balance()).held)
