"""What a request may ask to go wrong, and how rates strike."""

from collections import Counter

import pytest

from gatekeeper.sandbox.behaviour import Behaviour, BehaviourError, Misfortune, read_behaviour
from gatekeeper.sandbox.settings import SandboxSettings
from tests.cases import each_case

USUAL = Behaviour(latency_s=0.25)
DRAWN = Behaviour(latency_s=0.25, fail=503)


def read(header: str | None, body: bytes = b"{}") -> Behaviour:
    return read_behaviour(header, body, USUAL, DRAWN)


@each_case(
    ("text", "expected"),
    [
        ("none", USUAL),
        ("latency=1.5", Behaviour(latency_s=1.5)),
        ("fail=429", Behaviour(latency_s=0.25, fail=429)),
        ("partial=2", Behaviour(latency_s=0.25, partial=2)),
        ("empty", Behaviour(latency_s=0.25, empty=True)),
        ("error_event", Behaviour(latency_s=0.25, error_event=True)),
        ("slow_body=3", Behaviour(latency_s=0.25, slow_body_s=3)),
        ("cut", Behaviour(latency_s=0.25, cut=True)),
        ("cut_before", Behaviour(latency_s=0.25, cut_before=True)),
        ("hang", Behaviour(latency_s=0.25, hang=True)),
        ("job=2.5", Behaviour(latency_s=0.25, job_s=2.5)),
        ("job_wait", Behaviour(latency_s=0.25, job_wait=True)),
        ("job_fail", Behaviour(latency_s=0.25, job_fail=True)),
        ("job_moderated", Behaviour(latency_s=0.25, job_moderated=True)),
        ("job_expire", Behaviour(latency_s=0.25, job_expire=True)),
        ("job_vanish", Behaviour(latency_s=0.25, job_vanish=True)),
        ("no_webhook", Behaviour(latency_s=0.25, no_webhook=True)),
        (" partial = 1 , cut,, latency=0 ", Behaviour(partial=1, cut=True)),
    ],
)
def test_each_word_means_its_field(text: str, expected: Behaviour) -> None:
    """The header's words are added to what is usual."""
    assert expected == read(text)


def test_the_prompt_can_ask_as_well() -> None:
    """A directive is found anywhere in the body, whatever the dialect."""
    body = b'{"contents":[{"parts":[{"text":"a cat [sandbox: fail=500, latency=0]"}]}]}'

    assert Behaviour(fail=500) == read(None, body)


def test_the_header_wins_over_the_prompt() -> None:
    """Both count; where both say something about one word, the header is obeyed."""
    assert Behaviour(latency_s=0.25, fail=503, cut=True) == read("fail=503", b"[sandbox: fail=500, cut]")


def test_without_a_wish_the_draw_decides() -> None:
    """A request that asks for nothing meets what was drawn for it."""
    assert DRAWN == read(None)


@each_case(
    "text",
    ["fial=500", "fail", "fail=200", "fail=4000", "latency=-1", "latency=601", "latency=1e3", "partial=x", "cut=1"],
)
def test_what_is_not_in_the_table_is_refused(text: str) -> None:
    """A misspelt word or a value out of range is an error, never ignored."""
    with pytest.raises(BehaviourError):
        read(text)


def test_a_directive_without_an_end_is_refused() -> None:
    """Half a directive is a mistake of the test's author, not a prompt."""
    with pytest.raises(BehaviourError, match=r"has no \]"):
        read(None, b"[sandbox: fail=500" + b" " * 300 + b"]")


def test_rates_strike_as_often_as_they_say() -> None:
    """Over many draws each misfortune has its share, and no draw has two."""
    misfortune = Misfortune(SandboxSettings(fail_rate=0.2, fail_status=502, empty_rate=0.1, cut_rate=0.1))

    drawn = Counter(misfortune.draw() for _ in range(10_000))

    assert {Behaviour(), Behaviour(fail=502), Behaviour(empty=True), Behaviour(cut=True)} == set(drawn)
    assert pytest.approx(2_000, rel=0.1) == drawn[Behaviour(fail=502)]
    assert pytest.approx(1_000, rel=0.15) == drawn[Behaviour(empty=True)]
    assert pytest.approx(1_000, rel=0.15) == drawn[Behaviour(cut=True)]


def test_the_same_seed_draws_the_same_fates() -> None:
    """A run can be repeated."""
    settings = SandboxSettings(fail_rate=0.5, seed=7)
    first, second = Misfortune(settings), Misfortune(settings)

    assert [first.draw() for _ in range(50)] == [second.draw() for _ in range(50)]


@each_case(
    ("behaviour", "expected"),
    [
        (Behaviour(), 4),
        (Behaviour(partial=1), 1),
        (Behaviour(partial=9), 4),
        (Behaviour(partial=0), 0),
        (Behaviour(empty=True, partial=3), 0),
    ],
)
def test_never_more_images_than_asked_for(behaviour: Behaviour, expected: int) -> None:
    """`partial` and `empty` take images away; nothing adds any."""
    assert expected == behaviour.made(4)
