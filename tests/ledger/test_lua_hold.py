"""hold.lua called directly: every reply, every check, and what must not have been written."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.lua import NAMES, script
from gatekeeper.ledger.windows import Window, Windows
from gatekeeper.ledger.wire import Reply
from tests.cases import each_case
from tests.ledger.conftest import every_key

MOST = 9_000_000_000_000_000
HOUR = 3_600_000
NewId = Callable[..., str]
Raw = Any


def window(start_ms: int, end_ms: int) -> str:
    """The same window for all four periods, an hour long the next."""
    return Windows("UTC", *[Window(start_ms, end_ms, end_ms + HOUR)] * 4).argument


def now_ms() -> int:
    """This machine's clock, which the store under test shares."""
    return time.time_ns() // 1_000_000


async def test_admitted_hold(funded: Raw, new_id: NewId):
    """A hold that fits is answered with its amount, what is left, what is held, and its journal entry."""
    hold_id = new_id()

    assert ["HELD", "40", "60", "40", "3", "0"] == await funded.hold(hold_id, amount=40)
    assert [["3-0"]] == [[row[0]] for row in await funded.client.command("XRANGE", funded.keys.journal, "3-0", "+")]


async def test_deadline_is_ttl_from_now(funded: Raw, new_id: NewId):
    """The deadline is the store's now plus the ttl."""
    hold_id = new_id()
    before = now_ms()
    await funded.hold(hold_id, ttl=5000)

    deadline = int(float(await funded.client.command("ZSCORE", funded.keys.due, hold_id)))
    assert before + 5000 <= deadline <= now_ms() + 5000


async def test_same_hold_again(funded: Raw, new_id: NewId):
    """The same id and fingerprint is answered again, marked, and changes nothing."""
    hold_id = new_id()
    await funded.hold(hold_id, amount=40)
    before = await funded.dump()

    assert ["HELD", "40", "60", "40", "3", "1"] == await funded.hold(hold_id, amount=40)
    assert before == await funded.dump()


async def test_other_fingerprint_is_a_mismatch(funded: Raw, new_id: NewId):
    """The same id for something else is told, open or resolved, and changes nothing."""
    hold_id = new_id()
    await funded.hold(hold_id)
    while_open = await funded.hold(hold_id, fingerprint="other")
    await funded.settle(hold_id, 1)
    before = await funded.dump()

    after_it = await funded.hold(hold_id, fingerprint="other")
    assert [["MISMATCH", "H", hold_id], ["MISMATCH", "S", hold_id]] == [while_open, after_it]
    assert before == await funded.dump()


@pytest.mark.parametrize(("amount", "reply"), [(7, ["REPEAT", "S", "10", "7"]), (0, ["REPEAT", "R", "10", "0"])])
async def test_hold_after_it_was_resolved(funded: Raw, new_id: NewId, amount: int, reply: Reply):
    """A resolved hold is not made again: its state and its charge are told."""
    hold_id = new_id()
    await funded.hold(hold_id)
    await funded.settle(hold_id, amount)

    assert [*reply, hold_id] == await funded.hold(hold_id)


async def test_hold_while_unknown(funded: Raw, new_id: NewId):
    """A hold whose outcome is unknown is told as such."""
    hold_id = new_id()
    await funded.hold(hold_id, grace=60_000)
    await funded.unknown(hold_id)

    assert ["REPEAT", "U", "10", "0", hold_id] == await funded.hold(hold_id)


async def test_no_team(raw: Raw):
    """Without a team nothing is held and nothing is written."""
    assert (["NO_TEAM"], {}) == (await raw.hold(), await raw.dump())


@pytest.mark.parametrize("age_ms", [48 * HOUR + 60_000, -DAY_MS - 60_000])
async def test_stale_id(funded: Raw, new_id: NewId, age_ms: int):
    """An id so old that its end may be forgotten, or from far in the future, is refused."""
    reply = await funded.hold(new_id(age_ms))

    assert "STALE" == reply[0]


@pytest.mark.parametrize("age_ms", [48 * HOUR - 60_000, -DAY_MS + 60_000])
async def test_oldest_and_newest_id(funded: Raw, new_id: NewId, age_ms: int):
    """Ids up to 48 hours old and up to a day ahead are taken."""
    reply = await funded.hold(new_id(age_ms))

    assert "HELD" == reply[0]


