"""The sandbox as an application: mounts the dialects, and for each request notes it, misbehaves or answers.

GET /                  what this is, in plain text
GET /files/{name}              a picture or a film by its URL
GET /sandbox/ledger            what was seen and made; DELETE forgets it
POST /sandbox/jobs/end         ends the jobs that have not ended
POST /sandbox/webhooks/again   sends every event to a webhook once more
GET /fal/.well-known/jwks.json the key of its webhooks after fal's manner
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from aiohttp import web

from gatekeeper.sandbox.behaviour import HEADER, Behaviour, BehaviourError, Misfortune, read_behaviour
from gatekeeper.sandbox.call import Answer, Call, Dialect, ProviderError, Route, json_answer
from gatekeeper.sandbox.delivery import deliver, hang, hang_up
from gatekeeper.sandbox.dialects import DIALECTS
from gatekeeper.sandbox.hooks import Hooks
from gatekeeper.sandbox.jobs import JobStore
from gatekeeper.sandbox.record import OTHER, Record, Sighting
from gatekeeper.sandbox.settings import BODY_BYTES_MAX, SandboxSettings
from gatekeeper.sandbox.studio import Studio

SERVER_NAME = "gatekeeper-sandbox"

HASH_INLINE_BYTES_MAX = 1024 * 1024
"""A larger body is hashed in a thread: at a gigabyte a second it would hold up everyone else for milliseconds."""

SHUTDOWN_S = 0.5
"""How long closing waits for answers under way. Short: some of them hang on purpose."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ABOUT = """\
gatekeeper sandbox

A stand-in for image and video providers, for demos, tests and benchmarks.

What it is: an HTTP server that speaks the wire formats below and answers with real images of exactly the pixels
asked for, on which it writes the prompt, and with real MP4 files of exactly the pixels and the length asked for. It
fails, stalls and cuts connections when it is asked to. Its jobs take a moment, and it calls webhooks back, signed.

What it is not: a model. It does not draw what the prompt describes, checks no credential, charges nothing, and
accepts any model name. Token counts and other usage figures in its answers are made up. Its films are a few still
pictures (Motion JPEG) without sound, whatever was asked.

Wire formats: {dialects}
Each is mounted under its own name: {example}
Misbehaviour: header Sandbox-Behaviour, or [sandbox: ...] in the prompt; for example fail=500, partial=1, cut, hang.
Jobs: job=SECONDS, job_wait (until POST /sandbox/jobs/end), job_fail, job_moderated, job_expire, job_vanish, no_webhook.
Webhooks: signed by Standard Webhooks with a secret from its settings, by fal's manner with the key that
/fal/.well-known/jwks.json shows, by BFL's with the request's own; POST /sandbox/webhooks/again sends all once more.
What it has seen: GET /sandbox/ledger (DELETE forgets).
"""


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that listens. `url` has no slash at its end."""

    url: str
    runner: web.AppRunner

    async def close(self) -> None:
        """Stop listening and drop what is under way after `SHUTDOWN_S`."""
        await self.runner.cleanup()


