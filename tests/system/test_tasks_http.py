"""Videos as tasks at Ark, DashScope, MiniMax and Kling, by plain HTTP as their documents show it."""

from decimal import Decimal

import pytest

from tests.system.tasks import ALL, ARK, MINIMAX, Tasks, film_url
from tests.system.world import World

FORMATS = pytest.mark.parametrize("tasks", ALL, ids=str)
CANCELLED = pytest.mark.parametrize("tasks", [each for each in ALL if each.cancel], ids=str)


@FORMATS
async def test_a_task_is_submitted_polled_and_fetched(world: World, tasks: Tasks) -> None:
    """The film is a real one; what it cost stands on the answer that told the end, and in the books."""
    key = await world.key()
    submitted = await tasks.send(world, key)
    held = Decimal(submitted.headers["Gatekeeper-Credits-Held"])

    ended = await tasks.over(world, key, tasks.id_of(submitted.json))

    async with world.session.get(await film_url(world, key, tasks, ended.json)) as film:
        head = await film.read()
    assert (tasks.good, tasks.credits) == (tasks.state_of(ended.json), ended.headers["Gatekeeper-Credits-Charged"])
    assert submitted.headers["Gatekeeper-Hold-Id"] == ended.headers["Gatekeeper-Hold-Id"]
    assert (200, b"ftyp", True) == (film.status, head[4:8], held >= Decimal(tasks.credits))
    assert ["hold", "job", "settle"] == await world.kinds()
    assert 0 == (await world.provider())["team_key_seen"]
    await world.assert_books_clean()


@FORMATS
async def test_out_of_credits_is_402_and_nothing_is_sent(world: World, tasks: Tasks) -> None:
    """In the provider's own shape, with our code in the header; the provider never hears of it."""
    answer = await tasks.send(world, await world.key("1"))

    assert (402, "insufficient_credits") == (answer.status, answer.headers["Gatekeeper-Rejection"])
    assert tasks.too_poor == tasks.code_of(answer.json)
    assert 0 == (await world.provider())["requests"]


@FORMATS
async def test_a_bad_resolution_is_told_what_is_allowed(world: World, tasks: Tasks) -> None:
    """In the message, which is all that many callers show."""
    answer = await tasks.send(world, await world.key(), **tasks.bad)

    assert 422 == answer.status
    assert tasks.allowed in tasks.message_of(answer.json)
    assert 0 == (await world.provider())["requests"]


async def test_a_film_from_a_picture_needs_no_word(world: World) -> None:
    """Ark's parts may be a picture alone."""
    key = await world.key()
    part = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}, "role": "first_frame"}

    answer = await ARK.send(world, key, content=[part])

    assert (200, "cgt-") == (answer.status, answer.json["id"][:4])


@FORMATS
@pytest.mark.parametrize("words", ["job_fail", "job_moderated"])
async def test_a_task_that_failed_is_refunded_once(world: World, tasks: Tasks, words: str) -> None:
    """However often it is asked about afterwards."""
    key = await world.key()
    task_id = await tasks.start(world, key, words)
    await tasks.over(world, key, task_id)

    again = [await tasks.ask(world, key, task_id) for _ in range(3)]

    assert ["0"] * 3 == [answer.headers["Gatekeeper-Credits-Charged"] for answer in again]
    assert ["hold", "job", "release"] == await world.kinds()
    assert 0 == (await world.balance()).charged
    await world.assert_books_clean()


@FORMATS
async def test_a_poll_that_fails_ends_nothing(world: World, tasks: Tasks) -> None:
    """Too many polls, which MiniMax says in HTTP 200, tell nothing about the task: later it is settled as made."""
    key = await world.key()
    task_id = await tasks.start(world, key, "job_wait")
    busy = {"Sandbox-Behaviour": "fail=429"}

    refused = await world.send("GET", f"/{tasks.provider}{tasks.poll.format(task_id)}", key, headers=busy)

    assert ["hold", "job"] == await world.kinds()
    assert (429 if tasks is not MINIMAX else 200) == refused.status
    assert world.sandbox is not None
    await world.session.post(f"{world.sandbox.url}/sandbox/jobs/end")
    ended = await tasks.over(world, key, task_id)
    assert tasks.credits == ended.headers["Gatekeeper-Credits-Charged"]
    await world.assert_books_clean()


@CANCELLED
async def test_a_cancelled_task_is_refunded(world: World, tasks: Tasks) -> None:
    """Its end is known when it is asked for."""
    key = await world.key()
    task_id = await tasks.start(world, key, "job_wait")

    stopped = await tasks.stop(world, key, task_id)

    await tasks.over(world, key, task_id)
    assert 200 == stopped.status
    assert ["hold", "job", "release"] == await world.kinds()
    await world.assert_books_clean()


@FORMATS
async def test_another_teams_task_is_not_found(world: World, tasks: Tasks) -> None:
    """Neither told nor stopped, and the provider is not asked."""
    task_id = await tasks.start(world, await world.key(), "job_wait")
    stranger, before = await world.key(), (await world.provider())["requests"]

    answers = [await tasks.ask(world, stranger, task_id)]
    answers += [await tasks.stop(world, stranger, task_id)] if tasks.cancel else []

    assert {(404, "job_not_found")} == {(a.status, a.headers["Gatekeeper-Rejection"]) for a in answers}
    assert before == (await world.provider())["requests"]


@FORMATS
async def test_a_submit_that_failed_holds_nothing(world: World, tasks: Tasks) -> None:
    """An error of the provider's, in HTTP 200 or not, is passed on and frees the hold."""
    key = await world.key()

    answer = await tasks.send(world, key, "fail=400")

    assert tasks.code_of(answer.json) not in {0, None}
    assert "0" == answer.headers["Gatekeeper-Credits-Charged"]
    await world.assert_books_clean()


@FORMATS
@pytest.mark.parametrize("path", ["/v1/account/costs", "/api/v3/chat/completions", "/v1/t2a_v2", "/v1/videos/lip-sync"])
async def test_other_routes_are_closed(world: World, tasks: Tasks, path: str) -> None:
    """What costs elsewhere does not go around the gate."""
    answer = await world.send("POST", f"/{tasks.provider}{path}", await world.key(), json={"model": "m"})

    assert (403, "route_not_gated") == (answer.status, answer.headers["Gatekeeper-Rejection"])


@FORMATS
async def test_the_list_of_tasks_is_closed(world: World, tasks: Tasks) -> None:
    """It would show every team's."""
    path = tasks.poll.removesuffix("/{}").removesuffix("?task_id={}")

    answer = await world.send("GET", f"/{tasks.provider}{path}", await world.key())

    assert answer.status in {400, 403}
    assert 0 == (await world.provider())["requests"]
