"""What is remembered, and that it is bounded."""

from gatekeeper.core.memo import Memo


def test_a_memo_is_bounded() -> None:
    """However many questions are asked, so many answers are kept."""
    memo = Memo[int, str](10)

    for number in range(1000):
        memo.put(number, str(number))

    assert len(memo) <= 10


def test_the_latest_answers_are_kept() -> None:
    """Half of what fits is the least that is remembered."""
    memo = Memo[int, str](10)
    for number in range(1000):
        memo.put(number, str(number))

    assert [str(number) for number in range(995, 1000)] == [memo.get(number) for number in range(995, 1000)]


def test_what_is_asked_for_again_and_again_stays() -> None:
    """New answers drive out those that nobody asks for."""
    memo = Memo[int, str](10)
    memo.put(-1, "often")

    found = {memo.put(number, "once") and memo.get(-1) for number in range(1000)}

    assert {"often"} == found


def test_what_was_never_put_in_is_not_there() -> None:
    """None, and the caller works it out."""
    assert Memo[int, str](10).get(1) is None