async def start_sandbox(settings: SandboxSettings, host: str = "127.0.0.1", port: int = 0) -> RunningSandbox:
    """Start a sandbox in this event loop; port 0 picks a free one.

    Raises:
        OSError: the address cannot be bound.
    """
    # Bodies stay as they were sent: the record's digests are there to be compared with the sender's own bytes.
    runner = web.AppRunner(make_sandbox(settings), access_log=None, shutdown_timeout=SHUTDOWN_S, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    shown_host = f"[{host}]" if ":" in host else host
    return RunningSandbox(url=f"http://{shown_host}:{runner.addresses[0][1]}", runner=runner)


def make_sandbox(settings: SandboxSettings, now_s: Callable[[], float] = time.time) -> web.Application:
    """The application. `now_s` dates the answers; nothing else depends on it."""
    sandbox = _Sandbox(settings, now_s)
    application = web.Application(client_max_size=BODY_BYTES_MAX)
    application.on_response_prepare.append(_sign)
    router = application.router
    router.add_get("/", sandbox.about)
    router.add_get("/files/{name}", sandbox.file)
    router.add_get("/sandbox/ledger", sandbox.report)
    router.add_delete("/sandbox/ledger", sandbox.reset)
    router.add_post("/sandbox/jobs/end", sandbox.end_jobs)
    router.add_post("/sandbox/webhooks/again", sandbox.send_again)
    router.add_get("/fal/.well-known/jwks.json", sandbox.jwks)
    application.on_cleanup.append(sandbox.close)
    for dialect in DIALECTS:
        mounts = (f"/{dialect.name}", "") if dialect.at_root else (f"/{dialect.name}",)
        for mount, prefix, each in product(mounts, dialect.prefixes, dialect.routes):
            route = replace(each, path=prefix + each.path)
            router.add_route(route.method, mount + route.path, sandbox.handler(dialect, route))
    router.add_route("*", "/{path:.*}", sandbox.handler(DIALECTS[0], Route("*", OTHER, _unknown, generates=False)))
    return application


async def _unknown(_call: Call) -> Answer:
    raise ProviderError(404, "No dialect of the sandbox has such a route.", code="unknown_url")


async def _sign(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER_NAME


class _Sandbox:
    """What the requests share, and the handlers."""

    def __init__(self, settings: SandboxSettings, now_s: Callable[[], float]) -> None:
        self._settings = settings
        self._now_s = now_s
        self._record = Record(settings.recent_requests)
        self._studio = Studio(cache_bytes=settings.cache_bytes, files=settings.files)
        self._misfortune = Misfortune(settings)
        self._jobs = JobStore(jobs=settings.jobs, job_s=settings.job_s, record=self._record, now_s=now_s)
        self._hooks = Hooks(settings.webhook_secret, self._record)

    async def close(self, _application: web.Application) -> None:
        await self._jobs.close()
        await self._hooks.close()

    def handler(self, dialect: Dialect, route: Route) -> Handler:
        """The aiohttp handler of one route of one dialect."""

        async def handle(request: web.Request) -> web.StreamResponse:
            sighting = self._arrive(request, f"{route.method} {route.path}")
            try:
                body = await request.read()
                await _note_body(sighting, body)
                behaviour = self._behaviour(request, body, route)
            except ConnectionError:
                return hang_up(request)
            except web.HTTPRequestEntityTooLarge:
                error = ProviderError(413, f"The body is over {BODY_BYTES_MAX} bytes.", code="too_large")
                return await _send(request, sighting, dialect.say_error(error), Behaviour())
            except BehaviourError as bad:
                error = ProviderError(400, f"{HEADER}: {bad}.", code="bad_behaviour")
                return await _send(request, sighting, dialect.say_error(error), Behaviour())
            await asyncio.sleep(behaviour.latency_s)
            if behaviour.hang:
                await hang(request)
            if behaviour.hang or behaviour.cut_before:
                return hang_up(request)
            answer = await _answer(dialect, route, self._call(request, body, behaviour))
            return await _send(request, sighting, answer, behaviour)

        return handle

    async def about(self, _request: web.Request) -> web.Response:
        names = [dialect.name for dialect in DIALECTS]
        example = ", ".join(f"/{each.name}{each.prefixes[0]}{each.routes[0].path}" for each in DIALECTS)
        return web.Response(text=ABOUT.format(dialects=", ".join(names), example=example))

    async def file(self, request: web.Request) -> web.Response:
        sighting = self._arrive(request, "GET /files/{name}")
        spec = self._studio.file(request.match_info["name"])
        sighting.status = 404 if spec is None else 200
        if spec is None:
            text = f"No such file. The sandbox remembers the last {self._settings.files} files only.\n"
            return web.Response(status=404, text=text)
        self._record.file_served()
        return web.Response(body=await self._studio.encoded(spec), content_type=spec.content_type)

    async def end_jobs(self, _request: web.Request) -> web.Response:
        return _json({"ended": self._jobs.end_all()})

    async def send_again(self, _request: web.Request) -> web.Response:
        return _json({"sent": await self._hooks.again()})

    async def jwks(self, _request: web.Request) -> web.Response:
        return _json(self._hooks.jwks())

    async def report(self, _request: web.Request) -> web.Response:
        return _json(self._record.report())

    async def reset(self, _request: web.Request) -> web.Response:
        self._record.reset()
        return web.Response(status=204)

    def _arrive(self, request: web.Request, route: str) -> Sighting:
        headers = (
            (name.decode("utf-8", "replace"), value.decode("utf-8", "replace")) for name, value in request.raw_headers
        )
        return self._record.arrive(request.method, request.raw_path, route, headers)

    def _behaviour(self, request: web.Request, body: bytes, route: Route) -> Behaviour:
        usual = self._misfortune.usual if route.generates else Behaviour()
        drawn = self._misfortune.draw() if route.generates else Behaviour()
        return read_behaviour(request.headers.get(HEADER), body, usual, drawn)

    def _call(self, request: web.Request, body: bytes, behaviour: Behaviour) -> Call:
        return Call(
            headers=request.headers,
            query=request.query,
            path_values=request.match_info,
            body=body,
            base_url=(self._settings.public_url or f"{request.scheme}://{request.host}").rstrip("/"),
            behaviour=behaviour,
            studio=self._studio,
            record=self._record,
            now_s=self._now_s,
            jobs=self._jobs,
            hooks=self._hooks,
        )


def _json(value: Any) -> web.Response:
    return web.Response(body=json_answer(value).body, content_type="application/json")


async def _answer(dialect: Dialect, route: Route, call: Call) -> Answer:
    if (status := call.behaviour.fail) is not None:
        return dialect.say_error(ProviderError(status, "The sandbox was asked to fail.", code="sandbox_failure"))
    try:
        return await route.handle(call)
    except ProviderError as error:
        return dialect.say_error(error)


async def _send(request: web.Request, sighting: Sighting, answer: Answer, behaviour: Behaviour) -> web.StreamResponse:
    sighting.status = answer.status
    numbered = {**answer.headers, "x-request-id": f"sandbox-{sighting.number}"}
    return await deliver(request, replace(answer, headers=numbered), behaviour)


async def _note_body(sighting: Sighting, body: bytes) -> None:
    sighting.body_bytes = len(body)
    digest = hashlib.sha256
    small = len(body) <= HASH_INLINE_BYTES_MAX
    sighting.body_sha256 = (digest(body) if small else await asyncio.to_thread(digest, body)).hexdigest()
