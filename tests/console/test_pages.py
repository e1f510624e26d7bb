"""What every page has in common: headers, escapes, no secret; and what pages show."""

import re

import pytest

from gatekeeper.console.burning import DAYS
from gatekeeper.console.headers import ALWAYS, CONTENT_SECURITY_POLICY
from gatekeeper.console.mounting import PAGES
from gatekeeper.console.pages import team
from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.holdid import new_hold_id
from gatekeeper.ledger.records import HoldOrder
from gatekeeper.ledger.teamrecord import KeyRecord, Limit, Per, Project, TeamRecord
from gatekeeper.web.auth import key_sha256
from tests.console.consoleworld import Console
from tests.console.test_login import filled

HOSTILE = "<script>alert(1)</script>"
PLAIN = [route.path for route in PAGES if route.method == "GET" and not route.path.startswith("/live/")]


async def furnished(console: Console) -> str:
    """The team with all there is: an organisation, limits, a project, a key, a hold; the hold's id."""
    ledger = console.world.gateway.store.ledger
    record = TeamRecord(
        "studio", organisation=HOSTILE, limits=(Limit("team", Per.MONTH, 500 * MICRO),),
        projects=(Project("spring", 300 * MICRO),),
    )  # fmt: skip
    await ledger.put_team(record, actor=HOSTILE, why=HOSTILE)
    await ledger.keyring.put(KeyRecord(sha256=key_sha256("gk_secret"), team="studio", key_id="ci", member="amy"))
    hold_id = new_hold_id(await ledger.now_ms("studio"), 1)
    await ledger.hold(HoldOrder(hold_id, "studio", 49 * MICRO, 900_000, project=HOSTILE[:40], member="amy"))
    return hold_id


async def test_every_page_says_what_a_browser_may_load(console: Console) -> None:
    """Nothing of other hosts, nothing kept on the way, whatever the page."""
    hold_id = await furnished(console)

    answers = {path: await console.ask("GET", filled(path).replace("0" * 32, hold_id)) for path in PLAIN}

    assert {} == {path: answer.status for path, answer in answers.items() if answer.status != 200}
    wanted = ALWAYS | {"Cache-Control": "no-store"}
    missing = {
        path: [name for name, value in wanted.items() if answer.headers.get(name) != value]
        for path, answer in answers.items()
    }
    assert {} == {path: names for path, names in missing.items() if names}


async def test_no_page_has_what_the_policy_forbids(console: Console) -> None:
    """No script, style or handler is written into a page, and nothing comes from elsewhere."""
    hold_id = await furnished(console)
    forbidden = re.compile(
        r"<script(?![^>]+src=)|<style|\sstyle=|\son[a-z]+=|(?:src|href|action)=\"(?:https?:)?//", re.IGNORECASE
    )

    pages = [await console.ask("GET", filled(path).replace("0" * 32, hold_id)) for path in PLAIN]

    assert [] == [found for page in pages for found in forbidden.findall(page.body.decode())]


async def test_a_hostile_name_is_text(console: Console) -> None:
    """Wherever it stands: as the organisation, as who did it and why, as a project."""
    await furnished(console)

    pages = [await console.get(path) for path in ("/", "/teams/studio", "/teams/studio/journal", f"/?q={HOSTILE}")]

    assert [0] * 4 == [page.count("<script>alert") for page in pages]
    assert all("&lt;script&gt;alert" in page for page in pages)


async def test_no_page_has_a_secret(console: Console) -> None:
    """Neither the admin token, nor the session's own, nor a key or its hash."""
    await furnished(console)
    secrets = [console.world.gateway.admin_token, console.cookie, "gk_secret", key_sha256("gk_secret")]

    for path in PLAIN:
        await console.ask("GET", filled(path))

    assert [] == [secret for secret in secrets for page in console.seen if secret.encode() in page.body]


async def test_a_page_that_is_not_there_says_so(console: Console) -> None:
    """As a page to a browser, as a document to a program."""
    page = await console.ask("GET", "/nowhere", headers={"Accept": "text/html"})
    team = await console.ask("GET", "/teams/nobody")
    program = await console.ask("GET", "/nowhere")

    assert [404, 404, 401] == [page.status, team.status, program.status]
    assert b"There is no such page" in page.body
    assert b"There is no such team" in team.body
    assert CONTENT_SECURITY_POLICY == page.headers["Content-Security-Policy"]


async def test_a_wrong_method_is_told_which_is_right(console: Console) -> None:
    """405, with what the page takes."""
    answer = await console.ask("DELETE", "/teams/studio")

    assert (405, "GET,HEAD") == (answer.status, answer.headers["Allow"].replace(" ", ""))


async def test_the_table_has_every_figure(console: Console) -> None:
    """What is available, held, and charged this month."""
    ledger = console.world.gateway.store.ledger
    await furnished(console)
    key = await console.world.another_key("studio")
    await console.world.native(key)

    page = await console.get("/")

    row = page.partition('data-team="studio"')[2].partition("</tr>")[0]
    assert ["902", "49", "49"] == re.findall(r'([\d\u202f.]+)<span class="unit">cr', row)
    assert (await ledger.balance("studio")).available == 902 * MICRO


