"""Jobs in the format of fal's queue, for polls: submitted before, polled while they run, ended and settled after."""

import orjson

from benchmarks.bench import Bench
from benchmarks.client import Answer, ask
from benchmarks.load import Make
from benchmarks.servers import KEY, Gateway
from benchmarks.traffic import fal_polls, in_turn

JOBS = 20
"""Jobs that are polled in turn: as many as a small team has at a time."""
AUTHORIZATION = f"Key {KEY}"


class Jobs:
    """`async with Jobs(bench, gateway) as jobs: cell.make = jobs.polls()`; every job is settled when it ends."""

    def __init__(self, bench: Bench, gateway: Gateway, count: int = JOBS) -> None:
        self._bench, self._gateway, self._count = bench, gateway, count
        self._urls: list[str] = []

    async def __aenter__(self) -> "Jobs":
        body = orjson.dumps({"prompt": "a lighthouse"})
        for _ in range(self._count):
            answer = await self._ask("POST", f"{self._gateway.url}/fal/queue/bench/studio", body)
            self._urls.append(str(orjson.loads(answer.body)["response_url"]))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._bench.tell_mock("end")
        for url in self._urls:
            await self._ask("GET", f"{url}/status")
            await self._ask("GET", url)
        await self._bench.tell_mock("restart")

    def polls(self) -> Make:
        """How they stand, one after the other."""
        return in_turn([fal_polls(url) for url in self._urls])

    async def _ask(self, method: str, url: str, body: bytes = b"") -> Answer:
        headers = {"Authorization": AUTHORIZATION} | ({"Content_Type": "application/json"} if body else {})
        answer = await ask(method, url, body, **headers)
        if answer.status != 200:
            raise RuntimeError(f"{method} {url}: {answer.status} {answer.body[:500]!r}")
        return answer
