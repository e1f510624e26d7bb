"""A job's record goes into the store as a text and comes back as it was."""

from dataclasses import replace
from fractions import Fraction

import pytest

from gatekeeper.core.outcome import Cost
from gatekeeper.core.request import Operation, ValidRequest
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.base import JobLink
from gatekeeper.events import GenerationFacts
from gatekeeper.ledger import bounds
from gatekeeper.ledger.records import HoldContext
from gatekeeper.ledger.resolution import FRAME_BYTES_MAX, Act, Resolution, to_payload
from gatekeeper.proxy.jobs.attaching import WAITING_ANSWER_BYTES_MAX
from gatekeeper.proxy.jobs.record import RECORD_BYTES_MAX, Hook, JobRecord, read_record, record_text
from gatekeeper.proxy.webhooks.addresses import URL_CHARS_MAX
from gatekeeper.proxy.webhooks.take import SECRET_CHARS_MAX
from tests.cases import each_case


def a_record(**changes: object) -> JobRecord:
    """A video job with everything that a record can say."""
    valid = ValidRequest(
        model="veo-3.1",
        operation=Operation.VIDEO_GENERATE,
        resolution="1080P",
        resolutions_possible=("720P", "1080P"),
        aspect_ratio="16:9",
        size=Pixels(1920, 1080),
        duration_s=Fraction(15, 2),
        durations_possible=(Fraction(4), Fraction(8)),
        audio=True,
        scale=Fraction(2),
        input_pixels=Pixels(10, 20),
        defaulted=frozenset({"outputs", "size"}),
    )
    facts = GenerationFacts(request_id="r1", team="t", hold_id="h1", model="veo-3.1", duration_s=7.5, audio=True)
    context = HoldContext(amount=7, project="p", key_id="k", price_list="l", windows="1:2:3:4")
    values: dict[str, object] = {
        "provider": "fal",
        "link": JobLink("job-1", "/fal-ai/veo", "https://queue.fal.run/fal-ai/veo/requests/job-1"),
        "valid": valid,
        "price_list": "l",
        "held": 7,
        "facts": facts,
        "context": context,
        "submitted_at_ms": 1_763_800_000_000,
        "deadline_s": 3600,
        "hook": Hook("https://client.example/hook", "s"),
        "cost": Cost(Fraction(3, 100), "usd"),
    }
    return JobRecord(**(values | changes))  # type: ignore[arg-type]


BARE = ValidRequest(model="m", operation=Operation.IMAGE_EDIT)


@pytest.mark.parametrize("record", [a_record(), a_record(hook=None, cost=None, valid=BARE)])
def test_a_record_comes_back_as_it_was(record: JobRecord) -> None:
    """Nothing is lost or changed on the way into the store and back."""
    assert record == read_record(record_text(record))


def test_records_share_what_most_of_them_say() -> None:
    """Thousands of open jobs have one text for a model among them."""
    first, second = (read_record(record_text(a_record())) for _ in range(2))

    assert first.facts.model is second.facts.model
    assert first.provider is second.provider


def test_a_record_is_small() -> None:
    """Also with everything in it a record is far below what the store keeps."""
    assert len(record_text(a_record())) < RECORD_BYTES_MAX / 2


@pytest.mark.parametrize(("url_length", "kept"), [(1024, True), (20_000, False)])
def test_a_record_always_fits(url_length: int, kept: bool) -> None:
    """With the longest names it has room for the longest call-back; what has no room is left out, never the job."""
    record = a_record(hook=Hook("h" * url_length))
    facts = replace(record.facts, project="p" * 128, member="m" * 128, request_id="r" * 24, hold_id="h" * 32)
    context = replace(record.context, project="p" * 128, member="m" * 128, key_id="k" * 128)

    text = record_text(replace(record, facts=facts, context=context))

    assert len(text.encode()) <= RECORD_BYTES_MAX
    assert (facts, kept) == (read_record(text).facts, read_record(text).hook is not None)


def a_long_record() -> JobRecord:
    """Every name, address and id as long as it may be, in characters that take the most room."""
    name, url = "\U0001f3a8" * bounds.NAME_CHARS_MAX, "https://a.example/" + '"' * (URL_CHARS_MAX - 18)
    facts = GenerationFacts(
        request_id="r" * 32, team="t" * 64, hold_id="0" * 32, project=name, member=name, key_id=name
    )
    context = HoldContext(amount=7, project=name, member=name, key_id=name, windows="1:2:3:4")
    link = JobLink("j" * 300, "/v1beta1/" + "p" * 500, url)
    return a_record(facts=facts, context=context, link=link, hook=Hook(url, '"' * SECRET_CHARS_MAX))


def test_the_longest_record_fits() -> None:
    """The provider has the job already: store and outbox have room for whatever is known of it."""
    text = record_text(a_long_record())
    waiting = Resolution(act=Act.JOB, team="t" * 64, hold_id="0" * 32, job=text, names=("n" * 300,),
                         project="\U0001f3a8" * 128, answer="\u00e4" * (WAITING_ANSWER_BYTES_MAX // 2))  # fmt: skip

    bounds.check_job_text(text)
    assert 4096 < len(text.encode()) <= RECORD_BYTES_MAX == bounds.JOB_BYTES_MAX
    assert len(to_payload(waiting)) < FRAME_BYTES_MAX


@each_case("text", ["", "{}", "[]", "null", '{"provider": 1}', record_text(a_record())[:-1]])
def test_other_texts_are_refused(text: str) -> None:
    """What is no record raises one error, whatever it is."""
    with pytest.raises(ValueError, match="no record of a job"):
        read_record(text)