@each_case(
    "changes",
    [
        *({name: text} for name in ("amount", "ttl", "grace", "within") for text in (
            "", "-1", "-0", "nan", "inf", "1e3", "0x10", " 5 ", "5.0", str(MOST + 1), str(2**53), "9" * 17)),
        {"policy": "x"}, {"policy": ""}, {"windows": ""}, {"windows": "UTC;1:2:3"}, {"windows": "1:2;1:2"},
        {"windows": "UTC;1:2;" + ";".join(["a:a:a:a"] * 3)}, {"project": "a\tb"},
        {"id": "x" * 32}, {"id": "0" * 31}, {"day": "1"}, {"day": "x"},
    ],
)  # fmt: skip
async def test_arguments_that_are_no_such_thing(funded: Raw, new_id: NewId, changes: dict[str, str]):
    """Anything but plain digits in range, a known policy, windows and a fitting id is INVALID and writes nothing."""
    before = await funded.dump()

    assert "INVALID" == (await funded.hold(new_id(), **changes))[0]
    assert before == await funded.dump()


async def test_wrong_number_of_keys_stops_the_script(client: Any):
    """A call of the wrong shape is a bug of ours: the script stops before it does anything."""
    for name in NAMES:
        with pytest.raises(Exception, match="takes"):
            await client.run(script(name), ["gk:{a}:x"], [])

    assert [] == await every_key(client)


@pytest.mark.parametrize("amount", [0, 1, 99, 100])
async def test_amounts_up_to_the_balance_fit(funded: Raw, amount: int):
    """Zero, one, and exactly what is there are all admitted."""
    assert ["HELD", str(amount), str(100 - amount), str(amount), "3", "0"] == await funded.hold(amount=amount)


async def test_largest_amounts_are_exact(raw: Raw):
    """Numbers next to the cap of 9e15 lose no unit."""
    await raw.team()
    await raw.grant("g", MOST)

    assert ["HELD", str(MOST - 1), "1", str(MOST - 1), "3", "0"] == await raw.hold(amount=MOST - 1)
    assert ["HELD", "1", "0", str(MOST), "4", "0"] == await raw.hold(amount=1)


async def test_one_too_much_is_refused(funded: Raw):
    """More than available is refused with the numbers, and nothing is written."""
    before = await funded.dump()

    assert [
        "REFUSED", "100", "0", ["insufficient_credits", "team", "", "100", "0", "0", "0", "0"],
    ] == await funded.hold(amount=101)  # fmt: skip
    assert before == await funded.dump()


async def test_refusal_says_if_running_holds_are_in_the_way(funded: Raw):
    """What would fit once the running holds end says so."""
    await funded.hold(amount=60)

    assert [
        "REFUSED", "40", "60", ["insufficient_credits", "team", "", "100", "0", "60", "0", "1"],
    ] == await funded.hold(amount=41)  # fmt: skip


async def test_nothing_costs_nothing_even_in_debt(funded: Raw, new_id: NewId):
    """A hold of zero is admitted by a team below zero."""
    hold_id = new_id()
    await funded.hold(hold_id)
    await funded.settle(hold_id, 150)

    assert ["HELD", "0", "-50", "0", "5", "0"] == await funded.hold(amount=0)
    assert ["REFUSED", "-50", "0"] == (await funded.hold(amount=1))[:3]


@pytest.mark.parametrize(
    ("team", "refusal"),
    [
        ({"frozen": "1"}, ["team_frozen", "team", "", "0", "0", "10", "0", "0"]),
        ({"per_request": "9"}, ["request_cap_exceeded", "team", "per_request", "9", "0", "0", "0", "0"]),
        ({"open_holds": "1"}, ["concurrency_exceeded", "team", "open_holds", "1", "0", "1", "0", "1"]),
        ({"open_holds": "0"}, ["concurrency_exceeded", "team", "open_holds", "0", "0", "1", "0", "0"]),
        ({"held_credits": "19"}, ["concurrency_exceeded", "team", "held_credits", "19", "0", "10", "0", "1"]),
        ({"held_credits": "9"}, ["concurrency_exceeded", "team", "held_credits", "9", "0", "10", "0", "0"]),
        ({"limits": "team\tlifetime\t19\n"}, ["limit_exceeded", "team", "lifetime", "19", "0", "10", "0", "1"]),
        ({"limits": "team\tlifetime\t9\n"}, ["limit_exceeded", "team", "lifetime", "9", "0", "10", "0", "0"]),
    ],
)
async def test_each_check_of_the_team(funded: Raw, team: dict[str, str], refusal: list[str]):
    """Freeze, caps and limits are read in the script: a change made after one hold refuses the next."""
    await funded.hold(amount=10)
    await funded.team(**team)

    assert ["REFUSED", "90", "10", refusal] == await funded.hold(amount=10)


