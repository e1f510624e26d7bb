"""What the admin plane says no with: one error for HTTP and the terminal, whatever the ledger said."""

import pytest
from pydantic import ValidationError

from gatekeeper.admin.bodies import LimitsBody, TeamBody
from gatekeeper.admin.problems import TITLES, AdminProblem, translated, unreadable
from gatekeeper.ledger.errors import (
    ExportBroken,
    LedgerBroken,
    LedgerConflict,
    LedgerError,
    LedgerInvalid,
    LedgerNoTeam,
    LedgerUnavailable,
)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (LedgerNoTeam("the ledger knows no team x"), "team_not_found", "the ledger knows no team x"),
        (LedgerInvalid("grant.lua refuses its amount: too much"), "invalid", "amount: too much"),
        (LedgerConflict("it is at revision 2"), "changed_meanwhile", "it is at revision 2. Nothing was changed."),
        (LedgerUnavailable("gone", maybe_executed=False), "ledger_unavailable", "gone. Nothing was changed."),
        (LedgerUnavailable("gone", maybe_executed=True), "ledger_unavailable", "gone. It may have been done"),
        (LedgerBroken("odd bytes"), "ledger_broken", "odd bytes"),
        (ExportBroken("not ours"), "internal_error", "not ours"),
    ],
)
def test_what_the_ledger_said_is_translated(error: LedgerError, code: str, says: str) -> None:
    """Each of its errors has a code, a status, and its own words."""
    problem = translated(error)

    assert (code, TITLES[code][0]) == (problem.code, problem.status)
    assert says in problem.detail


def refused(model: type[TeamBody | LimitsBody], body: dict[str, object]) -> AdminProblem:
    """The problem with a body."""
    with pytest.raises(ValidationError) as found:
        model.model_validate(body)
    return unreadable(found.value, model)


def test_a_problem_is_some_lines_in_a_terminal() -> None:
    """The first thing that is wrong, and then each field with what would do."""
    problem = refused(TeamBody, {"id": "a b", "timezon": "UTC"})

    assert [
        "id: `a b` is no team id. And 1 more.",
        "id: `a b` is no team id. Use letters, digits and . _ - only, 64 at most, the first a letter or digit.",
        "timezon: is not known here. Did you mean `timezone`?",
    ] == problem.line().splitlines()


def test_a_problem_repeats_little_of_what_was_sent() -> None:
    """Neither a long value nor a long list of findings makes a long answer."""
    long = refused(TeamBody, {"id": "x" * 100_000, "y" * 100_000: 1})
    many = refused(LimitsBody, {"limits": [{"scope": "planet"}] * 60})

    assert max(len(str(each.document())) for each in (long, many)) < 10_000
    assert 20 == len(many.violations)


def test_a_field_inside_a_list_is_named_by_its_place() -> None:
    """As a path of names and numbers."""
    problem = refused(LimitsBody, {"limits": [{"scope": "team", "per": "day", "credits": -1}]})

    assert ["limits.0.credits"] == [each.field for each in problem.violations]
