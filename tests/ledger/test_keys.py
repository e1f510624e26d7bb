"""The exact name of every key: stored data hangs on it."""

from gatekeeper.ledger.holdid import DAY_MS, new_hold_id
from gatekeeper.ledger.keys import SECRET, TEAMS, TeamKeys, api_key


def test_every_key_has_its_exact_name():
    """All of a team's keys carry its hash tag; the index of teams and the API keys carry none."""
    keys = TeamKeys("studio-1")

    assert [
        "gk:teams",
        "gk:key:" + "a" * 64,
        "gk:{studio-1}:team",
        "gk:{studio-1}:keys",
        "gk:{studio-1}:grants",
        "gk:{studio-1}:bal",
        "gk:{studio-1}:open",
        "gk:{studio-1}:due",
        "gk:{studio-1}:j",
        "gk:{studio-1}:done:20414",
        "gk:{studio-1}:once:20414",
        "gk:{studio-1}:jobs",
        "gk:{studio-1}:answer:01a2",
        "gk:{studio-1}:job:fal/01a2",
        "gk:{studio-1}:lease:01a2",
        "gk:{studio-1}:usage:2025-11",
        "gk:secret",
    ] == [
        TEAMS, api_key("a" * 64), keys.team, keys.keys, keys.grants, keys.bal, keys.open, keys.due,
        keys.journal, keys.done(20414), keys.once(20414), keys.jobs, keys.answer("01a2"),
        keys.job("fal/01a2"), keys.lease("01a2"), keys.usage("2025-11"), SECRET,
    ]  # fmt: skip


def test_a_hold_is_remembered_under_the_day_of_its_id():
    """The done bucket is found from the id alone."""
    hold_id = new_hold_id(20_414 * DAY_MS + DAY_MS - 1, 0)

    assert "gk:{a}:done:20414" == TeamKeys("a").done_of(hold_id)


def test_a_hold_is_counted_under_the_month_of_its_id():
    """So is the bucket of its usage: the UTC month, whatever the team's time zone is."""
    last = new_hold_id(1_764_547_199_999, 0)
    first = new_hold_id(1_764_547_200_000, 0)

    assert ["gk:{a}:usage:2025-11", "gk:{a}:usage:2025-12"] == [TeamKeys("a").usage_of(each) for each in (last, first)]
