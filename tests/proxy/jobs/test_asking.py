"""A question of our own about a job: to the right address, with our credential, and read as the dialect reads it."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any, Self

import pytest

from gatekeeper.core.outcome import Made, Outcome, Pending, Unknown
from gatekeeper.dialects.base import Ask, JobLink, Route, RouteKind
from gatekeeper.logs import configure_logs
from gatekeeper.proxy.crowd import Places, open_places
from gatekeeper.proxy.jobs.asking import UNASKABLE, ask
from gatekeeper.upstream.credential import Credential, with_credential
from gatekeeper.upstream.failure import NeverSent, OutcomeUnknown, Reason
from gatekeeper.upstream.messages import Timeouts, UpstreamRequest
from tests.cases import each_case

STATUS = Route("status", RouteKind.POLL, "/jobs/1/status", base="queue")
RESULT = Route("result", RouteKind.POLL, "/jobs/1", base="queue")
LINK = JobLink("1", "/jobs")


@dataclass
class Said:
    """An answer of the provider; `cut`: it breaks off."""

    status: int = 200
    body: bytes = b"{}"
    cut: bool = False
    raw_headers: tuple[tuple[bytes, bytes], ...] = ((b"Content-Type", b"application/json"), (b"X-Units", b"7"))

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body
        if self.cut:
            raise OutcomeUnknown(Reason.CUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@dataclass
class Asked:
    """A provider whose dialect takes a body for an outcome, and that remembers what it was asked."""

    outcomes: dict[bytes, Outcome]
    answers: list[Any]
    question: Any = None
    heard: list[UpstreamRequest] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    places: Places = field(default_factory=open_places)

    @property
    def provider(self) -> Any:
        dialect = SimpleNamespace(ask=self.question or self._ask, outcome_reader=self._reader)
        return SimpleNamespace(
            name="example",
            dialect=dialect,
            bases={"": "https://api.example.com/v1", "queue": "https://queue.example.com"},
            with_credential=partial(with_credential, Credential("bearer", secret="s3cret"), now_s=0),
            timeouts=Timeouts(),
            upstream=SimpleNamespace(send=self._send),
            places=self.places,
        )

    def _ask(self, link: JobLink) -> Ask:
        return Ask("GET", RESULT if link.ended else STATUS, query="logs=0")

    async def _send(self, request: UpstreamRequest) -> Any:
        self.heard.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _reader(self, _route: Route, _status: int, _content_type: str, headers: dict[str, str]) -> Any:
        self.headers, body = headers, list[bytes]()

        def finish(*, complete: bool) -> Outcome:
            return self.outcomes[b"".join(body)] if complete else Unknown("cut")

        return SimpleNamespace(feed=body.append, finish=finish)


async def test_it_is_asked_at_its_base_with_our_credential() -> None:
    """The path is the dialect's, the address that of its base; the reader sees the answer's headers."""
    asked = Asked({b"{}": Pending("1")}, [Said()])

    outcome = await ask(asked.provider, LINK, 5)

    (request,) = asked.heard
    assert (Pending("1"), "GET", "https://queue.example.com/jobs/1/status?logs=0") == (
        outcome, request.method, request.url
    )  # fmt: skip
    assert ("Authorization", "Bearer s3cret") in request.headers
    assert "7" == asked.headers["x-units"]


async def test_an_end_without_a_result_is_asked_for_its_result() -> None:
    """The first answer says that it is over, the second what was made."""
    asked = Asked({b"over": Pending("1", ended=True), b"film": Made(1)}, [Said(body=b"over"), Said(body=b"film")])

    outcome = await ask(asked.provider, LINK, 5)

    assert (Made(1), "https://queue.example.com/jobs/1?logs=0") == (outcome, asked.heard[-1].url)


async def test_a_result_that_is_not_told_is_no_end() -> None:
    """It is asked for once in a breath, and is told another time."""
    asked = Asked({b"over": Pending("1", ended=True)}, [Said(body=b"over"), Said(body=b"over")])

    assert Pending("1", ended=True) == await ask(asked.provider, LINK, 5)


@each_case(
    ("url", "expected"),
    [
        ("https://eu.example.com/v1/get?id=1", "https://eu.example.com/v1/get?id=1"),
        ("https://evil.example.org/v1/get?id=1", "https://queue.example.com/jobs/1/status"),
        ("http://eu.example.com/v1/get?id=1", "https://queue.example.com/jobs/1/status"),
        (None, "https://queue.example.com/jobs/1/status"),
    ],
)
async def test_our_credential_goes_to_the_providers_own_address_alone(url: str | None, expected: str) -> None:
    """The address that the submission named is asked where it is the provider's; else the usual one."""
    asked = Asked({b"{}": Pending("1")}, [Said()], question=lambda _link: Ask("GET", STATUS, absolute=True))

    await ask(asked.provider, JobLink("1", "/jobs", url), 5)

    assert expected == asked.heard[0].url


async def test_a_question_may_have_a_body() -> None:
    """Some providers are asked by POST."""
    question = Ask("POST", STATUS, body=b'{"id":1}', content_type="application/json")
    asked = Asked({b"{}": Pending("1")}, [Said()], question=lambda _link: question)

    await ask(asked.provider, LINK, 5)

    assert ("POST", [b'{"id":1}']) == (asked.heard[0].method, asked.heard[0].body)
    assert ("Content-Type", "application/json") in asked.heard[0].headers


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (NeverSent(Reason.REFUSED), Unknown("refused")),
        (OutcomeUnknown(Reason.HEAD_TIMEOUT), Unknown("head_timeout")),
        (Said(cut=True), Unknown("cut")),
    ],
)
async def test_trouble_on_the_way_is_no_end(answer: Any, expected: Outcome) -> None:
    """Not reached, no answer, half an answer: nothing is known by that."""
    assert expected == await ask(Asked({}, [answer]).provider, LINK, 5)


async def test_a_refused_credential_is_told() -> None:
    """401 is no end, and whoever runs the gateway has to look."""
    log = io.BytesIO()
    configure_logs("info", "json", log)
    asked = Asked({b"{}": Unknown("401")}, [Said(status=401)])

    outcome = await ask(asked.provider, LINK, 5, request_id="r1")

    line = json.loads(log.getvalue())
    assert (Unknown("401"), "credential.refused", "example", "r1") == (
        outcome, line["event"], line["provider"], line["request_id"]
    )  # fmt: skip


async def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    """A question has its time."""
    asked = Asked({}, [])

    async def hangs(_request: UpstreamRequest) -> Any:
        await asyncio.Event().wait()

    provider = asked.provider
    provider.upstream.send = hangs

    assert Unknown("no answer in time") == await ask(provider, LINK, 0.01)


async def test_a_provider_that_is_full_is_not_asked() -> None:
    """Where every place at it is taken, what is under way comes first; the question is asked another time."""
    asked = Asked({}, [], places=Places("example is full.", places=0, waiting_max=0, wait_max_s=1))

    outcome = await ask(asked.provider, LINK, 5)

    assert isinstance(outcome, Unknown)
    assert [] == asked.heard


async def test_a_job_that_cannot_be_asked_about_is_not() -> None:
    """Some formats have no such question; only a webhook or a caller can tell."""
    asked = Asked({}, [], question=lambda _link: None)

    assert (UNASKABLE, []) == (await ask(asked.provider, LINK, 5), asked.heard)