@pytest.mark.parametrize(
    "team", [{"per_request": "10"}, {"open_holds": "2"}, {"held_credits": "20"}, {"limits": "team\tlifetime\t20\n"}]
)
async def test_exactly_at_the_edge_is_admitted(funded: Raw, team: dict[str, str]):
    """A request that ends exactly at a cap or limit passes."""
    await funded.hold(amount=10)
    await funded.team(**team)

    assert "HELD" == (await funded.hold(amount=10))[0]


@pytest.mark.parametrize("per", ["hour", "day", "week", "month", "lifetime"])
@pytest.mark.parametrize("scope", ["team", "project", "member", "key"])
async def test_limit_of_each_scope_and_period(funded: Raw, new_id: NewId, scope: str, per: str):
    """A limit of 15 admits one hold of 10 and refuses the second with used, held and the window's end."""
    await funded.team(limits=f"{scope}\t{per}\t15\n")
    who = {"project": "p", "member": "m", "key": "k"}
    start = now_ms() - HOUR
    windows = window(start, start + 2 * HOUR)
    first = new_id()
    await funded.hold(first, windows=windows, **who)
    name = "team" if scope == "team" else f"{scope}:{who[scope]}"
    resets = "0" if per == "lifetime" else str(start + 2 * HOUR)

    while_held = await funded.hold(windows=windows, **who)
    await funded.settle(first, 6)

    assert ["REFUSED", "90", "10", ["limit_exceeded", name, per, "15", "0", "10", resets, "1"]] == while_held
    assert [
        "REFUSED", "94", "0", ["limit_exceeded", name, per, "15", "6", "0", resets, "0"],
    ] == await funded.hold(windows=windows, **who)  # fmt: skip


async def test_limits_count_each_name_apart_and_skip_requests_without_one(funded: Raw):
    """A member limit counts each member alone, and says nothing about requests that name none."""
    await funded.team(limits="member\tday\t10\n")
    replies = [await funded.hold(member=member) for member in ("amy", "bob", "", "", "amy")]

    assert ["HELD", "HELD", "HELD", "HELD", "REFUSED"] == [reply[0] for reply in replies]


async def test_limit_by_name_replaces_the_general_one(funded: Raw):
    """A limit for one member counts in place of the general member limit of the same period, and of no other."""
    await funded.team(limits="member\tday\t10\nmember\tmonth\t30\nmember:amy\tday\t90\n")
    for _ in range(3):
        assert "HELD" == (await funded.hold(member="amy"))[0]

    refused = await funded.hold(member="amy")
    assert [["limit_exceeded", "member:amy", "month"]] == [refusal[:3] for refusal in refused[3:]]
    await funded.hold(member="bob")
    assert "REFUSED" == (await funded.hold(member="bob"))[0]


async def test_every_failed_check_is_listed(funded: Raw):
    """One refusal lists all reasons, in the order of the checks."""
    await funded.hold(amount=50)
    await funded.team(
        frozen="1", per_request="60", open_holds="1", held_credits="70", per_minute="0",
        limits="team\tday\t70\nkey\tlifetime\t5\n",
    )  # fmt: skip

    reply = await funded.hold(amount=90, key="ci")
    assert [
        "team_frozen", "request_cap_exceeded", "concurrency_exceeded", "concurrency_exceeded", "rate_limited",
        "insufficient_credits", "limit_exceeded", "limit_exceeded",
    ] == [refusal[0] for refusal in reply[3:]]  # fmt: skip


async def test_new_window_counts_from_zero_and_old_holds_stay_in_theirs(funded: Raw, new_id: NewId):
    """A hold belongs to the window it was made in: settled in the next one, it is not counted there."""
    await funded.team(limits="team\tday\t10\n")
    old, now = new_id(), now_ms()
    await funded.hold(old, windows=window(now - 2 * HOUR, now + HOUR))
    today = window(now - HOUR, now + 2 * HOUR)

    assert "HELD" == (await funded.hold(new_id(), amount=4, windows=today))[0]
    await funded.settle(old, 9)
    assert ["limit_exceeded", "team", "day", "10", "0", "4"] == (await funded.hold(amount=7, windows=today))[3][:6]
    assert "HELD" == (await funded.hold(amount=6, windows=today))[0]


async def test_second_window_is_picked_when_the_first_is_over(funded: Raw):
    """Windows computed just before they ended still serve: the next one is sent along."""
    await funded.team(limits="team\tday\t5\n")
    over = now_ms() - 1000

    reply = await funded.hold(windows=window(over - HOUR, over))
    assert [str(over + HOUR)] == [refusal[6] for refusal in reply[3:]]


@pytest.mark.parametrize("offset_ms", [-3 * HOUR, HOUR])
async def test_windows_that_do_not_hold_now(funded: Raw, offset_ms: int):
    """If neither window holds the store's now, it tells its time and zone, and writes nothing."""
    before, start = await funded.dump(), now_ms() + offset_ms

    reply = await funded.hold(windows=window(start, start + HOUR))
    assert ["RETRY_WINDOWS", "UTC"] == [reply[0], reply[2]]
    assert abs(int(reply[1]) - now_ms()) < 5000
    assert before == await funded.dump()


