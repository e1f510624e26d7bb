"""Requests that differ from one to the next (prompt, size, quality, outputs), so that no cache is flattered."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from benchmarks.load import Make
from benchmarks.servers import KEY, MODEL

SIZES: Final = ("1024x1024", "1536x1024", "1024x1536", "auto")
WRONG_SIZES: Final = ("1000x1024", "1792x1024", "2048x2048", "512x512", "1024x1792", "1000x1000", "4096x4096")
QUALITIES: Final = ("low", "medium", "high", "auto")
WORDS: Final = (
    "lighthouse", "storm", "harbour", "oil", "canvas", "fog", "neon", "rain", "cathedral", "kite", "glacier", "tram",
    "lantern", "market", "owl", "desert", "bridge", "orchard", "violin", "copper", "moss", "comet", "ferry", "mirror",
    "dune", "piano", "meadow", "river", "balcony", "rooftop", "thunder",
)  # fmt: skip
AGENT: Final = "OpenAI/Python 2.8.1"
FAL_AGENT: Final = "fal-client/1.0.3 (python)"


def prompts(seed: int = 1) -> Iterator[str]:
    """No two alike, of 8 to 40 words."""
    words = random.Random(seed)
    for number in itertools.count():
        yield f"{' '.join(words.choices(WORDS, k=words.randint(8, 40)))}, number {number}"


@dataclass(eq=False)
class Generations:
    """`make()` gives the next request to make pictures, whole. `once`: each with an idempotency key of its own."""

    url: str
    key: str = KEY
    path: str = "/images/generations"
    sizes: Sequence[str] = SIZES
    once: bool = False
    seed: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)

    def maker(self) -> Make:
        """A function that makes the next one each time."""
        found = urlsplit(self.url + self.path)
        head = (
            f"POST {found.path} HTTP/1.1\r\nHost: {found.netloc}\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Type: application/json\r\nAccept: application/json\r\nUser-Agent: {AGENT}\r\n"
            "Accept-Encoding: gzip, deflate\r\nX-Stainless-Lang: python\r\nX-Stainless-Retry-Count: 0\r\n"
        ) + "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        prompt, sizes = prompts(self.seed), self.sizes
        run, numbers = f"{random.SystemRandom().getrandbits(64):016x}", itertools.count()

        def make() -> bytes:
            number = next(numbers)
            body = (
                f'{{"model":"{MODEL}","prompt":"{next(prompt)}","size":"{sizes[number % len(sizes)]}",'
                f'"quality":"{QUALITIES[number // 4 % 4]}","n":{number // 16 % 3 + 1}}}'
            )
            once = f"Idempotency-Key: {run}-{number}\r\n" if self.once else ""
            return f"{head}{once}Content-Length: {len(body)}\r\n\r\n{body}".encode()

        return make


def gets(url: str, key: str = KEY, scheme: str = "Bearer", agent: str = AGENT) -> Make:
    """The same question again and again, in the headers that httpx sends, which most SDKs are built on."""
    found = urlsplit(url)
    request = (
        f"GET {found.path}{'?' if found.query else ''}{found.query} HTTP/1.1\r\nHost: {found.netloc}\r\n"
        "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
        f"Authorization: {scheme} {key}\r\nUser-Agent: {agent}\r\n\r\n"
    ).encode()
    return lambda: request


def fal_gets(url: str) -> Make:
    """A question about a job as fal's client asks it (fal_client 1.0.3)."""
    return gets(url, scheme="Key", agent=FAL_AGENT)


def fal_polls(url: str) -> Make:
    """How the job at this address stands: its client always says whether it wants the logs."""
    return fal_gets(f"{url}/status?logs=false")


def in_turn(makers: Sequence[Make]) -> Make:
    """From each of them one, round and round."""
    turns = itertools.cycle(makers)

    def make() -> bytes:
        return next(turns)()

    return make