async def test_without_a_team_the_page_says_what_to_do(console: Console) -> None:
    """A search that finds nothing offers all; a store without teams offers the first one."""
    page = await console.get("/?q=zzz")

    assert "No team has “zzz” in its name." in page
    assert '<a href="/">Show all</a>' in page


async def test_many_teams_come_in_pages(console: Console) -> None:
    """By id, twenty-five at a time, each once."""
    ledger = console.world.gateway.store.ledger
    for number in range(30):
        await ledger.put_team(TeamRecord(f"team-{number:02}"))

    first = await console.get("/")
    after = re.findall(r'after=([^"]+)"', first)[0]
    second = await console.get(f"/?after={after}")

    teams = [re.findall(r'data-team="([^"]+)"', page) for page in (first, second)]
    assert ([25, 6], 31) == ([len(each) for each in teams], len({*teams[0], *teams[1]}))
    assert teams[0] + teams[1] == sorted(teams[0] + teams[1])


async def test_a_search_finds_parts_of_names(console: Console) -> None:
    """Whatever their case."""
    await console.world.gateway.store.ledger.put_team(TeamRecord("Pixel-Pond"))

    page = await console.get("/?q=pixel")

    assert ["Pixel-Pond"] == re.findall(r'data-team="([^"]+)"', page)


async def test_the_chart_has_its_figures_by_the_session(console: Console) -> None:
    """Days, what was left after each, and how it goes on."""
    key = await console.world.another_key("studio")
    await console.world.native(key)

    answer = await console.ask("GET", "/teams/studio/burn.json")

    figures = answer.json
    assert {"days", "left", "ahead", "charged", "ends_on"} == set(figures)
    assert (951, 49) == (figures["left"][DAYS - 1], figures["charged"][DAYS - 1])
    assert len(figures["days"]) == len(figures["left"]) == len(figures["ahead"])


async def test_the_journal_is_read_backwards(console: Console) -> None:
    """The last entry first, page by page to the first one."""
    ledger = console.world.gateway.store.ledger
    for number in range(60):
        await ledger.grant("studio", f"g{number}", MICRO)

    first = await console.get("/teams/studio/journal")
    older = re.findall(r'id="older" href="([^"]+)"', first)[0]
    second = await console.get(older)

    numbers = [[int(n) for n in re.findall(r'<td class="num soft">(\d+)</td>', page)] for page in (first, second)]
    assert [*range(62, 0, -1)] == numbers[0] + numbers[1]
    assert "older" not in re.findall(r'id="(older|newer)"', second)


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "0", "1", "99999"])
async def test_a_journal_page_that_cannot_be_is_the_nearest(console: Console, before: str) -> None:
    """Whatever is asked, there is a page."""
    assert "Journal" in await console.get(f"/teams/studio/journal?before={before}")


async def test_who_is_lost_can_go_on(console: Console) -> None:
    """A page that is not there has the places of the console for whoever is signed in, and for nobody else."""
    lost = await console.ask("GET", "/nowhere", headers={"Accept": "text/html"})
    stranger = await Console(console.world).ask("GET", "/nowhere", headers={"Accept": "text/html"})

    assert [True, False] == [b'aria-label="Console"' in answer.body for answer in (lost, stranger)]


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (LedgerUnavailable("no store", maybe_executed=False), 503, b"The credit ledger cannot be reached"),
        (RuntimeError("a secret"), 500, b"gatekeeper failed inside"),
    ],
)
async def test_what_goes_wrong_is_told_on_a_page(
    console: Console, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, told: bytes
) -> None:
    """That the store is away, or that there is a bug, of which the page has no detail."""

    async def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(team, "team_of", broken)

    answer = await console.ask("GET", "/teams/studio")

    assert (status, True, False) == (answer.status, told in answer.body, b"a secret" in answer.body)
    assert CONTENT_SECURITY_POLICY == answer.headers["Content-Security-Policy"]


async def test_a_cause_is_told_in_words(console: Console) -> None:
    """Two pictures at 4K of a budget of 300 are too many too early: the page says so, and what could be saved."""
    ledger = console.world.gateway.store.ledger
    await ledger.put_team(TeamRecord("studio", projects=(Project("spring", 300 * MICRO),)))
    key = await console.world.another_key("studio", project="spring")
    for _ in range(2):
        await console.world.native(key, resolution="4K")

    page = await console.get("/teams/studio")

    assert "High resolutions too early" in page
    assert "project spring" in page
    assert "65.3\u202f% used" in page


async def test_an_earlier_month_can_be_looked_at(console: Console) -> None:
    """The page leads to the month before, and from there back to the one that runs, but to none that is to come."""
    now = await console.get("/teams/studio")
    before = re.findall(r'id="month-before" href="([^"]+)"', now)[0]
    past = await console.get(before.partition("#")[0])
    after = re.findall(r'id="month-after" href="([^"]+)"', past)[0]

    assert [] == re.findall('id="month-after"', now)
    assert "month-after" not in await console.get(after.partition("#")[0])
    assert "Nothing was charged in" in past
