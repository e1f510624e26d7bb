"""A question of the gateway's own about a job: the dialect says how, the provider answers, the dialect reads it.

Whatever goes wrong on the way is an answer that tells nothing (`Unknown`), and no end of the job.
"""

import asyncio
from dataclasses import replace

from gatekeeper.core.outcome import Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejected
from gatekeeper.dialects.base import Ask, JobLink
from gatekeeper.events import CredentialRefused
from gatekeeper.logs import emit
from gatekeeper.proxy.gate import Provider
from gatekeeper.proxy.jobs.rewriting import origin_of
from gatekeeper.proxy.refusals import HTTP_UNAUTHORIZED
from gatekeeper.proxy.unpacking import reading
from gatekeeper.upstream.failure import UpstreamError
from gatekeeper.upstream.messages import Headers, Timeouts, UpstreamAnswer, UpstreamRequest

UNASKABLE = Unknown("the dialect cannot ask about this job")


async def ask(provider: Provider, link: JobLink, timeout_s: float, *, request_id: str = "") -> Outcome:
    """Where the job stands. A job that is over, whose result tells how, is asked for that in the same breath.
    `request_id` is that of its submission, for log lines."""
    outcome = await _ask_once(provider, link, timeout_s, request_id)
    if isinstance(outcome, Pending) and outcome.ended and not link.ended:
        return await _ask_once(provider, replace(link, ended=True), timeout_s, request_id)
    return outcome


async def _ask_once(provider: Provider, link: JobLink, timeout_s: float, request_id: str) -> Outcome:
    question = provider.dialect.ask(link)
    if question is None:
        return UNASKABLE
    request = _request(provider, link, question, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            with await provider.places.take(of_crowd=False):
                async with await provider.upstream.send(request) as answer:
                    return await _read(provider, question, answer, request_id)
    except TimeoutError:
        return Unknown("no answer in time")
    except Rejected:
        return Unknown("as many requests as it takes at once")
    except UpstreamError as error:
        return Unknown(error.reason)


async def _read(provider: Provider, question: Ask, answer: UpstreamAnswer, request_id: str) -> Outcome:
    """The outcome, read while the answer passes: it may have a whole film in it."""
    if answer.status == HTTP_UNAUTHORIZED:
        emit(CredentialRefused(request_id=request_id, provider=provider.name, upstream_status=answer.status))
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.raw_headers}
    said = named.get("content-type", "")
    reader = reading(answer, provider.dialect.outcome_reader(question.route, answer.status, said, named))
    complete = True
    try:
        async for piece in answer.chunks():
            reader.feed(piece)
    except UpstreamError:
        complete = False
    return reader.finish(complete=complete)


def _request(provider: Provider, link: JobLink, question: Ask, timeout_s: float) -> UpstreamRequest:
    url = f"{provider.bases[question.route.base]}{question.route.upstream_path}"
    query = question.query
    if question.absolute and link.poll_url is not None and origin_of(provider.bases, link.poll_url) is not None:
        url, _, query = link.poll_url.partition("#")[0].partition("?")
    headers: Headers = (("Accept", "application/json"), ("Accept-Encoding", "identity"))
    if question.content_type:
        headers = (*headers, ("Content-Type", question.content_type))
    headers, query = provider.with_credential(headers, query)
    body = [question.body] if question.body else []
    limits = Timeouts(min(provider.timeouts.connect_s, timeout_s), timeout_s, timeout_s, timeout_s)
    return UpstreamRequest(question.method, f"{url}?{query}" if query else url, headers, body, limits)
