"""The last half hour of the month: what is going on as the pictures are taken, and what was refused just now."""

import asyncio
from datetime import timedelta
from typing import Any, Final

from tests.screenshots.month import TODAY, Month

FILM: Final = {"model": "gen4.5", "ratio": "1280:720", "duration": 5}

PICTURE: Final = {"model": "nano-banana-2", "prompt": "a lighthouse", "resolution": "1K", "aspect_ratio": "1:1"}

COSTS: Final = 49
"""Of such a picture, in credits."""

REMEMBERED_S: Final = 1.5
"""A gateway remembers a team for a second, by the machine's own clock; it is no test that waits here."""

REFUSED: Final[tuple[tuple[str, dict[str, Any], dict[str, str]], ...]] = (
    ("city-desk", {"model": "nano-banana", "resolution": "4K"}, {"Member": "ines"}),
    ("product-shots", {"model": "chatgpt-1.5", "aspect_ratio": "16:9"}, {"Project": "web-shop", "Member": "robot"}),
    ("press-office", {}, {}),
    ("atelier-nord", {"model": "nano-banana-2", "aspect_ratio": "2:1"}, {"Project": "lookbook", "Member": "carla"}),
    ("indie-games", {"model": "nano-banana-pro", "resolution": "4K"}, {"Project": "dungeon", "Member": "kim"}),
    ("monsoon-films", {"aspect_ratio": "5:7"}, {"Project": "posters", "Member": "devi"}),
    ("research", {"model": "recraft-v4-pro", "resolution": "2K"}, {"Member": "wen"}),
    ("product-shots", {"model": "chatgpt-1.5", "outputs": 40}, {"Project": "autumn-catalogue", "Member": "robot"}),
    ("atelier-nord", {"resolution": "8K"}, {"Project": "spring-campaign", "Member": "amy"}),
    ("research", {"model": "nano-bananna-2"}, {"Member": "wen"}),
    ("indie-games", {}, {"Project": "dungeon", "Member": "lou"}),
)
"""Who asks for what in vain, the last one last."""


async def play(month: Month) -> None:
    """To the minute of `TODAY`."""
    await _freeze(month)
    await _spend_all(month)
    await _films(month)
    await _refuse(month)
    await _hold(month)
    await month.at(TODAY)


async def _films(month: Month) -> None:
    """Three that ended, each in its way, and three that are still being made."""
    await month.at(TODAY - timedelta(minutes=26))
    ended = [await _film(month, "monsoon-films", word) for word in ("job=0", "job=0, job_fail", "job=0")]
    for minutes, (team, film) in zip((22, 21, 20), ended, strict=True):
        await month.at(TODAY - timedelta(minutes=minutes))
        await _until_ended(month, team, film)
    for minutes, team in ((14, "monsoon-films"), (9, "atelier-nord"), (4, "monsoon-films")):
        await month.at(TODAY - timedelta(minutes=minutes))
        await _film(month, team, "job_wait")


async def _film(month: Month, team: str, word: str) -> tuple[str, str]:
    body = FILM | {"promptText": f"rain over the harbour [sandbox: {word}]"}
    member = {"monsoon-films": "anand", "atelier-nord": "jonas"}[team]
    project = {"monsoon-films": "title-sequence", "atelier-nord": "lookbook"}[team]
    head = {"Gatekeeper-Project": project, "Gatekeeper-Member": member}
    status, made = await month.ask("POST", "/runway/v1/text_to_video", team, body, head)
    assert status == 200, made
    return team, str(made["id"])


async def _until_ended(month: Month, team: str, film: str) -> None:
    """Asks as its caller does, until it has ended (bounded)."""
    for _ in range(500):
        _, task = await month.ask("GET", f"/runway/v1/tasks/{film}", team)
        if task["status"] in {"SUCCEEDED", "FAILED"}:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"the film has not ended: {task}")


async def _freeze(month: Month) -> None:
    """A team that had begun a few days ago."""
    await month.at(TODAY - timedelta(days=3))
    await month.admin("POST", "/teams", {"id": "press-office", "why": "a trial"})
    await month.admin("POST", "/teams/press-office/grants", {"id": "trial", "credits": 500, "why": "a trial"})
    made = await month.admin("POST", "/teams/press-office/keys", {"id": "trial", "why": "a trial"})
    month.keys["press-office"] = str(made["secret"])
    await month.ask("POST", "/v1/generations", "press-office", PICTURE)
    await month.at(TODAY - timedelta(hours=2))
    await month.admin("PATCH", "/teams/press-office", {"frozen": True, "why": "the contract is not signed yet"})
    await asyncio.sleep(REMEMBERED_S)


async def _spend_all(month: Month) -> None:
    """What indie-games has left goes into one afternoon, to the last credit."""
    await month.at(TODAY - timedelta(minutes=90))
    left = (await month.admin("GET", "/teams/indie-games"))["balance"]["available"]
    head = {"Gatekeeper-Project": "dungeon", "Gatekeeper-Member": "lou", "Gatekeeper-Phase": "iteration"}
    number = 0
    while left >= 2 * COSTS:
        number, left = number + 1, left - COSTS
        body = PICTURE | {"prompt": f"a dungeon, level {number}"}
        status, answer = await month.ask("POST", "/v1/generations", "indie-games", body, head)
        assert status == 200, answer
    for charged in (left - COSTS, COSTS):
        _, decided = await month.ask("POST", "/v1/decisions", "indie-games", PICTURE, head)
        settled = {"credits": charged}
        await month.ask("POST", f"/v1/decisions/{decided['id']}/settle", "indie-games", settled, head)


async def _refuse(month: Month) -> None:
    codes = set()
    for number, (team, changes, head) in enumerate(REFUSED):
        await month.at(TODAY - timedelta(minutes=18) + timedelta(seconds=97 * number))
        named = {f"Gatekeeper-{name}": value for name, value in head.items()}
        status, answer = await month.ask("POST", "/v1/generations", team, PICTURE | changes, named)
        assert status >= 400, (team, changes)
        codes.add(answer["code"])
    assert len(codes) >= 6, codes


async def _hold(month: Month) -> None:
    """Work that somebody else does for a team, begun a while ago; and what amy may no longer begin today."""
    for minutes, member, resolution in ((11, "amy", "4K"), (6, "amy", "1K"), (2, "jonas", "2K")):
        await month.at(TODAY - timedelta(minutes=minutes))
        status, answer = await _decide(month, member, resolution)
        assert status == 201, answer
    await month.at(TODAY - timedelta(minutes=1))
    for _ in range(10):
        _, answer = await _decide(month, "amy", "4K")
        if answer.get("code"):
            assert answer["code"] == "limit_exceeded", answer
            return
    raise AssertionError("amy's limit has no end")


async def _decide(month: Month, member: str, resolution: str) -> tuple[int, Any]:
    head = {"Gatekeeper-Project": "spring-campaign", "Gatekeeper-Member": member, "Gatekeeper-Phase": "final"}
    body = PICTURE | {"resolution": resolution, "ttl_s": 3600, "provider": "render-farm"}
    return await month.ask("POST", "/v1/decisions", "atelier-nord", body, head)
