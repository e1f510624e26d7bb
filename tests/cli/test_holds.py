"""`gatekeeper holds`: look at what is open, and end by hand what nobody else will end."""

import getpass
import json
from pathlib import Path

import pytest

from gatekeeper.ledger.opening import OpenStore
from gatekeeper.ledger.records import HoldOrder, OnUnknown
from tests.cli.scene import CI_KEY, InStore, Run, hold_id


@pytest.fixture(autouse=True)
def _applied(configured: Path, run: Run) -> None:
    run("apply", "teams.yaml", CI_KEY=CI_KEY)


@pytest.fixture
def kept(in_store: InStore) -> str:
    """A hold of 49 credits that time has given up: it is kept until somebody ends it."""
    return made(in_store, ttl_ms=0, on_unknown=OnUnknown.KEEP)


def made(in_store: InStore, **changes: object) -> str:
    """The id of a hold that was made, after time had its way with it."""
    asked = HoldOrder(hold_id(), "studio", 49_000_000, **{"ttl_ms": 600_000, "member": "amy"} | changes)

    async def hold(store: OpenStore) -> None:
        await store.ledger.hold(asked)
        await store.ledger.expire_due("studio")

    in_store(hold)
    return asked.hold_id


def last_entry(run: Run) -> dict[str, object]:
    return dict(json.loads(run("journal", "show", "studio", "--limit", "1", "--json").stdout)["entries"][0])


def test_list(run: Run, in_store: InStore, kept: str) -> None:
    """Each open hold with its state, its credits, and what will become of it."""
    running = made(in_store)
    result = run("holds", "list", "studio", COLUMNS="160")

    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(line.startswith(f"{kept} unknown 49 ") and line.endswith("none keep amy") for line in lines)
    assert any(line.startswith(f"{running} held 49 ") and line.endswith(" s release amy") for line in lines)
    assert "2 open holds, 98 credits." == lines[-1]


def test_list_for_scripts(run: Run, kept: str) -> None:
    """With --json the holds are documents."""
    (hold,) = json.loads(run("holds", "list", "studio", "--json").stdout)["holds"]

    assert (kept, "unknown", 49, None, "keep", "amy") == tuple(
        hold[name] for name in ("id", "state", "credits", "deadline", "on_unknown", "member")
    )


def test_nothing_is_open(run: Run) -> None:
    """That is said too."""
    assert "Team studio has no open holds.\n" == run("holds", "list", "studio").stdout


def test_settle(run: Run, kept: str) -> None:
    """What it came to is charged, and the journal says who and why; a second time changes nothing."""
    first = run("holds", "settle", "studio", kept, "24.5", "--why", "the provider's bill says half")
    again = run("holds", "settle", "studio", kept, "24.5", "--why", "once more")
    entry = last_entry(run)

    assert (
        "24.5 credits charged, 24.5 freed; the hold's state was unknown.\nAvailable: 975.5 credits.\n" == first.stdout
    )
    assert (
        "The hold is settled already, with 24.5 credits charged; nothing was changed." == again.stdout.splitlines()[0]
    )
    assert (0, 0) == (first.exit_code, again.exit_code)
    assert ("settle", kept, 24.5) == (entry["kind"], entry["id"], entry["charged"])
    assert f"by hand ({getpass.getuser()}): the provider's bill says half" == entry["why"]


def test_release(run: Run, kept: str) -> None:
    """Nothing is charged; another end afterwards is refused with what it is."""
    released = json.loads(run("holds", "release", "studio", kept, "--why", "never made", "--json").stdout)
    other = run("holds", "settle", "studio", kept, "1", "--why", "or was it")

    assert {"id": kept, "status": "released", "was": "unknown", "credits_charged": 0,
            "credits_freed": 49, "credits_available": 1000} == released  # fmt: skip
    assert (1, f"Hold {kept} is released already, with 0 credits charged; nothing was changed.\n") == (
        other.exit_code, other.stderr,
    )  # fmt: skip


def test_what_time_had_ended(run: Run, in_store: InStore) -> None:
    """It is booked as the late fact it is."""
    expired = made(in_store, ttl_ms=0)
    result = run("holds", "settle", "studio", expired, "49", "--why", "it was made after all")

    assert "Time had expired the hold; now it is charged with 49 credits.\nAvailable: 951 credits.\n" == result.stdout


def test_a_running_hold_is_left_alone(run: Run, in_store: InStore) -> None:
    """Its own result will come; who knows better can say so."""
    running = made(in_store)
    refused = run("holds", "release", "studio", running, "--why", "impatience")
    forced = run("holds", "release", "studio", running, "--why", "it hangs", "--running")

    assert 1 == refused.exit_code
    assert refused.stderr.startswith(f"Hold {running} is held: its generation runs")
    assert refused.stderr.endswith("With --running it is ended now and the result not booked.\n")
    assert (0, "0 credits charged, 49 freed; the hold's state was held.") == (
        forced.exit_code,
        forced.stdout.splitlines()[0],
    )


def test_more_than_was_held(run: Run, kept: str) -> None:
    """A typing error does not cost a hundred times as much."""
    result = run("holds", "settle", "studio", kept, "4900", "--why", "4900 for 49.00")

    assert (1, "CREDITS 4900: the hold is of 49 credits: nobody agreed to more.\n") == (
        result.exit_code, result.stderr,
    )  # fmt: skip


def test_more_than_was_held_by_what_time_had_ended(run: Run, in_store: InStore) -> None:
    """Nor does it where the credits are free again, so that nothing else would stop it."""
    expired = made(in_store, ttl_ms=0)
    result = run("holds", "settle", "studio", expired, "4900", "--why", "4900 for 49.00")

    assert (1, "CREDITS 4900: the hold is of 49 credits: nobody agreed to more.\n") == (
        result.exit_code, result.stderr,
    )  # fmt: skip
    assert "Team studio has no open holds.\n" == run("holds", "list", "studio").stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "told"),
    [
        (("settle", "studio", "HOLD", "1.0000001", "--why", "x"), 1, "at most six decimals"),
        (("settle", "studio", "HOLD", "much", "--why", "x"), 2, "is no number of credits"),
        (("settle", "studio", "HOLD", "1"), 2, "--why"),
        (("release", "studio", "HOLD", "--why", " "), 1, "why: is missing"),
        (("release", "studio", "HOLD", "--why", "x" * 300), 1, "at most"),
        (("release", "studio", "x", "--why", "x"), 1, "Team studio has no hold x"),
        (("release", "nobody", "HOLD", "--why", "x"), 1, "There are: studio."),
        (("release", "studio", "0" * 12 + "7" + "0" * 3 + "8" + "0" * 15, "--why", "x"), 1, "there never was one"),
        (("list", "nobody"), 1, "There are: studio."),
    ],
)
def test_what_cannot_be(run: Run, kept: str, arguments: tuple[str, ...], exit_code: int, told: str) -> None:
    """It says what is wrong, and nothing changes."""
    result = run("holds", *(kept if argument == "HOLD" else argument for argument in arguments), COLUMNS="200")

    assert exit_code == result.exit_code
    assert told in result.stderr
    assert kept in run("holds", "list", "studio").stdout
