"""What becomes of single log lines in another world, each figure computed by hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.replaying import rerun
from tests.cli.scene import CATALOG
from tests.replaying.scene import Place, admitted, line, rejected, settled, sums

DEARER = CATALOG.replace("{1K: 49, 2K: 73.5}", "{1K: 60, 2K: 80}")


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_dearer_catalog_costs_more(place: Place) -> None:
    """The same pictures at the new price."""
    found = place.replay(admitted("a"), settled("a"), catalog=DEARER)

    assert (1, 0, 0, 49, 60) == sums(found)


def test_what_was_made_is_charged_and_not_what_was_asked(place: Place) -> None:
    """Four were asked, three came: three are paid for, then and now."""
    four = {"asked": {"model": "a-model", "prompt": True, "outputs": 4}, "credits": 196}
    found = place.replay(
        admitted("a", **four), settled("a", charged=147, outcome="partial", made={"outputs": 3}), catalog=DEARER
    )

    assert (1, 0, 0, 147, 180) == sums(found)


def test_lines_of_an_older_gateway_are_read_by_their_facts(place: Place) -> None:
    """Without what was asked the facts have to do; the model is named in the catalog's words."""
    facts = {"resolution": "2K", "aspect_ratio": "16:9", "size": "2752x1536", "outputs": 1, "provider": "acme"}
    old = admitted("a", credits=73.5, **facts)
    end = settled("a", charged=73.5, outputs_made=1)
    del old["asked"], end["made"]

    found = place.replay(old, end, catalog=DEARER)

    assert (1, 0, 0, 73.5, 80) == sums(found)


@pytest.mark.parametrize(
    ("last", "before", "after"),
    [
        (line("generation.released", "10:01:00", hold_id="a", outcome="500"), 0, 0),
        (line("hold.expired", "10:01:00", hold_id="a", transition="expire", credits=49), 0, 0),
        (line("hold.expired", "10:01:00", hold_id="a", transition="charge", credits=49), 49, 60),
        (line("hold.expired", "10:01:00", hold_id="a", transition="keep", credits=49), 0, 0),
        (line("settle.replayed", "10:01:00", hold_id="a", status="settled", credits_charged=24.5), 24.5, 30),
        (line("settle.replayed", "10:01:00", hold_id="a", status="duplicate", credits_charged=49), 0, 0),
        (settled("a", outcome="failed_billable", made=None), 49, 60),
        (settled("a", outcome="policy", made=None), 49, 60),
    ],
)  # fmt: skip
def test_each_end_of_a_hold(place: Place, last: dict[str, Any], before: float, after: float) -> None:
    """Freed, charged by time or policy, booked from the outbox, billed without a picture."""
    found = place.replay(admitted("a"), last, catalog=DEARER)

    assert (before, after) == (found["credits_before"], found["credits_after"])


@pytest.mark.parametrize(("transition", "between"), [("expire", 0), ("charge", 49)])
def test_an_outcome_after_time_had_ended_its_hold_is_the_last_word(
    place: Place, transition: str, between: float
) -> None:
    """Freed by time it is charged after all; charged by time it is corrected."""
    by_time = line("hold.expired", "10:01:00", hold_id="a", transition=transition, credits=49)
    two = {"asked": {"model": "a-model", "prompt": True, "outputs": 2}, "credits": 98}

    found = place.replay(admitted("a", **two), by_time, settled("a", "11:00:00", outcome="partial"), catalog=DEARER)

    assert (1, 0, 0, 49, 60) == sums(found)


def test_limits_count_in_the_days_of_the_teams_zone(place: Place) -> None:
    """Of three requests on one UTC day the last is on the next day in Berlin."""
    lines = []
    for number, at in enumerate(("21:00:00", "22:00:00", "23:30:00")):
        lines += [admitted(f"h{number}", at), settled(f"h{number}", at)]
    limits = [{"scope": "team", "per": "day", "credits": 60}]

    in_utc = place.replay(*lines, limits=limits)
    in_berlin = place.replay(*lines, limits=limits, timezone="Europe/Berlin")

    assert [(3, 0, 2, 147, 49), (3, 0, 1, 147, 98)] == [sums(in_utc), sums(in_berlin)]
    assert ("limit_exceeded", "team per day", 2) == tuple(
        in_utc["refusals"][0][name] for name in ("code", "about", "newly_refused")
    )


def test_allowances_are_given_in_their_time(place: Place) -> None:
    """Fifty a day: one a day, and the second of a day is refused."""
    lines = [
        each
        for day in ("2027-03-01", "2027-03-02", "2027-03-05")
        for hour in ("T10:00:00", "T11:00:00")
        for each in (admitted(day + hour, day + hour), settled(day + hour, day + hour))
    ]

    found = place.replay(*lines, grants=[], allowances=[{"id": "daily", "credits": 50, "per": "day"}])

    assert (6, 0, 3, 294, 147) == sums(found)


