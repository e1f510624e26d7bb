"""The caller asks about its own job: where it stands, to stop it, or for what was made.

Like a generation it is the same bytes both ways with our credential, but for links, which lead through the gateway.
Nothing is held, and the ledger hears of it once: when an answer tells the end, which is booked before it leaves. A job
of another team, or one that nobody knows, is not asked for: nothing is forwarded.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from aiohttp.hdrs import HOST

from gatekeeper.core.credits import credits_text
from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Code, Rejected, refuse
from gatekeeper.dialects.answers import succeeded
from gatekeeper.dialects.base import Dialect, RouteKind
from gatekeeper.ledger.records import Answer
from gatekeeper.proxy.answering import carry, deliver_free, passage_of, refused_credential, with_own
from gatekeeper.proxy.body import body_of, small_body
from gatekeeper.proxy.client_side import send_whole
from gatekeeper.proxy.gate import Call, Gate, Provider
from gatekeeper.proxy.jobs.asking import UNASKABLE, ask
from gatekeeper.proxy.jobs.desk import QUESTION_BYTES_MAX, RUNNING_BYTES_MAX, Job, Question, Running, Said
from gatekeeper.proxy.jobs.rewriting import may_have, origin_of, rewrite
from gatekeeper.proxy.jobs.settling import cancelled, finish
from gatekeeper.proxy.mounts import mount_of
from gatekeeper.proxy.refusals import HTTP_UNAUTHORIZED, job_unkept, job_unreached, job_untold
from gatekeeper.proxy.sending import passing_query, upstream_request
from gatekeeper.proxy.shadow import may_go_unheld, pass_unheld, tell_shadow
from gatekeeper.proxy.unpacking import is_packed
from gatekeeper.upstream.failure import UpstreamError
from gatekeeper.upstream.headers import about_the_body, forwardable_response_lines
from gatekeeper.upstream.messages import UpstreamAnswer, UpstreamRequest
from gatekeeper.web.answers import CREDITS_CHARGED, CREDITS_HELD, HOLD_ID
from gatekeeper.web.outgoing import Sent

NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})


async def follow(gate: Gate, call: Call) -> web.StreamResponse:
    """Answers a poll, a cancel or a download. Raises `Rejected`, or the ledger's error where it had to be asked."""
    if call.dry_run:
        detail = "Gatekeeper-Dry-Run is for generations; a question about a job costs nothing. Leave it out."
        raise refuse(Code.MALFORMED_REQUEST, detail)
    small = small_body(gate, call)
    body = await body_of(gate, call) if small is None else small
    may_be_again = call.route.kind is RouteKind.POLL and call.route.job is not None and not body and call.shadow is None
    try:
        found = _asked_again(gate, call) if may_be_again else None
        provider, job, sent = found or await _look_at(gate, call, body)
    except Rejected as refused:
        if not may_go_unheld(call):
            raise
        return await pass_unheld(gate, call, body, refused.rejection)
    record, trace = job.record, call.trace
    facts, trace.hook = trace.facts, record.hook
    facts.provider, facts.hold_id, facts.model = provider.name, record.facts.hold_id, record.facts.model
    if call.route.kind is not RouteKind.POLL and not job.ended:
        await _learn_first(gate, provider, job)
    if found is None and may_be_again and sent.lines:
        question = Question(_words(call), sent.url, sent.lines)
        job.question = question if question.size_bytes <= QUESTION_BYTES_MAX and not job.ended else None
    if call.shadow is not None:
        tell_shadow(gate, call, None)
    with await provider.places.take():
        try:
            with gate.crowd.elsewhere:
                answer = await provider.upstream.send(sent)
        except UpstreamError as error:
            raise job_unreached(error, provider.name) from None
        try:
            unread = _pass_unread(gate, call, provider, job, answer)
            return await _answer(gate, call, provider, job, answer) if unread is None else unread
        finally:
            answer.abort()


