"""A real gateway's log, replayed: by the same catalog and teams the same decisions, by others those by hand."""

import gzip
import json
from pathlib import Path
from typing import Any

import orjson

from gatekeeper.admin.teams_schema import load_teams
from gatekeeper.catalog import load_catalog
from gatekeeper.ledger.teamrecord import Caps, Limit, Per
from gatekeeper.replaying.accounts import rules_of
from gatekeeper.replaying.report import OtherWorld, replay
from tests.system.conftest import StartWorld
from tests.system.jobprovider import FAILED, SUCCEEDED, JobProvider
from tests.system.provider import Provider
from tests.system.world import CATALOG, World, settings_for

MICRO = 1_000_000
TEAM: dict[str, Any] = {
    "id": "team-0",
    "grants": [{"id": "opening", "credits": 1000}],
    "limits": [{"scope": "member", "per": "day", "credits": 150}],
    "caps": {"per_request": 400},
    "models": {"allow": ["*"], "deny": ["recraft-*"]},
}


async def traffic(world: World) -> None:
    """Some of everything: made, partly made, failed, refused by the model, by the catalog and by the credits."""
    limits = (Limit("member", Per.DAY, 150 * MICRO),)
    key = await world.key("1000", limits=limits, caps=Caps(per_request=400 * MICRO), models_deny=("recraft-*",))
    amy = {"Gatekeeper-Member": "amy", "Gatekeeper-Phase": "iteration"}
    for _ in range(4):  # 49 each: the fourth is over amy's limit
        await world.native(key, headers=amy)
    await world.native(key, aspect_ratio="21:9")
    await world.native(key, aspect_ratio="7:1")
    await world.native(key, resolution="9K", outputs=40)
    await world.native(key, model="no-such-model")
    await world.native(key, model="recraft-v4-pro", resolution=None)
    await world.openai(key, quality="high")
    await world.openai(key, quality="low", n=2)
    await world.openai(key)
    await world.openai(key, size="auto")
    await world.native(key, headers={"Gatekeeper-Dry-Run": "true"}, model="no-such-model")
    await world.native(key, resolution="4K", outputs=4)
    await world.send("POST", "/v1/generations", key, data=b"{")
    await world.send("POST", "/v1/generations", "gk_unknown", json={})


def other_world(tmp_path: Path, catalog: list[Path] | None = None, **team: Any) -> OtherWorld:
    """The catalog and the team of the traffic, but for what is named."""
    file = tmp_path / "other-teams.yaml"
    file.write_text(json.dumps({"teams": [TEAM | team]}))
    files = catalog or sorted(CATALOG.glob("*.yaml"))
    return OtherWorld(
        load_catalog(files), settings_for(tmp_path, "http://127.0.0.1:1").providers, rules_of(load_teams(file))
    )


def log_of(world: World, tmp_path: Path) -> Path:
    """The log so far, in a file."""
    path = tmp_path / "gateway.log"
    path.write_bytes(world.log.getvalue())
    return path


def replayed(logs: list[Path], world: OtherWorld) -> Any:
    """The report as its JSON is read."""
    return json.loads(orjson.dumps(replay(logs, world, lambda _done, _of: None)))


def sums(found: dict[str, Any]) -> tuple[Any, ...]:
    """Requests, refused before and after, credits before and after."""
    names = ("requests", "refused_before", "refused_after", "credits_before", "credits_after")
    return tuple(found[name] for name in names)


async def test_the_same_world_decides_the_same(start_world: StartWorld, tmp_path: Path) -> None:
    """By the catalog and the teams of the day a replay refuses what was refused, for the same reasons, and what it
    says was spent is what the journal says."""
    world = await start_world()
    await traffic(world)

    found = replayed([log_of(world, tmp_path)], other_world(tmp_path))

    charged = (await world.balance()).charged / MICRO
    assert (14, 6, 6, charged, charged) == sums(found)
    assert (0, 0, 0) == (found["newly_refused"], found["newly_admitted"], found["credits_assumed"])
    assert 371 == charged
    told = [line["code"] for line in world.events("generation.rejected") if line["asked"]]
    assert {code: (told.count(code), told.count(code)) for code in told} == {
        row["code"]: (row["before"], row["after"]) for row in found["codes"]
    }
    assert {"malformed_request": 1, "model_not_found": 1, "unauthenticated": 1} == found["not_judged"][
        "refused_for_other_reasons"
    ]
    await world.assert_books_clean()


async def test_other_worlds_decide_as_computed_by_hand(start_world: StartWorld, tmp_path: Path) -> None:
    """At 60 in place of 49 amy's third is over her limit; with 300 credits and 60 for a request two more are refused;
    with a limit of 200 and the model allowed two more are let by, and taken to make what they asked for."""
    world = await start_world()
    await traffic(world)
    log = log_of(world, tmp_path)
    dearer = tmp_path / "google.yaml"
    dearer.write_text(
        (CATALOG / "google.yaml").read_text().replace("{1K: 49, 2K: 73.5, 4K: 98}", "{1K: 60, 2K: 80, 4K: 98}", 1)
    )
    files = [dearer, *(path for path in sorted(CATALOG.glob("*.yaml")) if path.name != "google.yaml")]

    costly = replayed([log], other_world(tmp_path, files))
    grants, caps = [{"id": "opening", "credits": 300}], {"per_request": 60}
    poorer = replayed([log], other_world(tmp_path, grants=grants, caps=caps))
    limits = [{"scope": "member", "per": "day", "credits": 200}]
    freer = replayed([log], other_world(tmp_path, limits=limits, models={"allow": ["*"], "deny": []}))

    assert (14, 6, 7, 371, 60 * 3 + 175) == sums(costly)
    assert ("amy", "limit_exceeded", "member:amy per day", 2, 1, 120) == tuple(
        costly["refusals"][0][name] for name in ("member", "code", "about", "requests", "newly_refused", "credits")
    )
    assert (14, 6, 8, 371, 4 * 49 + 2 * 35) == sums(poorer)
    assert {"request_cap_exceeded": 1, "insufficient_credits": 1} == {
        row["code"]: row["after"] for row in poorer["codes"] if not row["before"]
    }
    pro = freer["credits_assumed"] - 49
    assert (14, 6, 4, 371, 371 + 49 + pro) == sums(freer)
    assert (2, True) == (freer["newly_admitted"], pro > 0)


