"""Large requests, four at once: what 50 MB of JSON, and 50 MB of a form, add to a process's memory at the most.

The stand-in holds its answers until all bodies have arrived, so that all of them are on their way at once. aio reads
bodies whole, as one does in an afternoon; JSON is what the gateway has to look into before it may send anything.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from benchmarks.bench import Bench
from benchmarks.client import message
from benchmarks.load import Burst, ClosedLoop
from benchmarks.results import Row, Section
from benchmarks.rounds import expect
from benchmarks.servers import KEY, MODEL
from benchmarks.traffic import Generations, prompts

SIZE: Final = 50_000_000
AT_ONCE: Final = 4
REACH: Final = 1.2
END_S: Final = 120.0
LOOK_S: Final = 0.05
BOUNDARY: Final = "----b0undary0f0ne0f0ur0wn"
ROUND_S: Final = 15.0
"""About what a round takes, for the budget."""

Prompt = Callable[[], str]


async def run(bench: Bench) -> list[Section]:
    """The table: extra peak memory as a multiple of the bytes on their way."""
    found: dict[str, list[float]] = {}
    for done in range(bench.sizes.bodies_rounds):
        if not bench.budget.allows(ROUND_S, f"round {done + 1} of large bodies"):
            break
        bench.say(f"bodies of {SIZE // 10**6} MB, round {done + 1} of {bench.sizes.bodies_rounds}")
        for name, (process, kind) in CASES.items():
            found.setdefault(name, []).append(await _measure(bench, process, kind))
    if not found:
        return []
    rows = []
    for name, values in found.items():
        base = next(each for each, case in CASES.items() if case == ("aio", CASES[name][1]))
        note = f"to reach: {REACH} of the bytes themselves" if name == JSON else ""
        rows.append(Row.of(name, values, (base, found[base]), note=note))
    title = f"Bodies of {SIZE // 10**6} MB, {AT_ONCE} at once: extra peak memory"
    return [Section("bodies", title, "bytes for each byte on its way", tuple(rows))]


JSON: Final = "gateway, JSON"
CASES: Final = {
    "aio, JSON": ("aio", "json"),
    JSON: ("gateway", "json"),
    "aio, form": ("aio", "form"),
    "gateway, form": ("gateway", "form"),
}


def json_request(url: str, prompt: str) -> bytes:
    """A generation with a field of 50 MB, which the dialect does not know and lets by."""
    head = f'{{"model":"{MODEL}","prompt":"{prompt}","size":"1024x1024","n":1,"image":"'.encode()
    body = b"".join((head, b"QUJD" * ((SIZE - len(head) - 2) // 4), b'"}'))
    return message(
        "POST", f"{url}/images/generations", body, Authorization=f"Bearer {KEY}", Content_Type="application/json"
    )


def form_request(url: str, prompt: str) -> bytes:
    """An edit with a picture of 50 MB."""
    fields = {"model": MODEL, "prompt": prompt, "size": "1024x1024", "n": "1"}
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    picture = 'Content-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    head = f"{''.join(parts)}--{BOUNDARY}\r\n{picture}".encode()
    body = b"".join((head, bytes(SIZE - len(head)), f"\r\n--{BOUNDARY}--\r\n".encode()))
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return message("POST", f"{url}/images/edits", body, Authorization=f"Bearer {KEY}", Content_Type=kind)


async def _measure(bench: Bench, name: str, kind: str) -> float:
    """In a new process: warm it, send all bodies, wait until they have arrived, release."""
    if name == "aio":
        process, who = await bench.aio(), "aio"
        warm, hold = (f"{process.url}/aio/{manner}/v1" for manner in ("plain", "hold"))
    else:
        gateway = await bench.gateway()
        process, who = gateway.process, "gate"
        warm, hold = (f"{gateway.url}/{provider}/v1" for provider in ("openai", "slow"))
    make = json_request if kind == "json" else form_request
    async with ClosedLoop(process.url, Generations(warm).maker(), AT_ONCE) as loop:
        expect(f"warm-up of {who}", await loop.run(0.2), 200)
    process.reset_peak()
    before, prompt, received = process.rss_bytes(), prompts(2), await _received(bench, who)
    async with Burst(process.url) as burst:
        await burst.ask(AT_ONCE, lambda: make(hold, next(prompt)))
        await _arrived(bench, who, received + AT_ONCE * SIZE)
        await bench.tell_mock("release")
        expect(f"bodies through {who}", await burst.answered(END_S), 200)
    extra = process.peak_rss_bytes() - before
    bench.lab.stop(process)
    return extra / (AT_ONCE * SIZE)


async def _received(bench: Bench, who: str) -> int:
    return (await bench.tallies())[who]["body_bytes"]


async def _arrived(bench: Bench, who: str, wanted: int) -> None:
    """Wait until the stand-in has all of these bytes, but for what frames them."""
    until = time.monotonic() + END_S
    while await _received(bench, who) < wanted - 1000 * AT_ONCE:
        if time.monotonic() > until:
            raise TimeoutError(f"the bodies did not arrive through {who} within {END_S:.0f} s")
        await asyncio.sleep(LOOK_S)
