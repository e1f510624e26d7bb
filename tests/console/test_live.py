"""Refusals as they happen: to whoever watches, with their own filter, and never as a backlog."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gatekeeper.app import running_gateway
from gatekeeper.console import live, streaming
from gatekeeper.console.live import READERS_MAX, WAITING_MAX, Live, TooManyReaders
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.recent import AskedJob, Recent, Seen
from tests.console.consoleworld import Console
from tests.system.conftest import StartWorld
from tests.system.world import settings_for


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look takes no second here."""
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(streaming, "LOOK_EVERY_S", 0.01)


def trouble(error: Exception) -> None:
    """Nothing may go wrong beside what a test looks at."""
    raise error


async def test_whoever_watches_hears_of_it() -> None:
    """All of them, from the moment they watch; nobody looks any more when the last one is gone."""
    recent = Recent()
    recent.asked("before")
    feed = Live(recent, trouble)

    async with feed.watch() as one, feed.watch() as other:
        await asyncio.sleep(0.02)
        recent.asked("h1")
        seen = [await reader.next(5) for reader in (one, other)]

    assert [["h1"], ["h1"]] == [[each.hold_id for each in found or () if isinstance(each, AskedJob)] for found in seen]
    assert feed._looking is None


async def test_nothing_falls_between_what_was_missed_and_the_first_look() -> None:
    """What happens as soon as somebody watches, however slow the feed is, comes once, and so does its twin of the same
    millisecond."""

    class Slow(Recent):
        async def after(self, number: int) -> Sequence[Seen]:
            seen = self.seen_after(number)
            await asyncio.sleep(0.02)
            return seen

    feed = Slow()
    async with Live(feed, trouble).watch() as reader:
        missed = await feed.after(0)
        feed.asked("h1")
        feed.asked("h2")
        seen = await reader.next(5)
        more = await reader.next(0.05)

    told = [each.hold_id for each in seen or () if isinstance(each, AskedJob)]
    assert ((), ["h1", "h2"], ()) == (tuple(missed), told, more)


async def test_silence_is_told_too() -> None:
    """So that whoever is gone is found out."""
    async with Live(Recent(), trouble).watch() as reader:
        assert () == await reader.next(0.01)


async def test_who_does_not_read_is_let_go() -> None:
    """There is no backlog: the stream ends, and the browser comes back for what it missed."""
    async with Live(Recent(), trouble).watch() as reader:
        for _ in range(WAITING_MAX + 1):
            reader.put([AskedJob(1, 1, "h")])

        assert await reader.next(1) is None


async def test_there_is_room_for_so_many() -> None:
    """One more is told that there is none."""
    feed = Live(Recent(), trouble)
    watching = [feed.watch() for _ in range(READERS_MAX)]
    for each in watching:
        await each.__aenter__()

    with pytest.raises(TooManyReaders):
        async with feed.watch():
            pass

    for each in watching:
        await each.__aexit__(None, None, None)


async def test_a_look_that_fails_is_made_again() -> None:
    """The trouble is told, and the stream goes on."""
    failed = asyncio.Event()

    class Broken(Recent):
        async def after(self, number: int) -> Sequence[Seen]:
            if not failed.is_set():
                raise OSError
            return self.seen_after(number)

    feed = Broken()
    async with Live(feed, lambda _: failed.set()).watch() as reader:
        await failed.wait()
        feed.asked("h")

        assert await reader.next(5)


async def test_the_end_of_the_gateway_ends_streams() -> None:
    """And nobody begins to watch any more."""
    feed = Live(Recent(), trouble)
    async with feed.watch() as reader:
        feed.close()

        assert await reader.next(1) is None
    with pytest.raises(TooManyReaders):
        async with feed.watch():
            pass