async def test_windows_of_another_zone(funded: Raw):
    """If the team has moved to another time zone, the script asks for windows of that one."""
    await funded.team(timezone="Asia/Tokyo")

    assert ["RETRY_WINDOWS", "Asia/Tokyo"] == (await funded.hold())[::2]


async def test_hold_frees_due_holds_first(funded: Raw, new_id: NewId):
    """Credits of a hold past its deadline serve the next hold, with no sweeper at work."""
    first = new_id()
    await funded.hold(first, amount=100, ttl=0)

    assert ["HELD", "100", "0", "100", "6", "0"] == await funded.hold(amount=100)
    assert [[first, "unknown", "100", "4"], [first, "expire", "100", "5"]] == funded.reaped


async def test_reaping_is_kept_when_the_hold_is_refused(funded: Raw):
    """What time did to other holds is written even if the new hold is refused."""
    await funded.hold(amount=100, ttl=0)

    assert ["REFUSED", "100", "0"] == (await funded.hold(amount=101))[:3]
    assert ["unknown", "expire"] == [kind for _, kind, _, _ in funded.reaped]
    assert 0 == await funded.client.command("HLEN", funded.keys.open)


async def test_hold_reaps_at_most_eight(funded: Raw, new_id: NewId):
    """One hold does a bounded amount of other holds' work."""
    await funded.hold(new_id(), amount=0, ttl=60_000)
    ids = [new_id() for _ in range(10)]
    for hold_id in ids:
        await funded.hold(hold_id, amount=0)
    for hold_id in ids:
        await funded.client.command("ZADD", funded.keys.due, 1, hold_id)

    await funded.hold(amount=0)
    assert 2 == await funded.client.command("ZCOUNT", funded.keys.due, 1, 1)


async def test_hold_reaps_yesterdays_holds_and_leaves_older_ones(funded: Raw, new_id: NewId):
    """Due holds of today's and yesterday's ids are reaped; older ones are the sweeper's: their bucket is undeclared."""
    ids = [new_id(), new_id(DAY_MS), new_id(DAY_MS + now_ms() % DAY_MS + 1)]
    for hold_id in ids:
        await funded.hold(hold_id, amount=0)
    for hold_id in ids:
        await funded.client.command("ZADD", funded.keys.due, 1, hold_id)
    await funded.hold(amount=0)

    left = await funded.client.command("ZRANGEBYSCORE", funded.keys.due, 1, 1)
    assert [ids[2]] == left


async def test_window_never_moves_back(funded: Raw, new_id: NewId):
    """Two gateways that disagree where a window begins still count in one: the later start holds for both."""
    await funded.team(limits="team\tday\t25\n")
    later, earlier = (window(now_ms() - age * HOUR, now_ms() + HOUR) for age in (1, 2))
    first = new_id()
    await funded.hold(first, windows=earlier)
    replies = [await funded.hold(windows=windows) for windows in (later, earlier, later)]

    assert ["HELD", "HELD", "REFUSED"] == [reply[0] for reply in replies]
    await funded.settle(first, 10)
    assert ["0", "20"] == replies[2][3][4:6]


@pytest.mark.parametrize(("ahead_ms", "believed"), [(60_000, False), (600_000, True)])
async def test_clock_that_steps_back(funded: Raw, new_id: NewId, ahead_ms: int, believed: bool):
    """A small step back of the store's clock stands still; a large one is a correction and is believed."""
    last, hold_id = now_ms() + ahead_ms, new_id()
    await funded.client.command("HSET", funded.keys.bal, "figures", f"2:{last}:100:0:0:0:0")
    await funded.hold(hold_id, ttl=0)

    deadline = int(float(await funded.client.command("ZSCORE", funded.keys.due, hold_id)))
    assert believed is (deadline != last)


async def test_nothing_is_written_with_an_odd_zero(funded: Raw, new_id: NewId):
    """Zero amounts in two scopes are stored as '0', never as '-0', and settle as zero."""
    hold_id = new_id()
    await funded.hold(hold_id, amount=0, project="p", member="m")
    settled = await funded.settle(hold_id, 0)

    assert ["RELEASED", "0", "0", "100", "0", "H", "0", "4"] == settled
    assert "-0" not in str(await funded.client.command("HGETALL", funded.keys.bal))
    counters = (await funded.balance("team", "project:p", "member:m"))[9:]
    assert ["[0,0"] * 3 == [value[:4] for value in counters]