async def _look_at(gate: Gate, call: Call, body: Sequence[bytes]) -> tuple[Provider, Job, UpstreamRequest]:
    """Which job the request is about, and what is sent for it."""
    query = passing_query(call)
    name = call.dialect.job_named(call.route, _parameters(query), body)
    provider, job = _known(gate, call, name) or await _find(gate, call, name)
    poll_url = job.record.link.poll_url
    address = None if poll_url is None else _address(call, provider, job, poll_url)
    return provider, job, upstream_request(call, provider, body, address, query)


def _asked_again(gate: Gate, call: Call) -> tuple[Provider, Job, UpstreamRequest] | None:
    """The same where its team asked it last about that job, word for word: nothing about it is looked at again."""
    known = _known(gate, call, call.dialect.job_named(call.route, NO_QUERY, ()))
    if known is None:
        return None
    provider, job = known
    question = job.question
    if question is None or question.words != _words(call):
        return None
    sent = UpstreamRequest(call.request.method, question.url, (), (), provider.timeouts, question.lines)
    return provider, job, sent


def _words(call: Call) -> int:
    """What stands for a question: it has the caller's key in it, which is not kept."""
    request = call.request
    return hash((request.method, request.raw_path, request.raw_headers))


async def _learn_first(gate: Gate, provider: Provider, job: Job) -> None:
    """What is there to be downloaded was made, and after a cancel, which may delete it, nobody could tell any more: so
    whoever comes for either without having polled the end does not get around it. Raises `Rejected` as long as the
    provider does not tell, or nobody can keep what it tells."""
    outcome = await ask(provider, job.record.link, gate.jobs.poll_timeout_s, request_id=job.record.facts.request_id)
    if isinstance(outcome, Made | Failed):
        ended = await finish(gate, job.record, outcome, "poll")
        if not ended.ended:
            raise job_unkept()
    elif isinstance(outcome, Unknown) and not outcome.gone and outcome is not UNASKABLE:
        raise job_untold(provider.name, outcome.reason)


def _known(gate: Gate, call: Call, name: str) -> tuple[Provider, Job] | None:
    """The job that the request names, if that can be told without a wait."""
    if not call.candidates:
        return None
    provider = call.candidates[0]
    job = gate.desk.known(call.caller.team.id, provider.name, name)
    return None if job is None else (provider, job)


async def _find(gate: Gate, call: Call, name: str) -> tuple[Provider, Job]:
    """The job that the request names, and whose it is."""
    for provider in call.candidates:
        job = await gate.desk.find(call.caller.team.id, provider.name, name)
        if job is not None:
            return provider, job
    raise refuse(Code.JOB_NOT_FOUND, "No such job of this team; jobs are known for some days after their end.")


def _parameters(query: str) -> dict[str, str]:
    """The parameters, each once: of two the provider might take the one that was not looked at here."""
    if "&" not in query and "%" not in query and "+" not in query:
        name, _, value = query.partition("=")
        return {name: value} if query else {}
    pairs = parse_qsl(query, keep_blank_values=True)
    found = dict(pairs)
    if len(found) < len(pairs):
        raise refuse(Code.MALFORMED_REQUEST, "A query parameter was sent twice; send each once.")
    return found


def _address(call: Call, provider: Provider, job: Job, url: str) -> str | None:
    """The address that the provider named for this very question, such as one in a region; None: the usual one."""
    if call.route.kind is not RouteKind.POLL:
        return None
    if job.named is None:
        job.named = _named(call.dialect, provider, url)
    upstream_path, address = job.named
    return address if upstream_path == call.route.upstream_path else None


def _named(dialect: Dialect, provider: Provider, url: str) -> tuple[str, str]:
    """The upstream path of the route that an address stands for, and the address; of one that is none, nothing."""
    origin, path = origin_of(provider.bases, url), urlsplit(url).path
    route = dialect.find_route("GET", path) if origin is not None else None
    return ("", "") if route is None else (route.upstream_path, f"{origin}{path}")


