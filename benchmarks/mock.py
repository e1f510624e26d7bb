"""A stand-in provider that costs little and counts what it made: raw asyncio with httptools, one process, one thread.

A path is `/<who>/<manner>/<rest>`: `who` is whose traffic it is (counted apart), `manner` how it answers:

    plain        at once                     delay-<ms>     after so long
    hold         when /_/release is asked    large-<bytes>  at once, with a base64 picture of that size
    fal          jobs in the format of fal's queue, which run until /_/end is asked

A rest that ends in /images/generations or /images/edits makes pictures (`n` of the body, 1 for bodies too large to
read); every other one is answered with as many bytes and makes nothing. `/_/counts` tells what was made.
"""

import argparse
import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import httptools
import orjson
import uvloop

from benchmarks.lab import LISTENING

RUNNING: Final = 202
"""What fal answers to the poll of a job that is not over."""
READ_MAX: Final = 1 << 16
"""Bodies beyond this many bytes are counted, not kept."""
MAKES: Final = ("/images/generations", "/images/edits")
BACKLOG: Final = 16_384


def response(body: bytes, status: str = "200 OK") -> bytes:
    """A whole answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Request-Id: req_0123456789abcdef\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@cache
def pictures(count: int, size: int) -> bytes:
    """An answer with so many outputs: addresses, or base64 of that size in all."""
    url = {"url": "https://cdn.example.com/i/0123456789abcdef.png"}
    data = [{"b64_json": "QUJD" * (size // 4 // count)} if size else url] * count
    usage = {"total_tokens": 100, "input_tokens": 50, "output_tokens": 50}
    body = {"created": 1_763_800_000, "data": data, "usage": usage, "output_format": "png"}
    return response(orjson.dumps(body))


NOTHING: Final = response(orjson.dumps({"object": "list", "data": [{"id": "x" * 64, "object": "thing"}] * 2}))


@dataclass(slots=True)
class Tally:
    """What one `who` asked and got."""

    requests: int = 0
    generations: int = 0
    outputs: int = 0
    polls: int = 0
    waiting: int = 0
    waiting_most: int = 0
    body_bytes: int = 0


@dataclass(eq=False, slots=True)
class Provider:
    """What all connections share."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    held: deque[Callable[[], None]] = field(default_factory=deque)
    jobs: Counter[str] = field(default_factory=Counter)
    fetched: set[str] = field(default_factory=set)
    ended: bool = False
    address: str = ""

    def of(self, who: str) -> Tally:
        """The tally of one caller."""
        return self.tallies.setdefault(who, Tally())

    def control(self, name: str) -> bytes:
        """What the benchmark asks of it."""
        match name:
            case "release":
                while self.held:
                    self.held.popleft()()
            case "end":
                self.ended = True
            case "restart":
                self.ended = False
        return response(orjson.dumps(self.tallies))


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    __slots__ = ("_body", "_method", "_parser", "_path", "_provider", "_size", "_transport")

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._parser = httptools.HttpRequestParser(self)
        self._path, self._size, self._body = "", 0, list[bytes]()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        self._path, self._size = "", 0
        self._body.clear()

    def on_url(self, url: bytes) -> None:
        self._path += url.decode("latin-1")

    def on_body(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= READ_MAX:
            self._body.append(piece)

    def on_message_complete(self) -> None:
        _, who, manner, rest = f"{self._path}///".split("/", 3)
        if who == "_":
            return self._write(self._provider.control(manner))
        rest = "/" + rest.partition("?")[0].rstrip("/")
        tally = self._provider.of(who)
        tally.requests += 1
        tally.body_bytes += self._size
        if manner == "fal":
            return self._write(self._queue(tally, who, rest))
        if not rest.endswith(MAKES):
            return self._write(NOTHING)
        return self._make(tally, manner)

    def _write(self, answer: bytes) -> None:
        self._transport.write(answer)

    def _make(self, tally: Tally, manner: str) -> None:
        count = self._outputs()
        name, _, number = manner.partition("-")
        answer = pictures(count, int(number) if name == "large" else 0)
        match name:
            case "hold":
                tally.waiting += 1
                tally.waiting_most = max(tally.waiting_most, tally.waiting)
                self._provider.held.append(lambda: self._finish(tally, count, answer))
            case "delay":
                asyncio.get_running_loop().call_later(int(number) / 1000, self._finish, tally, count, answer)
                tally.waiting += 1
            case _:
                tally.waiting += 1
                self._finish(tally, count, answer)

    def _finish(self, tally: Tally, count: int, answer: bytes) -> None:
        """Made, if there is still somebody to have it."""
        tally.waiting -= 1
        if self._transport.is_closing():
            return
        tally.generations += 1
        tally.outputs += count
        self._write(answer)

    def _outputs(self) -> int:
        if self._size > READ_MAX or not self._body or not self._body[0].startswith(b"{"):
            return 1
        return int(orjson.loads(b"".join(self._body)).get("n", 1))

    def _queue(self, tally: Tally, who: str, rest: str) -> bytes:
        """fal's queue: a submission, a status, a result."""
        provider = self._provider
        app, _, job = rest.partition("/requests/")
        if not job:
            number = sum(provider.jobs.values())
            provider.jobs[who] += 1
            return response(self._told(who, app, f"job-{number}", "IN_QUEUE", queue_position=0))
        if job.endswith("/status"):
            tally.polls += 1
            job = job.removesuffix("/status")
            if provider.ended:
                return response(self._told(who, app, job, "COMPLETED", logs=None, metrics={"inference_time": 1.5}))
            return response(self._told(who, app, job, "IN_PROGRESS", logs=None, metrics={}), f"{RUNNING} Accepted")
        if job not in provider.fetched:  # however often its result is fetched, it was made once
            provider.fetched.add(job)
            tally.generations += 1
            tally.outputs += 1
        picture = {"url": "https://cdn.example.com/i/1.png", "width": 1024, "height": 1024}
        return response(orjson.dumps({"images": [picture], "seed": 1}))

    def _told(self, who: str, app: str, job: str, status: str, **more: object) -> bytes:
        """How a job stands, with the three addresses that fal names every time."""
        about = f"{self._provider.address}/{who}/fal{app}/requests/{job}"
        links = {"response_url": about, "status_url": f"{about}/status", "cancel_url": f"{about}/cancel"}
        return orjson.dumps({"status": status, "request_id": job, **links, **more})


async def serve(port: int) -> None:
    """Until it is ended."""
    provider = Provider()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(provider), "127.0.0.1", port, backlog=BACKLOG)
    found = server.sockets[0].getsockname()[1]
    provider.address = f"http://127.0.0.1:{found}"
    print(f"{LISTENING}{found}", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    """`python -m benchmarks.mock [--port N]`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mock", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
