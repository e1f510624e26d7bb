"""A provider's event from its arrival to its delivery: believed or not, booked once, carried on until it is taken."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import replicate
from replicate.webhook import InvalidSignatureError, Webhooks

from gatekeeper.proxy.webhooks.inbound import EVENT_BYTES_MAX
from tests.receiver import Receiver, listening
from tests.system.conftest import StartWorld
from tests.system.webhooking import Hooked, hooked, signed, signed_event


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


@pytest.fixture
async def scene(start_world: StartWorld, receiver: Receiver, tmp_path: Path) -> Hooked:
    """Replicate's events are signed with a secret that the gateway knows."""
    return await hooked(start_world, receiver, providers={"replicate": signed(tmp_path)})


async def test_an_event_settles_and_reaches_the_caller(scene: Hooked) -> None:
    """Nobody polled: the hold is settled by the event, which comes signed with the team's secret, its own address in it
    and its links through the gateway."""
    submitted = await scene.submit()

    await scene.receiver.until_received(1)
    event = await scene.verified()

    assert (201, "succeeded", submitted.json["id"]) == (submitted.status, event["status"], event["id"])
    assert ["hold", "job", "settle"] == await scene.kinds()
    finished = await scene.world.event("job.finished")
    assert ("made", "webhook", 49) == (finished["outcome"], finished["via"], finished["credits_charged"])
    assert event["urls"]["get"].startswith(f"{scene.world.url}/replicate/")
    delivered = await scene.world.event("webhook.delivered")
    assert ("127.0.0.1", 200) == (delivered["host"], delivered["status"])
    await scene.world.assert_books_clean()


async def test_the_provider_is_given_our_address_only(scene: Hooked) -> None:
    """The caller's stays here; all else of the request goes as it came."""
    submitted = await scene.submit()

    (sending,) = await scene.sendings()

    hold_id = submitted.headers["Gatekeeper-Hold-Id"]
    assert sending["url"].startswith(f"{scene.world.url}/v1/callbacks/replicate/team-0/{hold_id}/")
    assert [200] == sending["answers"]
    assert sending["url"] not in submitted.body.decode()


async def test_a_failed_job_is_refunded_by_its_event(scene: Hooked) -> None:
    """And the caller is told."""
    await scene.submit("job_fail")

    await scene.receiver.until_received(1)

    assert "failed" == (await scene.verified())["status"]
    assert ["hold", "job", "release"] == await scene.kinds()
    await scene.world.assert_books_clean()


async def test_a_receiver_that_was_down_is_told_when_it_is_up(scene: Hooked) -> None:
    """The credits do not wait for it."""
    scene.receiver.statuses[:] = [503, 500, 404]
    await scene.submit()

    await scene.receiver.until_received(4)
    await scene.world.event("webhook.delivered")

    assert 1 == len({headers["webhook-id"] for headers, _ in scene.receiver.received})
    assert ["hold", "job", "settle"] == await scene.kinds()
    assert [False] * 3 == [line["final"] for line in scene.world.events("webhook.failed")]


async def test_an_event_that_comes_again_is_delivered_once(scene: Hooked) -> None:
    """The provider hears 200 each time."""
    await scene.submit()
    await scene.world.event("webhook.delivered")

    for _ in range(3):
        await scene.sandbox("POST", "/sandbox/webhooks/again")

    sent = await scene.sendings(4)
    assert ([[200]] * 4, 1) == ([each["answers"] for each in sent], len(scene.receiver.received))
    assert ["settled", "repeated", "repeated", "repeated"] == [
        line["outcome"] for line in scene.world.events("webhook.received")
    ]
    assert ["hold", "job", "settle"] == await scene.kinds()


async def test_an_event_later_than_the_end_settles_nothing(scene: Hooked) -> None:
    """A poll was first: the event is passed on all the same."""
    submitted = await scene.submit("job_wait,no_webhook")
    await scene.end_jobs()
    await scene.until_charged(submitted.json["id"])
    now_s = scene.now_s()
    late = {"id": submitted.json["id"], "status": "failed", "error": "x"}

    status, _ = await scene.forge(scene.callback(submitted.headers["Gatekeeper-Hold-Id"]), *signed_event(late, now_s))
    await scene.receiver.until_received(1)

    assert (200, "failed") == (status, (await scene.verified())["status"])
    assert ["hold", "job", "settle"] == await scene.kinds()
    assert 49_000_000 == (await scene.world.balance()).charged
    await scene.world.assert_books_clean()


async def test_poll_reconciler_and_event_settle_once(
    start_world: StartWorld, receiver: Receiver, tmp_path: Path
) -> None:
    """All three learn the end of ten jobs in the same moment."""
    jobs = {"first_poll_s": 0.05, "poll_min_s": 0.05, "poll_max_s": 0.1, "walk_s": 0.2}
    scene = await hooked(start_world, receiver, providers={"replicate": signed(tmp_path)}, jobs=jobs)
    submitted = [(await scene.submit("job_wait")).json["id"] for _ in range(10)]

    await asyncio.gather(scene.end_jobs(), *(scene.poll(job) for job in submitted for _ in range(5)))
    await scene.receiver.until_received(10)
    await asyncio.gather(*(scene.poll(job) for job in submitted))

    assert 10 == (await scene.kinds()).count("settle")
    assert 490_000_000 == (await scene.world.balance()).charged
    assert 10 == len(scene.world.events("job.finished")) == len(receiver.received)
    await scene.world.assert_books_clean()


