"""What a process remembers of the journals it has seen."""

import tracemalloc
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.ledger.codec import order_words
from gatekeeper.ledger.history import Acked, Act, Doubt, History
from gatekeeper.ledger.holdid import match_hold_id
from gatekeeper.ledger.records import Answer, Ending, HoldContext, HoldOrder, OnUnknown

_ids, _amounts = st.from_regex(match_hold_id.__self__, fullmatch=True), st.integers(0, 9 * 10**15)
_texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=8)
_windows = st.sampled_from(("", "0:1:2:3"))
_contexts = st.builds(HoldContext, _amounts, _texts, _texts, _texts, _texts, _texts, _windows, _texts)
_orders = st.builds(
    HoldOrder, _ids, st.just("b"), _amounts, _amounts, _amounts, st.sampled_from(OnUnknown), _texts, _texts, _texts,
    _texts, _texts, st.text(max_size=8), usage=_texts,
)  # fmt: skip
_named = st.builds(replace, _orders, once=st.just("name"), once_within_ms=_amounts, shadow=st.sampled_from(("", "why")))
_answers = st.none() | st.just(Answer("kept", 5))
_endings = st.builds(
    Ending, _ids, _amounts, _texts, _texts, st.booleans(), st.none() | _contexts, _answers, st.booleans(), _amounts
)


def acked(seq: int, team: str = "a", at_s: float = 0.0, hold_id: str = "h") -> Acked:
    """An acknowledged act."""
    return Acked(at_s, team, seq, Doubt(hold_id, ""))


def test_a_sequence_that_rises_is_as_it_should_be() -> None:
    """Entries of one team come with a rising sequence, those of another team have their own."""
    history = History()

    assert [True, True, True] == [history.note(*acked(4)), history.note(*acked(6)), history.note(*acked(1, team="b"))]


def test_a_sequence_that_does_not_rise_is_noticed_each_time() -> None:
    """A sequence at or below one seen before is not the next; what was seen stays what it was."""
    history = History()
    history.note(*acked(7, hold_id="last"))

    assert [False, False] == [history.note(*acked(7)), history.note(*acked(3))]
    assert "last" == history.seen("a").hold_id


def test_acts_are_remembered_for_a_while() -> None:
    """An act is forgotten when one comes that is later by more than the time it is remembered."""
    history = History(remember_s=60)
    for seq, at_s in ((1, 0.0), (2, 50.0), (3, 61.0)):
        history.note(*acked(seq, at_s=at_s))

    assert [2, 3] == [act.seq for act in history.forget(["a"])["a"]]


def test_acts_of_a_team_that_does_not_go_on_are_kept() -> None:
    """While a part of a cluster is away its teams do not go on: what they did last is remembered for a quarter of an
    hour, whatever other teams do."""
    history = History(remember_s=60)
    history.note(*acked(1, team="away"))
    for at_s in (100.0, 899.0):
        history.note(*acked(int(at_s), at_s=at_s))

    assert [1] == [act.seq for act in history.forget(["away"])["away"]]


def test_acts_of_a_team_that_does_not_go_on_are_let_go_in_the_end() -> None:
    """After a quarter of an hour they are as old as any."""
    history = History(remember_s=60)
    history.note(*acked(1, team="away"))
    history.note(*acked(2, at_s=901.0))

    assert {"away": []} == history.forget(["away"])


def test_acts_are_bounded_by_number() -> None:
    """Of more acts than are remembered the oldest go; the last entry of each team stays known."""
    history = History(acts_max=2)
    for seq in (1, 2, 3):
        history.note(*acked(seq))

    assert 3 == history.seen("a").seq
    assert [2, 3] == [act.seq for act in history.forget(["a"])["a"]]


def test_teams_are_bounded_by_number() -> None:
    """Of more teams than are remembered the one seen longest ago goes."""
    history = History(teams_max=2)
    for team in ("a", "b", "a", "c"):
        history.note(*acked(1 if team != "a" else len(history.all_seen()) + 1, team=team))

    assert ["a", "c"] == [seen.team for seen in history.all_seen()]


def test_forgetting_a_team_leaves_the_others() -> None:
    """Teams that begin anew have neither acts nor a last entry; the others keep theirs."""
    history = History()
    for seq, team in ((5, "a"), (2, "b"), (7, "c"), (6, "a")):
        history.note(*acked(seq, team=team))

    forgotten = history.forget(["a", "c"])

    assert {"a": [5, 6], "c": [7]} == {team: [act.seq for act in acts] for team, acts in forgotten.items()}
    assert (None, None, 2) == (history.seen("a"), history.seen("c"), history.seen("b").seq)
    assert ([], 1) == (history.forget(["a"])["a"], len(history.forget(["b"])["b"]))


@given(st.lists(st.tuples(st.sampled_from("ab"), _orders | _named | _endings), max_size=5))
def test_acts_come_back_as_they_were(told: list[tuple[str, Act]]) -> None:
    """Of each team in their order, with every value, but for the answer that is kept with an end."""
    history = History()
    for seq, (team, act) in enumerate(told, 1):
        history.note(0.5, team, seq, act)

    found = history.forget({"b"})

    assert found == {
        "b": [
            Acked(0.5, team, seq, replace(act, answer=None) if isinstance(act, Ending) else act)
            for seq, (team, act) in enumerate(told, 1)
            if team == "b"
        ]
    }
    assert [team for team, _ in told if team == "a"] == [each.team for each in history.forget({"a"}).get("a", [])]


def test_the_words_that_were_sent_are_what_is_kept() -> None:
    """Whoever has told the store an act has its words, which are not made again."""
    history, order = History(), HoldOrder("0" * 32, "a", 49, 1000)
    history.note(0.0, "a", 1, order, order_words(replace(order, meta="sent")))

    assert [Acked(0.0, "a", 1, replace(order, meta="sent"))] == history.forget({"a"})["a"]


def test_what_is_remembered_takes_little_more_than_its_text() -> None:
    """A busy process remembers a hundred thousand of them."""
    history, ending = History(), Ending("0" * 32, 49, "made", '{"outputs":1}', False, HoldContext(49), None, False, 1)
    tracemalloc.start()
    try:
        for seq in range(1000):
            history.note(0.0, "a", seq, ending)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held_bytes / 1000 < 500