async def events(console: Console, path: str, number: int, **headers: str) -> list[str]:
    """The first events of a stream, as texts."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers |= {"Cookie": f"gatekeeper_session={console.cookie}"}
    found: list[str] = []
    async with console.world.session.get(console.url + path, headers=headers) as answer:
        assert (200, "text/event-stream") == (answer.status, answer.headers["Content-Type"])
        assert "no-store" == answer.headers["Cache-Control"]
        while len(found) < number:
            text = (await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 20)).decode()
            if "event: refusal" in text:
                found.append(text)
    return found


async def test_a_refusal_comes_as_a_row(console: Console) -> None:
    """The same that the page has after it is loaded; with its number, by which a browser comes back."""
    key = await console.world.another_key("studio")
    watching = asyncio.ensure_future(events(console, "/live/refusals?since=0", 1))
    await console.world.native(key, resolution="8K")

    (event,) = await watching

    page = await console.get("/refusals")
    assert "id: 1\n" in event
    assert 'data: <tr class="refusal" data-number="1" data-code="unsupported_resolution" data-team="studio">' in event
    assert [1, 1] == [text.count("Resolution not supported by this model") for text in (event, page)]


async def test_a_stream_has_the_filter_of_its_page(console: Console) -> None:
    """What is not asked for does not come."""
    key = await console.world.another_key("studio")
    for resolution, ratio in (("8K", "1:1"), ("1K", "2:1")):
        await console.world.native(key, resolution=resolution, aspect_ratio=ratio)

    found = await events(console, "/live/refusals?code=unsupported_aspect_ratio&since=0", 1)
    page = await console.get("/refusals?code=unsupported_aspect_ratio&team=stud&model=banana")

    assert "unsupported_aspect_ratio" in found[0]
    assert (1, 0) == (page.count('class="refusal"'), page.count('data-code="unsupported_resolution"'))


async def test_a_browser_comes_back_for_what_it_missed(console: Console) -> None:
    """By the number of the last row that it has."""
    key = await console.world.another_key("studio")
    for _ in range(3):
        await console.world.native(key, resolution="8K")

    found = await events(console, "/live/refusals", 2, Last_Event_ID="1")

    assert ["id: 2", "id: 3"] == [text.splitlines()[0] for text in found]


async def test_a_stream_ends_with_its_session(console: Console) -> None:
    """Whoever signs out sees no more."""
    headers = {"Cookie": f"gatekeeper_session={console.cookie}"}
    async with console.world.session.get(console.url + "/live/refusals", headers=headers) as answer:
        await answer.content.readuntil(b"\n\n")
        await console.post("/logout")
        await console.world.send("POST", "/v1/generations")

        assert b"event: refusal" not in await asyncio.wait_for(answer.content.read(), 20)


async def test_pages_that_are_closed_leave_their_room(console: Console) -> None:
    """At once, and not with the next word of a silent stream: whoever leafs through pages would stand before a full
    house."""
    headers = {"Cookie": f"gatekeeper_session={console.cookie}"}
    url = console.url + "/live/refusals"
    watching = [await console.world.session.get(url, headers=headers) for _ in range(READERS_MAX)]
    full = await console.ask("GET", "/live/refusals")

    for each in watching:
        each.close()

    assert 503 == full.status
    for _ in range(300):
        async with console.world.session.get(url, headers=headers) as answer:
            if answer.status == 200:
                break
        await asyncio.sleep(0.01)
    assert 200 == answer.status


async def test_an_open_page_does_not_keep_the_gateway(start_world: StartWorld, tmp_path: Path) -> None:
    """Whoever watches is told the end, and the gateway stops at once."""
    world = await start_world()
    settings = settings_for(tmp_path / "other", "http://127.0.0.1:1", store_url=world.gateway.store.url)
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running_gateway(settings))
        console = Console(replace(world, gateway=gateway))
        await console.sign_in()
        headers = {"Cookie": f"gatekeeper_session={console.cookie}"}
        answer = await world.session.get(f"{gateway.admin_url}/live/refusals", headers=headers)
        await answer.content.readuntil(b"\n\n")

        async with asyncio.timeout(10):
            await stack.aclose()

        assert b"" == await answer.content.read()


async def test_the_page_of_jobs_hears_of_changes(console: Console) -> None:
    """An end of a job, or a question about one, loads its tables anew; a refusal does not."""
    headers = {"Cookie": f"gatekeeper_session={console.cookie}"}
    recent = console.world.gateway.gate.recent
    async with console.world.session.get(console.url + "/live/jobs?since=0", headers=headers) as answer:
        await answer.content.readuntil(b"\n\n")
        await console.world.send("POST", "/v1/generations")
        quiet = await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 20)
        recent.asked("h")
        told = await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 20)

    assert (b": alive\n\n", b"event: changed\ndata: jobs\n\n") == (quiet, told)


async def test_a_page_that_refreshes_by_itself_takes_no_message_away(console: Console) -> None:
    """What was done is told to the person who did it, not to a table that is loaded anew."""
    await console.do("/teams/studio/freeze")

    by_itself = await console.get("/jobs", headers={"Gatekeeper-By-Itself": "1"})

    assert [False, True] == ["The team is frozen." in page for page in (by_itself, await console.get("/jobs"))]


async def test_what_shadow_lets_by_is_told_as_such(console: Console) -> None:
    """It stands with the refusals, with what is wrong, and says that it was let by."""
    await console.world.gateway.store.ledger.put_team(TeamRecord("studio", shadow=True))
    key = await console.world.another_key("studio")
    await console.world.native(key, aspect_ratio="2:1")

    page = await console.get("/refusals")

    assert (1, 1) == (page.count("Let by in shadow"), page.count('data-code="unsupported_aspect_ratio"'))