def _is_own_address(call: Call, job: Job) -> bool:
    """Whether the question went where the gateway would ask: a job's id may stand behind more paths than its own."""
    question, job_id = call.dialect.ask(job.record.link), job.record.link.job_id
    if question is None or job_id not in question.route.upstream_path:
        return True
    asked = call.route.upstream_path.partition(job_id)[0]
    return asked == question.route.upstream_path.partition(job_id)[0]


async def _answer(gate: Gate, call: Call, provider: Provider, job: Job, answer: UpstreamAnswer) -> web.StreamResponse:
    if answer.status == HTTP_UNAUTHORIZED:
        raise refused_credential(call, provider)
    if call.route.kind is RouteKind.DOWNLOAD:
        return await deliver_free(gate, call, answer, provider.credential.hidden, _job_lines(job))

    async def land(outcome: Outcome, _kept: Answer | None) -> None:
        if isinstance(outcome, Failed) and not _is_own_address(call, job):
            # Whoever asks in the wrong place is told of an error; how the job ended its own address says.
            return
        if isinstance(outcome, Made | Failed):
            await finish(gate, job.record, outcome, "poll")
        elif isinstance(outcome, Pending) and call.route.kind is RouteKind.POLL and not outcome.ended:
            _still_runs(gate, call, job)
            _remember(gate, call, provider, job, answer)
        elif call.route.kind is RouteKind.CANCEL and succeeded(answer.status):
            await cancelled(gate, job)
            gate.desk.on_job(job)

    return await carry(passage_of(gate, call, provider, answer, land, lambda: _job_lines(job)))


def _pass_unread(gate: Gate, call: Call, provider: Provider, job: Job, answer: UpstreamAnswer) -> Sent | None:
    """Passes on an answer that says of a running job what the last one said: nothing about it is read again. None: it
    has to be read."""
    last = job.running
    if last is None or job.ended or last.said != _said(call, answer):
        return None
    has_links = bool(call.dialect.TRAITS.links)
    lines = forwardable_response_lines(answer.raw_headers, provider.credential.hidden, changed=has_links)
    sent = send_whole(call, answer.status, with_own(lines, call, last.lines), last.shown)
    if sent is not None:
        _still_runs(gate, call, job)
    return sent


def _remember(gate: Gate, call: Call, provider: Provider, job: Job, answer: UpstreamAnswer) -> None:
    """So that it is known again, if it is small and could be read as it came: what is packed may have links in it."""
    body, links = answer.whole(), call.dialect.TRAITS.links
    if body is None or len(body) > RUNNING_BYTES_MAX or job.record.hook is not None or is_packed(answer):
        return
    said = _said(call, answer)
    if sum(len(name) + len(value) for name, value in said[3]) + len(said[4] or "") > RUNNING_BYTES_MAX:
        return
    shown = rewrite(body, links, mount_of(gate, call.request, provider).through) if may_have(body, links) else body
    job.running = Running(said, shown, _job_lines(job))


def _said(call: Call, answer: UpstreamAnswer) -> Said:
    """The body says how the job stands, and some headers how that is to be read: no other ever turns one that runs into
    one that does not. Links in it lead to where its caller has found us."""
    host = call.request.headers.get(HOST) if call.dialect.TRAITS.links else None
    return call.route, answer.status, answer.whole(), about_the_body(answer.raw_headers), host


def _still_runs(gate: Gate, call: Call, job: Job) -> None:
    """Whoever gets such an answer will ask again; we need not as long as that goes on. Of one that is over nobody need
    ask for the result, which alone is booked."""
    job.asked_at_s = call.trace.started_s
    gate.recent.asked(job.record.hold_id)


def _job_lines(job: Job) -> list[bytes]:
    """Under which hold it runs, and what it cost once that is known here, as lines of a head."""
    lines = [f"{HOLD_ID}: {job.record.hold_id}".encode(), f"{CREDITS_HELD}: {credits_text(job.record.held)}".encode()]
    if job.charged is not None:
        lines.append(f"{CREDITS_CHARGED}: {credits_text(job.charged)}".encode())
    return lines
