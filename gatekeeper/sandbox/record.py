"""What the sandbox has seen and made, for tests that must know what really reached the provider.

Proves that a body was forwarded byte for byte (its SHA-256) and that a team's key was not (one boolean). Keeps no
body, no prompt and no credential, only digests, names of headers and the values of a few that carry no secret.
Everything is bounded.
"""

import hashlib
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import unquote_plus

NAMES_MAX = 1_000
"""Different models, credentials or routes counted apart; later ones are counted together as `(other)`."""

OTHER = "(other)"

TEXT_CHARS_MAX = 200
"""Paths and header values are kept up to here: enough to recognise, too short to fill the memory."""

HEADERS_MAX = 100
"""Names kept of one request; aiohttp itself stops reading at a little more."""

DIGEST_CHARS = 12
"""Characters of a credential's SHA-256 that are kept: enough to tell two apart, useless to find either."""

HARMLESS_HEADERS = (
    "accept", "accept-encoding", "content-encoding", "content-length", "content-type",
    "expect", "host", "transfer-encoding", "user-agent",
)  # fmt: skip
"""Headers whose values are kept: none of them carries a secret, all of them matter to a proxy."""

CREDENTIAL_HEADERS = (
    "authorization", "x-goog-api-key", "x-key", "x-api-key", "api-key", "x-freepik-api-key",
)  # fmt: skip
"""Where the providers' SDKs put the credential."""

_TEAM_KEY = re.compile(r"(?<![A-Za-z0-9_])gk_")


@dataclass(slots=True)
class Sighting:
    """One request. `status` stays None when nothing was answered."""

    number: int
    method: str
    path: str
    route: str
    query_names: list[str]
    header_names: list[str]
    headers: dict[str, str]
    credential: str | None
    team_key_seen: bool
    body_bytes: int | None = None
    body_sha256: str | None = None
    status: int | None = None


@dataclass(slots=True)
class Sending:
    """One event to a webhook. The address is kept whole: tests must be able to say the same again, or forge it.

    `answers` has the status of each attempt, 0 where nobody answered.
    """

    job: str
    url: str
    body_sha256: str
    header_names: list[str]
    answers: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    files_served: int = 0
    generations: int = 0
    images: int = 0
    videos: int = 0
    jobs: int = 0
    webhooks: int = 0
    team_key_seen: int = 0
    routes: dict[str, int] = field(default_factory=dict)
    credentials: dict[str, int] = field(default_factory=dict)
    models: dict[str, dict[str, int]] = field(default_factory=dict)


class Record:
    """Counts since the start or the last reset, and the last requests in detail."""

    def __init__(self, recent_requests: int) -> None:
        self._recent: deque[Sighting] = deque(maxlen=recent_requests)
        self._webhooks: deque[Sending] = deque(maxlen=recent_requests)
        self._counts = _Counts()

    def arrive(self, method: str, raw_path: str, route: str, headers: Iterable[tuple[str, str]]) -> Sighting:
        """Note a request whose body has not been read yet. Returns the entry for the caller to complete."""
        counts, pairs = self._counts, list(headers)
        counts.requests += 1
        path, _, query = raw_path.partition("?")
        sighting = Sighting(
            number=counts.requests,
            method=method,
            path=path[:TEXT_CHARS_MAX],
            route=route,
            query_names=[part.partition("=")[0][:TEXT_CHARS_MAX] for part in query.split("&") if part][:HEADERS_MAX],
            header_names=[name[:TEXT_CHARS_MAX] for name, _ in pairs[:HEADERS_MAX]],
            headers={n.lower(): v[:TEXT_CHARS_MAX] for n, v in pairs if n.lower() in HARMLESS_HEADERS},
            credential=_credential({name.lower(): value for name, value in pairs}),
            team_key_seen=_carries_team_key([unquote_plus(raw_path), *(value for _, value in pairs)]),
        )
        counts.team_key_seen += sighting.team_key_seen
        _count(counts.routes, route)
        _count(counts.credentials, sighting.credential or "(none)")
        self._recent.append(sighting)
        return sighting

    def generated(self, model: str, images: int, *, videos: int = 0) -> None:
        """Note one generation of so many images or videos. Called when they are made, whether or not they arrive."""
        row = self._model_row(model)
        row["generations"] += 1
        self._counts.generations += 1
        row["images"] += images
        self._counts.images += images
        if videos:
            row["videos"] = row.get("videos", 0) + videos
            self._counts.videos += videos

    def job_submitted(self) -> None:
        """Note a job. What it makes is noted at its end."""
        self._counts.jobs += 1

    def webhook_sent(self, sending: Sending) -> None:
        """Note an event that goes to a webhook. Its attempts add to the entry."""
        self._counts.webhooks += 1
        self._webhooks.append(sending)

    def file_served(self) -> None:
        """Note that a picture was fetched by its URL."""
        self._counts.files_served += 1

    def reset(self) -> None:
        """Forget everything."""
        self._recent.clear()
        self._webhooks.clear()
        self._counts = _Counts()

    def report(self) -> dict[str, Any]:
        """All of it as plain values for JSON."""
        return {
            **asdict(self._counts),
            "recent": [asdict(sighting) for sighting in self._recent],
            "webhooks_recent": [asdict(sending) for sending in self._webhooks],
        }

    def _model_row(self, model: str) -> dict[str, int]:
        name = _bounded(model[:TEXT_CHARS_MAX], self._counts.models)
        return self._counts.models.setdefault(name, {"generations": 0, "images": 0})


def credential_digest(credential: str) -> str:
    """How a credential appears in the record: the first characters of its SHA-256."""
    return hashlib.sha256(credential.encode("utf-8", "surrogateescape")).hexdigest()[:DIGEST_CHARS]


def _credential(headers: Mapping[str, str]) -> str | None:
    value = next((headers[name] for name in CREDENTIAL_HEADERS if name in headers), None)
    # `Bearer`, `Key` and `Token` are schemes; the credential is what follows.
    return None if value is None else credential_digest(value.strip().rpartition(" ")[2])


def _carries_team_key(values: Iterable[str]) -> bool:
    return any(_TEAM_KEY.search(value) for value in values)


def _count(counts: dict[str, int], name: str) -> None:
    name = _bounded(name, counts)
    counts[name] = counts.get(name, 0) + 1


def _bounded(name: str, known: Mapping[str, object]) -> str:
    return name if name in known or len(known) < NAMES_MAX else OTHER