def test_grants_expire(place: Place) -> None:
    """What was to be spent by eleven is gone at noon."""
    grants = [{"id": "g", "credits": 500, "expires_at": datetime(2027, 3, 1, 11, tzinfo=UTC)}]

    found = place.replay(
        admitted("a"), settled("a"), admitted("b", "12:00:00"), settled("b", "12:00:01"), grants=grants
    )

    assert (2, 0, 1, 98, 49) == sums(found)


def test_a_team_may_begin_with_what_the_log_shows(place: Place) -> None:
    """Its first line said that 60 were left with its hold: enough for two at 49 and not for three."""
    lines = [admitted(name, f"10:0{n}:00", credits_available=60) for n, name in enumerate("abc")]

    found = place.replay(*lines, opening_from_log=True, grants=[{"id": "other", "credits": 5000}])

    assert (3, 0, 1) == sums(found)[:3]


def test_what_was_refused_and_would_pass_is_taken_as_asked(place: Place) -> None:
    """Nobody knows what would have come of it, so it is charged in full, and told apart."""
    found = place.replay(rejected("insufficient_credits"), catalog=DEARER)

    assert (1, 1, 0, 0, 60) == sums(found)
    assert (1, 60) == (found["newly_admitted"], found["credits_assumed"])


def test_what_nothing_here_decides_is_left_out(place: Place) -> None:
    """A key that is not known, a provider that is down, a job that is not there: counted, and not judged."""
    found = place.replay(
        rejected("unauthenticated", asked=None, team=None),
        rejected("provider_unavailable", hold_id="a"),
        rejected("job_not_found"),
        rejected("model_not_found", asked=None),
    )

    assert (0, 0, 0, 0, 0) == sums(found)
    assert {"unauthenticated": 1, "job_not_found": 1, "model_not_found": 1} == found["not_judged"][
        "refused_for_other_reasons"
    ]


def test_what_began_before_the_log_costs_the_same_in_both(place: Place) -> None:
    """Only its end is known, and its price of then."""
    found = place.replay(settled("before"), catalog=DEARER)

    assert (0, 0, 0, 49, 49) == sums(found)
    assert (1, 49) == (found["not_judged"]["begun_before"], found["not_judged"]["credits_begun_before"])


def test_teams_without_rules_are_priced(place: Place) -> None:
    """Nobody knows their limits, so only the catalog refuses."""
    odd = {"asked": {"model": "a-model", "prompt": True, "resolution": "8K"}}

    found = place.replay(
        admitted("a", team="other"), settled("a", team="other"), admitted("b", team="other", **odd), catalog=DEARER
    )

    assert (2, 0, 1, 49, 60) == sums(found)
    assert ["other"] == found["not_judged"]["teams_without_rules"]


def test_what_shadow_let_by_unheld_is_judged(place: Place) -> None:
    """It cost nothing then; now its model may have a price. A held one is told by its own line."""
    unheld = line("generation.shadowed", code="model_not_found", codes=["model_not_found"], asked={"model": "a-model"})
    held = line("generation.shadowed", code="limit_exceeded", codes=[], hold_id="a", asked={"model": "a-model"})
    unread = line("generation.shadowed", code="malformed_request", codes=[], asked=None)

    found = place.replay({**unheld, "asked": {"model": "a-model", "prompt": True}}, held, unread)

    assert (1, 0, 0, 0, 49) == sums(found)
    assert {"malformed_request": 1} == found["not_judged"]["refused_for_other_reasons"]


@pytest.mark.parametrize(
    "broken",
    [
        {"asked": {"outputs": "two"}},
        {"asked": {"operation": "image.bake"}},
        {"asked": {"input": "wide"}},
        {"asked": {"scale": "1/0"}},
        {"asked": {"duration_s": "9" * 100}},
        {"credits": "a lot"},
        {"credits": True},
    ],
)
def test_a_line_that_nobody_wrote_is_counted_and_passed_by(place: Place, broken: dict[str, Any]) -> None:
    """The others are judged all the same."""
    found = place.replay(admitted("x", **broken), admitted("a"), settled("a"))

    assert (1, 0, 0, 49, 49) == sums(found)
    assert 1 == found["not_judged"]["untold"]


def test_what_has_no_end_is_kept_in_mind_to_a_bound(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten; its end, if it comes after all, counts as one from before the log."""
    monkeypatch.setattr(rerun, "OPEN_MAX", 2)

    found = place.replay(*(admitted(name) for name in "abc"), settled("a"), settled("b"), catalog=DEARER)

    assert (3, 0, 0, 98, 109) == sums(found)
    assert (2, 1) == (found["not_judged"]["still_running"], found["not_judged"]["begun_before"])


def test_a_retired_offer_is_refused_by_its_own_name(place: Place) -> None:
    """The provider's old id for a model, asked where it is sold."""
    old = admitted("a", provider="acme", dialect="openai", asked={"model": "acme-0", "prompt": True})

    found = place.replay(old)

    assert ["model_retired"] == [row["code"] for row in found["refusals"]]