async def test_jobs_end_in_a_replay_as_they_ended(start_world: StartWorld, jobs: JobProvider, tmp_path: Path) -> None:
    """One made, one failed, one still running: what is charged is the journal's, and the last one keeps its credits."""
    world = await start_world(provider_url=jobs.url)
    key = await world.key()
    for end in (SUCCEEDED, FAILED, None):
        await world.native(key)
        if end is not None:
            jobs.end(end)
            await world.send("GET", f"/v1/generations/job-{len(jobs.jobs)}", key)

    found = replayed([log_of(world, tmp_path)], other_world(tmp_path))

    assert (3, 0, 0, 49, 49) == sums(found)
    assert 1 == found["not_judged"]["still_running"]
    assert 49 * MICRO == (await world.balance()).charged


MADE = {"outputs": [{"url": "http://pictures/1.png", "width": 1024, "height": 1024}]}
KINDS: tuple[dict[str, Any], ...] = (
    {"model": "veo-3.1"},
    {"model": "veo-3.1", "resolution": "4K", "duration_s": 8, "audio": False, "aspect_ratio": "9:16"},
    {"model": "veo-3.1", "duration_s": "auto", "outputs": 2},
    {"model": "topaz", "operation": "image.upscale", "scale": "3x", "input": {"width": 1920, "height": 1080}},
    {"model": "gpt-image-2", "size": "1536x1024", "quality": "low"},
    {"model": "gpt-image-2", "size": "1024x1024"},
    {"model": "chatgpt-1.5", "size": "auto", "outputs": 3},
    {"model": "seedream-v4.5", "resolution": "2k", "enhance_prompt": True},
    {"model": "nano-banana-2", "size": "2K", "aspect_ratio": "landscape_16_9"},
    {"model": "topaz", "operation": "image.upscale", "scale": "3x"},
    {"model": "veo-3.1", "duration_s": 5, "audio": True, "quality": "best"},
)
"""Requests with everything that a price may depend on: nine that are sold, two that are not."""


async def test_every_kind_of_request_is_judged_as_it_was(
    start_world: StartWorld, provider: Provider, tmp_path: Path
) -> None:
    """Tiers, sizes, lengths, sound, scales, qualities, inputs, and what was left open."""
    world = await start_world(provider_url=provider.url)
    provider.document = MADE
    key = await world.key("9000")
    answers = [await world.send("POST", "/v1/generations", key, json={"prompt": "a cat", **fields}) for fields in KINDS]

    grants = [{"id": "opening", "credits": 9000}]
    found = replayed([log_of(world, tmp_path)], other_world(tmp_path, grants=grants, limits=[], caps={}))

    charged = (await world.balance()).charged / MICRO
    assert [200] * 9 + [422] * 2 == [answer.status for answer in answers]
    assert (11, 2, 2, charged, charged) == sums(found)
    assert 0 == found["not_judged"]["untold"]


async def test_what_shadow_let_by_would_be_refused(start_world: StartWorld, tmp_path: Path) -> None:
    """Shadow is not looked at: what it let by counts as let by before, and as refused after."""
    world = await start_world()
    key = await world.key("60", shadow=True)
    for fields in ({}, {}, {"aspect_ratio": "7:1"}, {"model": "no-such-model"}):
        await world.native(key, **fields)

    found = replayed([log_of(world, tmp_path)], other_world(tmp_path, grants=[{"id": "opening", "credits": 60}]))

    assert (4, 0, 3, 49) == (*sums(found)[:3], found["credits_after"])
    assert (await world.balance()).charged / MICRO == found["credits_before"]
    assert ["insufficient_credits", "model_not_found", "unsupported_aspect_ratio"] == [
        row["code"] for row in found["codes"]
    ]


async def test_a_log_of_pieces_is_the_same_log(start_world: StartWorld, tmp_path: Path) -> None:
    """Cut in two, one of them packed, named in the wrong order, with lines of others in between: the same sums."""
    world = await start_world()
    await traffic(world)
    lines = log_of(world, tmp_path).read_bytes().splitlines(keepends=True)
    first, second = tmp_path / "a.log", tmp_path / "b.log.gz"
    first.write_bytes(b"".join([b"not a line\n", *lines[:9], b'{"event": "another program\'s"}\n', b"{\n"]))
    second.write_bytes(gzip.compress(b"".join(b"host gk[1]: " + line for line in lines[9:])))

    found = replayed([second, first], other_world(tmp_path))

    assert (14, 6, 6, 371, 371) == sums(found)
    assert (len(lines) + 3, 3) == (found["logs"]["lines"], found["logs"]["unreadable"])
