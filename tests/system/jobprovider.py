"""A provider of jobs in the native format, whose jobs end when they are told to."""

import asyncio
import gzip
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gatekeeper.dialects import native, registry
from gatekeeper.dialects.base import Traits

RUNNING: dict[str, Any] = {"status": "running"}
SUCCEEDED: dict[str, Any] = {
    "status": "succeeded",
    "outputs": [{"url": "http://pictures/1.png", "width": 1024, "height": 1024}],
}
FAILED: dict[str, Any] = {"status": "failed", "error": {"code": "nsfw"}}

TRIES = 2000
"""Twenty seconds, for a machine that is busy with everything else."""


@dataclass
class KnownJob:
    """What the provider says of a job, and how often it was asked."""

    answer: dict[str, Any] = field(default_factory=lambda: dict(RUNNING))
    polls: int = 0
    at_once: int = 0
    at_once_most: int = 0


class JobProvider:
    """Takes every generation as a job. `status`: answer questions with this error instead; `cut`: break answers off;
    `open` closed: questions wait."""

    def __init__(self) -> None:
        self.jobs: dict[str, KnownJob] = {}
        self.status = 200
        self.cut = False
        self.chunked = False
        self.packed = False
        self.forgets = False
        self.extra: dict[str, Any] = {}
        self.submits_open = asyncio.Event()
        self.submits_open.set()
        self.open = asyncio.Event()
        self.open.set()
        self.heard: list[str] = []
        app = web.Application()
        app.router.add_post("/native/v1/generations", self._submit)
        app.router.add_get("/native/v1/generations/{job}", self._poll)
        app.router.add_delete("/native/v1/generations/{job}", self._cancel)
        app.router.add_get("/native/v1/generations/{job}/content", self._content)
        self._server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    @property
    def job(self) -> KnownJob:
        """The last one that was submitted."""
        return list(self.jobs.values())[-1]

    @property
    def polls(self) -> int:
        return sum(job.polls for job in self.jobs.values())

    def end(self, answer: dict[str, Any]) -> None:
        """From now on this is what is said of the last job."""
        self.job.answer = answer

    async def start(self) -> None:
        await self._server.start_server()

    async def close(self) -> None:
        self.open.set()
        self.submits_open.set()
        await self._server.close()

    async def until_polled(self, times: int) -> None:
        """Waits (bounded) until jobs were asked about so often in all."""
        for _ in range(TRIES):
            if self.polls >= times:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"asked {self.polls} times, not {times}")

    async def until_submitted(self, jobs: int = 1) -> None:
        """Waits (bounded) until so many jobs were taken."""
        for _ in range(TRIES):
            if len(self.jobs) >= jobs:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.jobs)} jobs, not {jobs}")

    async def _submit(self, request: web.Request) -> web.Response:
        await request.read()
        job_id = f"job-{len(self.jobs) + 1}"
        self.jobs[job_id] = KnownJob()
        await self.submits_open.wait()
        answer = web.json_response({"id": job_id, "status": "queued", **self._links(job_id)}, status=202)
        if self.chunked:
            answer.enable_chunked_encoding()
        return self._pack(answer)

    def _pack(self, answer: web.Response) -> web.Response:
        """Packs it, whatever was asked for, if that is wanted."""
        if self.packed:
            assert isinstance(answer.body, bytes)
            answer.body = gzip.compress(answer.body, mtime=0)
            answer.headers["Content-Encoding"] = "gzip"
        return answer

    async def _poll(self, request: web.Request) -> web.StreamResponse:
        self.heard += [f"{name}: {value}" for name, value in request.headers.items()]
        job_id = request.match_info["job"]
        job = self.jobs.get(job_id)
        if job is None:
            return web.json_response({"code": "not_found"}, status=404)
        job.polls += 1
        job.at_once += 1
        job.at_once_most = max(job.at_once_most, job.at_once)
        await self.open.wait()
        job.at_once -= 1
        if self.status != 200:
            return web.json_response({"code": "trouble"}, status=self.status)
        body = json.dumps({"id": job_id, **job.answer, **self._links(job_id)}).encode()
        return await self._break_off(request, body) if self.cut else self._pack(_json(body))

    async def _content(self, _request: web.Request) -> web.Response:
        return web.Response(body=b"film", content_type="video/mp4")

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        job_id = request.match_info["job"]
        if self.forgets:
            del self.jobs[job_id]
            return web.Response(status=204)
        self.jobs[job_id].answer = {"status": "cancelled"}
        return web.json_response({"id": job_id, "status": "cancelled"})

    async def _break_off(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[:-2])
        assert request.transport is not None
        request.transport.close()
        return response

    def _links(self, job_id: str) -> dict[str, Any]:
        links = {"urls": {"get": f"{self.url}/native/v1/generations/{job_id}?key=hush", "web": "https://example.com/"}}
        return links | self.extra


def with_links(monkeypatch: pytest.MonkeyPatch, *links: str) -> None:
    """From now on answers in the native format have links at these places."""
    linked = SimpleNamespace(**vars(native) | {"TRAITS": Traits(title="linked", links=links)})
    monkeypatch.setitem(registry.DIALECTS, "native", linked)  # type: ignore[arg-type]


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
