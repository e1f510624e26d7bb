"""Deadlines: each team once, the earliest, and never more than fit."""

from gatekeeper.ledger.deadlines import Deadlines


def test_a_team_is_due_once_at_its_earliest() -> None:
    """However often it was told, in whatever order."""
    deadlines = Deadlines()
    for at_s in (30, 10, 20, 10):
        deadlines.remember("a", at_s)

    assert [[], ["a"], []] == [deadlines.take_due(now_s, 9) for now_s in (9, 10, 99)]


def test_the_longest_waiting_comes_first() -> None:
    """And no more at once than were asked for."""
    deadlines = Deadlines()
    for team_id, at_s in (("c", 3), ("a", 1), ("b", 2), ("d", 99)):
        deadlines.remember(team_id, at_s)

    assert [["a", "b"], ["c"], []] == [deadlines.take_due(10, 2) for _ in range(3)]


def test_a_team_may_come_again() -> None:
    """What was taken is forgotten, its earlier places too."""
    deadlines = Deadlines()
    deadlines.remember("a", 5)
    deadlines.remember("a", 1)
    first = deadlines.take_due(1, 9)
    deadlines.remember("a", 7)

    assert (["a"], [], ["a"]) == (first, deadlines.take_due(6, 9), deadlines.take_due(7, 9))


def test_no_more_than_fit() -> None:
    """Beyond the bound a new team is left to the walk; one that is known may still come earlier."""
    deadlines = Deadlines(teams_max=2)
    for team_id, at_s in (("a", 9), ("b", 9), ("c", 1), ("a", 2)):
        deadlines.remember(team_id, at_s)

    assert ["a", "b"] == deadlines.take_due(10, 9)


def test_old_places_do_not_gather() -> None:
    """A team that comes earlier a thousand times takes no more room for it."""
    deadlines = Deadlines(teams_max=2)
    for at_s in range(1000, 0, -1):
        deadlines.remember("a", at_s)
    deadlines.remember("b", 2)

    assert len(deadlines._heap) <= 5
    assert (2, ["a", "b"], 0) == (len(deadlines), deadlines.take_due(5000, 9), len(deadlines))


def test_who_is_next_is_known_without_being_taken() -> None:
    """Also where an earlier deadline has left an old place behind, and when nobody is left."""
    deadlines = Deadlines()
    empty = deadlines.first_s()
    deadlines.remember("a", 10)
    deadlines.remember("a", 5)
    first = deadlines.first_s()
    deadlines.take_due(5, 1)
    deadlines.remember("b", 20)

    assert (None, 5, 20) == (empty, first, deadlines.first_s())
    assert 1 == len(deadlines)
