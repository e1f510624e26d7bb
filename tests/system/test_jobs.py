"""A job from its submission to its end, as its caller follows it: submitted, polled, cancelled, settled once."""

import asyncio
import json
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import jsonschema
import pytest

from gatekeeper.dialects import native, registry
from gatekeeper.dialects.base import Route, RouteKind
from gatekeeper.recent import AskedJob
from tests.system.conftest import StartWorld
from tests.system.jobprovider import FAILED, RUNNING, SUCCEEDED, JobProvider, with_links
from tests.system.test_logs import SCHEMA
from tests.system.world import World


def count_commands(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on the names of what the ledger is asked, but for who calls."""
    ledger, asked = world.gateway.store.ledger, list[str]()
    for name in ("job", "open_job", "settle", "release", "attach_job", "name_job", "claim_job", "mark_unknown"):
        real = getattr(ledger, name)

        def counted(*arguments: Any, _name: str = name, _real: Any = real, **named: Any) -> Any:
            asked.append(_name)
            return _real(*arguments, **named)

        monkeypatch.setattr(ledger, name, counted)
    return asked


async def test_a_submitted_job_holds_its_credits(start_world: StartWorld, jobs: JobProvider) -> None:
    """The provider's 202 comes back as it is; nothing is charged yet, and the hold follows the job."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()

    answer = await world.native(key)

    assert (202, "job-1", "49") == (answer.status, answer.json["id"], answer.headers["Gatekeeper-Credits-Held"])
    assert "Gatekeeper-Credits-Charged" not in answer.headers
    assert ["hold", "job"] == await world.kinds()
    accepted = await world.event("job.accepted")
    assert ("job-1", "attached", 900, 202) == tuple(
        accepted[name] for name in ("job", "status", "deadline_s", "upstream_status")
    )


@pytest.mark.parametrize("path", ["/v1/generations/job-1", "/studio/v1/generations/job-1"])
async def test_a_poll_that_finds_the_end_settles(start_world: StartWorld, jobs: JobProvider, path: str) -> None:
    """Both addresses of the native format; the charge stands in the headers of the very answer that tells the end."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    submitted = await world.native(key)
    running = await world.send("GET", path, key)
    jobs.end(SUCCEEDED)

    ended = await world.send("GET", path, key)

    hold_id = submitted.headers["Gatekeeper-Hold-Id"]
    assert (200, "running") == (running.status, running.json["status"])
    assert "Gatekeeper-Credits-Charged" not in running.headers
    assert (200, "succeeded", "49", hold_id) == (
        ended.status, ended.json["status"], ended.headers["Gatekeeper-Credits-Charged"],
        ended.headers["Gatekeeper-Hold-Id"],
    )  # fmt: skip
    assert ["hold", "job", "settle"] == await world.kinds()
    (row,) = await world.gateway.store.ledger.usage.rows("team-0", 0, 1 << 47)
    assert ("nano-banana-2", "studio", 49_000_000, 1, 1) == (
        row.model, row.provider, row.credits, row.generations, row.outputs,
    )  # fmt: skip
    finished = await world.event("job.finished")
    assert ("made", "poll", 49) == (finished["outcome"], finished["via"], finished["credits_charged"])
    await world.assert_books_clean()


async def test_a_poll_of_a_running_job_asks_the_ledger_nothing(
    start_world: StartWorld, jobs: JobProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some SDKs poll ten times a second."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    asked = count_commands(world, monkeypatch)

    for _ in range(20):
        await world.send("GET", "/v1/generations/job-1", key)

    assert (20, []) == (jobs.job.polls, asked)


async def test_a_poll_that_says_the_same_is_passed_on_as_the_first(start_world: StartWorld, jobs: JobProvider) -> None:
    """What is known already is not read again; the answer is the same, with a request id of its own."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)

    first, *others = [await world.send("GET", "/v1/generations/job-1", key) for _ in range(3)]

    told = [(each.status, each.body, each.headers["Gatekeeper-Credits-Held"]) for each in (first, *others)]
    assert [(200, first.body, "49")] * 3 == told
    assert 3 == len({each.headers["Gatekeeper-Request-Id"] for each in (first, *others)})
    assert 3 == len([each for each in world.gateway.gate.recent.seen_after(1) if isinstance(each, AskedJob)])


async def test_after_the_end_polls_change_nothing(start_world: StartWorld, jobs: JobProvider) -> None:
    """Whatever later answers say, the first reading was booked; the charge is told again."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.end(SUCCEEDED)
    await world.send("GET", "/v1/generations/job-1", key)

    for later in (SUCCEEDED, FAILED, RUNNING, {**SUCCEEDED, "outputs": SUCCEEDED["outputs"] * 3}):
        jobs.end(later)
        answer = await world.send("GET", "/v1/generations/job-1", key)
        assert "49" == answer.headers["Gatekeeper-Credits-Charged"]

    assert ["hold", "job", "settle"] == await world.kinds()
    assert 49_000_000 == (await world.balance()).charged
    await world.assert_books_clean()


async def test_a_failed_job_is_refunded_once(start_world: StartWorld, jobs: JobProvider) -> None:
    """Failure inside a 200: the whole hold is free again."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.end(FAILED)

    answers = [await world.send("GET", "/v1/generations/job-1", key) for _ in range(3)]

    assert ["0", "0", "0"] == [answer.headers["Gatekeeper-Credits-Charged"] for answer in answers]
    assert ["hold", "job", "release"] == await world.kinds()
    assert "job failed: nsfw" == (await world.event("generation.released"))["outcome"]
    await world.assert_books_clean()


async def test_a_cancel_that_tells_the_end_settles(start_world: StartWorld, jobs: JobProvider) -> None:
    """DELETE stops the job; its answer says so, and the hold is free."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)

    answer = await world.send("DELETE", "/v1/generations/job-1", key)

    assert (200, "0") == (answer.status, answer.headers["Gatekeeper-Credits-Charged"])
    assert ["hold", "job", "release"] == await world.kinds()
    await world.assert_books_clean()


@pytest.mark.parametrize("path", ["/v1/generations/job-1", "/studio/v1/generations/job-1"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_another_teams_job_is_not_found(
    start_world: StartWorld, jobs: JobProvider, method: str, path: str
) -> None:
    """Neither told nor stopped: 404 in the dialect's shape, and nothing is forwarded."""
    world = await start_world(provider_url=jobs.url)
    await world.native(await world.key())
    stranger = await world.key()

    answer = await world.send(method, path, stranger)

    assert (404, "job_not_found") == (answer.status, answer.headers["Gatekeeper-Rejection"])
    assert (0, RUNNING) == (jobs.polls, jobs.job.answer)


async def test_an_unknown_job_is_not_found(start_world: StartWorld, jobs: JobProvider) -> None:
    """An id that nobody submitted here is not asked for."""
    world = await start_world(provider_url=jobs.url)

    answer = await world.send("GET", "/v1/generations/job-99", await world.key())

    assert (404, "job_not_found", 0) == (answer.status, answer.headers["Gatekeeper-Rejection"], jobs.polls)


@pytest.mark.parametrize("status", [404, 429, 500, 503])
async def test_an_error_of_a_poll_ends_nothing(start_world: StartWorld, jobs: JobProvider, status: int) -> None:
    """It is passed on as it is; the job is settled by the poll that tells."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.status = status

    troubled = await world.send("GET", "/v1/generations/job-1", key)
    jobs.status = 200
    jobs.end(SUCCEEDED)
    await world.send("GET", "/v1/generations/job-1", key)

    assert (status, "trouble") == (troubled.status, troubled.json["code"])
    assert ["hold", "job", "settle"] == await world.kinds()


async def test_an_end_that_is_cut_off_is_no_end(start_world: StartWorld, jobs: JobProvider) -> None:
    """An answer that broke off before its end is not believed, though all that matters had come."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.end(SUCCEEDED)
    jobs.cut = True

    with pytest.raises(Exception, match="payload"):
        await world.send("GET", "/v1/generations/job-1", key)

    assert ["hold", "job"] == await world.kinds()


async def test_a_provider_that_is_away_can_be_asked_again(start_world: StartWorld, jobs: JobProvider) -> None:
    """502 that an SDK may repeat: asking changes nothing about the job."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    await jobs.close()

    answer = await world.send("GET", "/v1/generations/job-1", key)

    assert (502, "provider_unavailable", "5") == (
        answer.status, answer.headers["Gatekeeper-Rejection"], answer.headers["Retry-After"]
    )  # fmt: skip
    assert ["hold", "job"] == await world.kinds()


async def test_polls_that_race_settle_once(start_world: StartWorld, jobs: JobProvider) -> None:
    """Ten answers with the end at the same moment: one entry in the journal, one line in the log."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.end(SUCCEEDED)
    jobs.open.clear()
    polls = [asyncio.ensure_future(world.send("GET", "/v1/generations/job-1", key)) for _ in range(10)]
    await jobs.until_polled(10)

    jobs.open.set()
    answers = await asyncio.gather(*polls)

    assert ["49"] * 10 == [answer.headers["Gatekeeper-Credits-Charged"] for answer in answers]
    assert ["hold", "job", "settle"] == await world.kinds()
    assert 1 == len(world.events("generation.settled")) == len(world.events("job.finished"))


async def test_a_dry_run_is_refused_on_a_job(start_world: StartWorld, jobs: JobProvider) -> None:
    """There is nothing to quote, and a cancel that somebody meant as a trial would be a real one."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)

    answer = await world.send("DELETE", "/v1/generations/job-1", key, headers={"Gatekeeper-Dry-Run": "true"})

    assert (400, "malformed_request", RUNNING) == (
        answer.status, answer.headers["Gatekeeper-Rejection"], jobs.job.answer
    )  # fmt: skip


@pytest.mark.parametrize("options", [{"json": {"a": 1}}, {"params": {"id": "job-2"}}])
async def test_a_poll_says_nothing_that_is_not_read(
    start_world: StartWorld, jobs: JobProvider, options: dict[str, Any]
) -> None:
    """A body or a parameter could name another job to the provider than it did here."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)

    answer = await world.send("GET", "/v1/generations/job-1", key, **options)

    assert (400, 0) == (answer.status, jobs.polls)


async def test_the_key_stays_here_when_a_job_is_asked_for(start_world: StartWorld, jobs: JobProvider) -> None:
    """As with a generation: no header of a poll has the team's key."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)

    await world.send("GET", "/v1/generations/job-1", key, headers={"X-Mine": key})

    assert [] == [line for line in jobs.heard if key in line]


async def test_the_same_submission_again_gets_its_job_again(start_world: StartWorld, jobs: JobProvider) -> None:
    """An Idempotency-Key names a job while it runs and after its end: it is submitted once."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    named = {"Idempotency-Key": "one"}
    first = await world.native(key, headers=named)
    again = await world.native(key, headers=named)
    jobs.end(SUCCEEDED)
    await world.send("GET", "/v1/generations/job-1", key)
    after = await world.native(key, headers=named)

    assert (first.json, first.json, 202, 1) == (again.json, after.json, after.status, len(jobs.jobs))
    assert ["true", "true"] == [answer.headers["Gatekeeper-Replayed"] for answer in (again, after)]


async def test_fewer_outputs_cost_less(start_world: StartWorld, jobs: JobProvider) -> None:
    """Two were asked for and held, one was made."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key, model="ideogram-v3", outputs=2, resolution=None)
    jobs.end(SUCCEEDED)

    answer = await world.send("GET", "/v1/generations/job-1", key)

    assert "25" == answer.headers["Gatekeeper-Credits-Charged"]
    assert "partial" == (await world.event("job.finished"))["outcome"]
    await world.assert_books_clean()


@pytest.mark.parametrize("chunked", [False, True])
async def test_links_lead_through_the_gateway(
    start_world: StartWorld, jobs: JobProvider, monkeypatch: pytest.MonkeyPatch, chunked: bool
) -> None:
    """In the submission's answer, when it is asked for again, and in polls; an address of others stays as it is."""
    jobs.chunked = chunked
    with_links(monkeypatch, "urls.get", "urls.web")
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    named = {"Idempotency-Key": "one"}
    expected = {"get": f"{world.url}/studio/v1/generations/job-1", "web": "https://example.com/"}

    submitted = await world.native(key, headers=named)
    again = await world.native(key, headers=named)
    jobs.end(SUCCEEDED)
    polled = await world.send("GET", expected["get"].removeprefix(world.url), key)

    assert [expected] * 3 == [answer.json["urls"] for answer in (submitted, again, polled)]
    assert "49" == polled.headers["Gatekeeper-Credits-Charged"]


async def test_links_of_a_poll_that_says_the_same_lead_to_where_it_was_asked(
    start_world: StartWorld, jobs: JobProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every caller gets the gateway's address as it spelled it, however often the provider says the same."""
    with_links(monkeypatch, "urls.get")
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.end({**RUNNING, "urls": {"get": f"{jobs.url}/native/v1/generations/job-1"}})
    hosts = ["one.example", "one.example", "two.example:81", "two.example:81", "one.example"]

    polled = [await world.send("GET", "/v1/generations/job-1", key, headers={"Host": host}) for host in hosts]

    path = "studio/v1/generations/job-1"
    assert [f"http://{host}/{path}" for host in hosts] == [answer.json["urls"]["get"] for answer in polled]


@pytest.mark.parametrize(
    ("query", "status"), [("trace=1", 400), ("trace", 400), ("key=x", 200), ("a=1&a=2", 400), ("", 200)]
)
async def test_what_nobody_reads_of_a_polls_query_is_refused(
    start_world: StartWorld, jobs: JobProvider, query: str, status: int
) -> None:
    """Asked again too, when its path is known; a credential of the caller's is left out."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    await world.send("GET", "/v1/generations/job-1", key)

    answer = await world.send("GET", f"/v1/generations/job-1?{query}", key)

    assert status == answer.status


async def test_every_line_about_jobs_matches_the_schema(start_world: StartWorld, jobs: JobProvider) -> None:
    """Accepted, settled, released and finished jobs are described in docs/log-events.schema.json."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    for end in (SUCCEEDED, FAILED):
        await world.native(key)
        jobs.end(end)
        await world.send("GET", f"/v1/generations/job-{len(jobs.jobs)}", key)

    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert 2 == len(world.events("job.finished"))
    assert [] == [error.message for line in world.events() for error in validator.iter_errors(line)]


async def test_a_cancel_of_what_is_made_settles_first(start_world: StartWorld, jobs: JobProvider) -> None:
    """Made, never polled, then deleted: whoever deletes the evidence pays all the same."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.end(SUCCEEDED)

    answer = await world.send("DELETE", "/v1/generations/job-1", key)

    assert "49" == answer.headers["Gatekeeper-Credits-Charged"]
    assert ["hold", "job", "settle"] == await world.kinds()
    await world.assert_books_clean()


async def test_a_download_settles_first(
    start_world: StartWorld, jobs: JobProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can be downloaded was made: whoever fetches it without a poll pays first."""

    def find_route(method: str, path: str) -> Route | None:
        found = native.find_route(method, path.removesuffix("/content"))
        if found is None or not path.endswith("/content"):
            return found
        return replace(found, kind=RouteKind.DOWNLOAD, upstream_path=path)

    stored = SimpleNamespace(**vars(native) | {"find_route": find_route})
    monkeypatch.setitem(registry.DIALECTS, "native", stored)  # type: ignore[arg-type]
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.end(SUCCEEDED)

    answer = await world.send("GET", "/v1/generations/job-1/content", key)

    assert (200, b"film", "49") == (answer.status, answer.body, answer.headers["Gatekeeper-Credits-Charged"])
    assert ["hold", "job", "settle"] == await world.kinds()


async def test_a_parameter_twice_is_refused(
    start_world: StartWorld, jobs: JobProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two ids in an address the provider might take the one of another team."""

    def find_route(method: str, path: str) -> Route | None:
        found = native.find_route(method, path)
        return None if found is None else replace(found, query=frozenset({"id"}))

    asking = ModuleType("asking")  # as dialects are
    vars(asking).update(vars(native) | {"find_route": find_route})
    monkeypatch.setitem(registry.DIALECTS, "native", asking)  # type: ignore[arg-type]
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)

    answer = await world.send("GET", "/studio/v1/generations/job-1?id=theirs&id=mine", key)

    assert (400, 0) == (answer.status, jobs.polls)


async def test_jobs_are_counted(start_world: StartWorld, jobs: JobProvider) -> None:
    """An accepted job is no request in flight any more, but an open job, until its end is booked."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    running = await figures(world)
    jobs.end(SUCCEEDED)
    await world.send("GET", "/v1/generations/job-1", key)
    ended = await figures(world)

    names = ("gatekeeper_generations_in_flight", "gatekeeper_jobs_open", "gatekeeper_credits_charged_total")
    assert [("0.0", "1.0", "0.0"), ("0.0", "0.0", "49.0")] == [
        tuple(found[name] for name in names) for found in (running, ended)
    ]
    assert "1.0" == running['gatekeeper_jobs_accepted_total{provider="studio"}']
    assert "1.0" == ended['gatekeeper_jobs_ended_total{outcome="made",provider="studio",via="poll"}']


async def figures(world: World) -> dict[str, str]:
    """Every metric, by its name with its labels."""
    async with world.session.get(f"{world.gateway.admin_url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return {name: value for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


async def test_links_of_a_large_answer_are_changed_too(
    start_world: StartWorld, jobs: JobProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture in the answer beside its links: read whole, changed, and settled before it leaves."""
    with_links(monkeypatch, "urls.get")
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    await world.native(key)
    jobs.end({**SUCCEEDED, "data": "A" * 1_000_000})

    answer = await world.send("GET", "/v1/generations/job-1", key)

    assert f"{world.url}/studio/v1/generations/job-1" == answer.json["urls"]["get"]
    assert (1_000_000, "49") == (len(answer.json["data"]), answer.headers["Gatekeeper-Credits-Charged"])