async def test_whoever_is_not_believed_learns_nothing(scene: Hooked) -> None:
    """A made-up address, a made-up signature, none, another job's event: the same answer, and nothing happens."""
    first, second = await scene.submit("job_wait"), await scene.submit("job_wait")
    hold_id, job = first.headers["Gatekeeper-Hold-Id"], first.json["id"]
    made_up = f"{scene.world.url}/v1/callbacks/replicate/team-0/{hold_id}/" + "0" * 40
    event = {"id": job, "status": "failed", "error": "x"}
    now = scene.now_s()
    bad = {"webhook-id": "msg_1", "webhook-timestamp": now, "webhook-signature": "v1," + "A" * 43 + "="}
    url = scene.callback(hold_id)
    answers = [
        await scene.forge(made_up, event),
        await scene.forge(url, event, bad),
        await scene.forge(url, event),
        await scene.forge(url, b"\xff", bad),
        await scene.forge(url.replace("/team-0/", "/team-1/"), event, bad),
        await scene.forge(url.replace("/replicate/", "/fal/"), event, bad),
        await scene.forge(url + "/more", event, bad),
        await scene.forge(f"{scene.world.url}/v1/callbacks/", event, bad),
        await scene.forge(scene.callback(hold_id), *signed_event({**event, "id": second.json["id"]}, now)),
    ]

    assert {404} == {status for status, _ in answers}
    assert 1 == len({body for _, body in answers})
    assert ["hold", "job"] * 2 == await scene.kinds()
    assert [] == scene.receiver.received
    assert {"address", "signature", "job"} == {line["reason"] for line in scene.world.events("webhook.rejected")}


async def test_an_old_event_is_not_believed(scene: Hooked) -> None:
    """Signed well, but ten minutes ago."""
    submitted = await scene.submit("job_wait")
    then = scene.now_s(-600)

    status, _ = await scene.forge(
        scene.callback(submitted.headers["Gatekeeper-Hold-Id"]),
        *signed_event({"id": submitted.json["id"], "status": "failed", "error": "x"}, then),
    )

    assert (404, ["hold", "job"]) == (status, await scene.kinds())


@pytest.mark.parametrize("behaviour", ["job=0", "job=0.2"])
async def test_a_job_that_ended_with_its_submission_is_told_as_well(scene: Hooked, behaviour: str) -> None:
    """`Prefer: wait`: the answer told the end already, and the event tells it again, before or after."""
    answer = await scene.submit(behaviour, headers={"Prefer": "wait=20"})
    await scene.receiver.until_received(1)
    await scene.sendings()

    assert answer.json["status"] == (await scene.verified())["status"] == "succeeded"
    assert 1 == (await scene.kinds()).count("settle")
    await scene.world.assert_books_clean()


async def test_a_job_that_failed_with_its_submission_is_told_by_its_answer(
    scene: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no job then, and the provider is not asked to call again."""
    monkeypatch.setattr("gatekeeper.proxy.webhooks.inbound.JOB_LOOKS", 2)
    answer = await scene.submit("job=0.2,job_fail", headers={"Prefer": "wait=20"})

    rejected = await scene.world.event("webhook.rejected")
    status, _ = await scene.forge(
        scene.callback(answer.headers["Gatekeeper-Hold-Id"]),
        *signed_event({"id": answer.json["id"], "status": "failed"}, scene.now_s()),
    )

    assert ("failed", "job", 404) == (answer.json["status"], rejected["reason"], status)
    assert ["hold", "release"] == await scene.kinds()


async def test_a_large_event_is_refused(scene: Hooked) -> None:
    """Before anything of it is looked at."""
    submitted = await scene.submit("job_wait")

    status, _ = await scene.forge(scene.callback(submitted.headers["Gatekeeper-Hold-Id"]), b" " * (EVENT_BYTES_MAX + 1))

    assert 413 == status


async def test_a_step_on_the_way_is_passed_on_and_settles_nothing(scene: Hooked) -> None:
    """Replicate can tell of a job's start as well."""
    submitted = await scene.submit("job_wait")
    now = scene.now_s()

    status, _ = await scene.forge(
        scene.callback(submitted.headers["Gatekeeper-Hold-Id"]),
        *signed_event({"id": submitted.json["id"], "status": "processing"}, now),
    )
    await scene.receiver.until_received(1)

    assert (200, ["hold", "job"]) == (status, await scene.kinds())
    assert "processing" == (await scene.verified())["status"]


async def test_replicates_own_sdk_verifies_what_it_gets(scene: Hooked) -> None:
    """It asks for the secret where Replicate has it, and checks the event as it would check Replicate's."""
    client = replicate.Client(base_url=f"{scene.world.url}/replicate", api_token=scene.key)
    secret = await client.webhooks.default.async_secret()
    await client._async_client.aclose()
    await scene.submit()
    await scene.receiver.until_received(1)
    ((headers, body),) = scene.receiver.received
    named = {name.lower(): value for name, value in headers.items()}

    Webhooks.validate(headers=named, body=body.decode(), secret=secret)

    with pytest.raises(InvalidSignatureError):
        Webhooks.validate(headers=named, body=body.decode() + " ", secret=secret)
