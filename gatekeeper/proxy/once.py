"""What names a request that may come twice: the caller's `Idempotency-Key`, or an SDK's own word that it tries again.

The name and the fingerprint of what was asked go to the ledger with the hold, which knows in the same step whether
there was an earlier one. Nothing is looked up here, and a request without either header costs nothing.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from aiohttp import web
from multidict import istr

from gatekeeper.core.rejection import Code, refuse
from gatekeeper.dialects.contenttype import JSON
from gatekeeper.dialects.multipart import read_boundary
from gatekeeper.ledger import bounds
from gatekeeper.proxy.gate import Call, Gate, Provider
from gatekeeper.proxy.keeping import looked_through
from gatekeeper.proxy.sending import passing_query

IDEMPOTENCY_KEY: Final = istr("Idempotency-Key")

RETRY_COUNT: Final = istr("x-stainless-retry-count")
"""How often an SDK of the OpenAI family has sent this request before. Nothing else in its retries names them."""

KNOWN_MS: Final = bounds.ONCE_WITHIN_MAX_MS
"""How long an `Idempotency-Key` is known: 24 hours, as long as the ledger remembers every name."""

BEGINNINGS_REMEMBERED: Final = 1024
BEGINNING_CHARS_MAX: Final = 512
"""Of what is hashed before a body: keys, names and addresses, the same again and again; longer ones are a caller's."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_COUNT = re.compile(r"[0-9]{1,4}")
_NAME_BYTES = 16
_FINGERPRINT_BYTES = 12


@dataclass(slots=True)
class Once:
    """A request's name and fingerprint. `within_ms` is how old an earlier hold of that name may be that is answered in
    place of a new one (0: it is only remembered), `answer_ttl_ms` how long a small answer is kept (0: not at all).
    Without a fingerprint the name says all that was asked. Not to be changed; a frozen one takes longer to make."""

    name: str = ""
    fingerprint: str = ""
    within_ms: int = 0
    answer_ttl_ms: int = 0


UNNAMED: Final = Once()
"""A request that is new whenever it comes."""


def may_be_named(call: Call) -> bool:
    """Whether a header of its names it, or an SDK says how often it tried; most requests say neither."""
    headers = call.request.headers
    return IDEMPOTENCY_KEY in headers or RETRY_COUNT in headers


async def name_request(gate: Gate, call: Call, provider: Provider, body: Sequence[bytes]) -> Once:
    """How the ledger shall know this request. Raises `Rejected` (malformed_request) for a key that is none."""
    request, key = call.request, None
    if IDEMPOTENCY_KEY in request.headers:
        with call.past:
            key = key_of(request)
    count = _read_count(call) if key is None else None
    if key is None and count is None:
        return UNNAMED
    route = call.route
    asked = (provider.name, request.method, f"{route.base}{route.upstream_path}", passing_query(call))
    content_type = request.headers.get("Content-Type", "")
    if key is not None:
        return named("i", key, await looked_through(body, fingerprint, asked, content_type, body), KNOWN_MS)
    window_ms, facts = int(gate.retry_guard_window_s * 1000), call.trace.facts
    words = (call.caller.record.key_id, facts.project or "", facts.member or "", *asked)
    digest = await looked_through(body, _digest_of, _NAME_BYTES, words, content_type, body)
    return Once(f"r{digest.hex()}", "", window_ms if count else 0, window_ms)


def named(kind: str, name: str, print_: str, answer_ttl_ms: int = 0) -> Once:
    """A request that is known for a day by a name of this kind, a letter: names of two kinds are never the same."""
    digest = blake2b(_joined(name), digest_size=_NAME_BYTES).digest()
    return Once(f"{kind}{_text(digest)}", print_, KNOWN_MS, answer_ttl_ms)


def fingerprint(words: Sequence[str], content_type: str, body: Sequence[bytes]) -> str:
    """96 bits of what was asked, 16 characters. A form counts without its boundary: an SDK that tries again draws a
    new one."""
    return _text(_digest_of(_FINGERPRINT_BYTES, words, content_type, body))


def _digest_of(size_bytes: int, words: Sequence[str], content_type: str, body: Sequence[bytes]) -> bytes:
    boundary = None if content_type == JSON else read_boundary(content_type)
    begin = _begun if sum(map(len, words)) <= BEGINNING_CHARS_MAX else _begun.__wrapped__
    hashed = begin(size_bytes, *words, "bytes" if boundary is None else "form").copy()
    for piece in body if boundary is None else _stretches(boundary, body):
        hashed.update(piece)
    return hashed.digest()


@lru_cache(BEGINNINGS_REMEMBERED)
def _begun(size_bytes: int, *words: str) -> blake2b:
    """Not to be fed: its copies are."""
    return blake2b(_joined(*words), digest_size=size_bytes)


def _stretches(boundary: bytes, body: Sequence[bytes]) -> Sequence[bytes]:
    """The digest of each stretch between two boundaries, so that what stands in one can never pass for a boundary."""
    needle, digests, stretch, rest = b"--" + boundary, list[bytes](), blake2b(), b""
    beginning = len(needle) - 1
    for piece in body:
        *ended, rest = (rest + piece).split(needle)
        for end in ended:
            stretch.update(end)
            digests.append(stretch.digest())
            stretch = blake2b()
        # The last bytes may be the beginning of a boundary that the next piece ends.
        stretch.update(rest[:-beginning])
        rest = rest[-beginning:]
    stretch.update(rest)
    return (*digests, stretch.digest())


def key_of(request: web.BaseRequest) -> str | None:
    """The caller's `Idempotency-Key`. Raises `Rejected` (malformed_request) for one that is none."""
    values = request.headers.getall(IDEMPOTENCY_KEY, ())
    if not values:
        return None
    if len(values) > 1 or not _KEY.fullmatch(values[0]):
        detail = f"{IDEMPOTENCY_KEY} takes 1 to 255 visible ASCII characters without spaces, once."
        raise refuse(Code.MALFORMED_REQUEST, detail)
    return values[0]


def _read_count(call: Call) -> int | None:
    """How often this was tried before; None where nobody says, or the team does without the guard."""
    headers = call.request.headers
    if RETRY_COUNT not in headers or not call.caller.team.retry_guard:
        return None
    values = headers.getall(RETRY_COUNT)
    return int(values[0]) if len(values) == 1 and _COUNT.fullmatch(values[0]) else 0


def _joined(*words: str) -> bytes:
    """No word contains the separator: none can be cut in two places."""
    return "".join(f"{word}\0" for word in words).encode("utf-8", "surrogateescape")


def _text(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
