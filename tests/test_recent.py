"""The last things that happened: bounded, numbered, and the same from several processes."""

import pickle
from dataclasses import replace

import pytest

from gatekeeper.core.rejection import Code, Rejection
from gatekeeper.events import GenerationFacts, GenerationRejected, JobFinished
from gatekeeper.recent import JOBS_MAX, REFUSALS_MAX, EndedJob, Gathered, Recent, Refusal

NO = Rejection(Code.TEAM_FROZEN, "This team is frozen.")


def refused(recent: Recent, request_id: str = "r") -> None:
    """A refusal with boring facts."""
    facts = GenerationFacts(request_id=request_id)
    recent.refused(lambda: GenerationRejected(facts=facts, code=NO.code, codes=NO.codes, status=NO.status), NO)


def ended(recent: Recent) -> None:
    """A job that ended."""
    facts = GenerationFacts(request_id="r")
    recent.ended(JobFinished(facts=facts, job="j", outcome="made", via="poll", age_s=1))


def test_everything_is_numbered_in_its_order() -> None:
    """Whoever has seen up to a number gets what came behind it."""
    recent = Recent()
    refused(recent)
    ended(recent)
    recent.asked("h")
    refused(recent)

    assert [1, 2, 3, 4] == [each.number for each in recent.seen_after(0)]
    assert [3, 4] == [each.number for each in recent.seen_after(2)]
    assert [] == recent.seen_after(4)


def test_what_is_kept_is_bounded() -> None:
    """The oldest go first; many refusals push out no job."""
    recent = Recent()
    ended(recent)
    for _ in range(REFUSALS_MAX + 5):
        refused(recent)

    seen = recent.seen_after(0)

    assert (REFUSALS_MAX, 1) == tuple(sum(isinstance(e, kind) for e in seen) for kind in (Refusal, EndedJob))
    for _ in range(JOBS_MAX + 5):
        ended(recent)
    assert JOBS_MAX == sum(isinstance(each, EndedJob) for each in recent.seen_after(0))


def test_it_travels_to_another_process() -> None:
    """As it is."""
    recent = Recent()
    refused(recent)
    ended(recent)
    recent.asked("h")

    seen = recent.seen_after(0)

    assert seen == pickle.loads(pickle.dumps(seen))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_several_tell_is_numbered_anew(order: tuple[int, int]) -> None:
    """By the time at which it happened, whoever told it first; no number comes twice."""
    one, other = Recent(), Recent()
    refused(one, "first")
    refused(other, "second")
    (first,), (second,) = one.seen_after(0), other.seen_after(0)
    told = [first, replace(second, at_ms=first.at_ms + 1)]
    gathered = Gathered()

    gathered.take([told[place] for place in order])
    refused(one, "third")
    gathered.take(one.seen_after(1))

    seen = gathered.seen_after(0)
    assert [1, 2, 3] == [each.number for each in seen]
    assert ["first", "second", "third"] == [each.event.facts.request_id for each in seen if isinstance(each, Refusal)]
    assert [3] == [each.number for each in gathered.seen_after(2)]


async def test_one_process_is_its_own_feed() -> None:
    """Whoever asks need not know in how many it runs."""
    recent = Recent()
    refused(recent)

    assert recent.seen_after(0) == list(await recent.after(0))
