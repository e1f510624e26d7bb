"""Who is calling: the gatekeeper key, wherever the provider's SDK puts its own, and the team behind it.

Keys are compared by their SHA-256 only; the key itself is kept no longer than the request, to keep it from going
upstream. Key and team records are remembered for at most a second, so a revoked key or a frozen team stops within
that time on every worker (money itself is always checked in the ledger's own step). Older ones are only gone by while
the store is away, to be told how work ended that it was asked for before.

A key that was never seen to be good is looked up only so often from one network; one that was is always looked up.
"""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Final, Generic, TypeVar

from aiohttp import web

from gatekeeper.clock import Clock
from gatekeeper.core.rejection import Code, Rejected, refuse
from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.teamrecord import KeyRecord, TeamRecord
from gatekeeper.web.knocking import Knocks
from gatekeeper.web.senders import Senders

Value = TypeVar("Value")
Entry = TypeVar("Entry")

KEY_PATTERN = re.compile(rb"gk_[A-Za-z0-9_-]{1,128}")
"""What a gatekeeper key looks like; anything else in those headers is not for us."""

_key_in: Final = re.compile(rb"\s*(?:\S+\s+)?(%b)\s*" % KEY_PATTERN.pattern).fullmatch
"""The key stands alone or behind one scheme word; a longer text that contains one is not a key."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
"""A project, member, key or grant: an id or an e-mail address. The same in a header and in a teams file."""

PHASES = ("iteration", "final", "fix")
"""The phases of a project's work that spend is sorted by."""

KEY_HEADERS = frozenset(
    b"authorization x-goog-api-key x-key x-api-key api-key x-freepik-api-key x-magnific-api-key".split()
)
"""Every header in which a provider's SDK carries its key; further ones come with providers of one's own."""

REMEMBER_S = 1.0
"""How long a record may be out of date."""

NAMES_MAX: Final = 2048
"""Spellings of headers' names remembered: all callers together use some hundred."""

NAME_BYTES_MAX: Final = 64
"""A longer name is looked at each time, so that what is remembered stays small."""

REMEMBERED_MAX = 10_000
"""Records remembered at once, and as many names that are not there."""

TOO_MANY_UNKNOWN: Final = (
    "Too many keys came from your network that are not known here. This one was not looked up: no key is for a moment, "
    "but those that were good before. Send it again."
)


@dataclass(slots=True)
class Caller:
    """The key's record and its team's; `key` is what the caller sent, to be stripped from all that goes upstream.

    `over` says why nothing may be begun with the key any more: how something ended may yet be told with it. It does
    not change; there is one for each request, and to make a frozen one costs more.
    """

    key: bytes = field(repr=False)
    record: KeyRecord
    team: TeamRecord
    over: Rejected | None = None


_Pair = tuple[float, KeyRecord, TeamRecord]
"""A key's record and its team's, and till when they may be gone by."""


class Authenticator:
    """Finds the caller of a request. `static_keys` are the demo's: known by their hash, in no store."""

    def __init__(
        self,
        find_key_record: Callable[[str], Awaitable[KeyRecord | None]],
        find_team: Callable[[str], Awaitable[TeamRecord | None]],
        clock: Clock,
        static_keys: Iterable[KeyRecord] = (),
        key_headers: frozenset[bytes] = KEY_HEADERS,
        senders: Senders | None = None,
    ) -> None:
        self._knocks, self._senders = Knocks(clock), senders or Senders()
        self._key_names = KeyNames(key_headers)
        self._clock = clock
        self._static = {record.sha256: record for record in static_keys}
        self._keys = _Remembered(find_key_record, clock)
        self._teams = _Remembered(find_team, clock)
        self._pairs: dict[str, _Pair] = {}

    def caller(
        self,
        raw_headers: Iterable[tuple[bytes, bytes]],
        *,
        to_end: bool = False,
        sender: web.BaseRequest | None = None,
    ) -> "Caller | Coroutine[None, None, Caller]":
        """The caller: at once where both records are remembered, which is nearly always, else to be waited for.

        Raises `Rejected` (unauthenticated, key_expired, rate_limited), or the ledger's error when it is away. `to_end`:
        one who may only tell how something ended; then older records will do, and a key that is `over`. `sender` is
        asked where it came from if its key is not known; None is nobody whose tries are counted.
        """
        key = find_key(raw_headers, self._key_names)
        sha256 = _sha256_of(key)
        now_s = self._clock.monotonic_s()
        pair = self._pairs.get(sha256)
        if pair is None or pair[0] <= now_s or not hmac.compare_digest(pair[1].sha256, sha256):
            pair = self._pair_of(sha256, now_s)
            if pair is None:
                return self._look_up(key, sha256, sender, to_end=to_end)
        _, record, team = pair
        if record.revoked or record.expires_at_ms is not None:
            return Caller(key, record, team, self._over(record, to_end=to_end))
        return Caller(key, record, team)

    def _pair_of(self, sha256: str, now_s: float) -> _Pair | None:
        """Both records in one, where both are remembered, for as long as both are."""
        static = self._static.get(sha256)
        known = self._keys.fresh(sha256, now_s) if static is None else (inf, static)
        if known is None or not hmac.compare_digest(known[1].sha256, sha256):
            return None
        team = self._teams.fresh(known[1].team, now_s)
        if team is None:
            return None
        pair = min(known[0], team[0]), known[1], team[1]
        _remember(self._pairs, sha256, pair)
        return pair

    async def _look_up(self, key: bytes, sha256: str, sender: web.BaseRequest | None, *, to_end: bool) -> Caller:
        record = self._static.get(sha256)
        if record is None:
            is_known = sender is None or self._keys.has_known(sha256)
            address = None if is_known or sender is None else self._senders.address_of(sender)
            record = await self._record(sha256, address, to_end=to_end)
        if record is None or not hmac.compare_digest(record.sha256, sha256):
            raise _unknown()
        over = self._over(record, to_end=to_end)
        team = await self._teams.get(record.team, or_older=to_end)
        if team is None:
            raise refuse(Code.UNAUTHENTICATED, "The team of this gatekeeper key does not exist any more.")
        return Caller(key, record, team, over)

    async def _record(self, sha256: str, address: str | None, *, to_end: bool) -> KeyRecord | None:
        """The key's record. From an `address`, it may be a guess, and there are only so many of those.

        Counted is what has failed and not what is being looked up: after a start, or behind a balancer, all good keys
        come for the first time from one address. How many that are at once is bounded as all requests are.
        """
        if address is None:
            return await self._keys.get(sha256, or_older=to_end)
        wait_s = self._knocks.wait_s(address)
        if wait_s:
            raise refuse(Code.RATE_LIMITED, TOO_MANY_UNKNOWN, retry_after_s=wait_s)
        record = await self._keys.get(sha256, or_older=to_end)
        if record is None:
            self._knocks.take(address)
        return record

    def _over(self, record: KeyRecord, *, to_end: bool) -> Rejected | None:
        """Why the key may begin nothing any more. Raises it, but for one who tells of an end."""
        if not record.revoked and record.expires_at_ms is None:
            return None
        over = self._end_of(record)
        if over is not None and not to_end:
            raise over
        return over

    def _end_of(self, record: KeyRecord) -> Rejected | None:
        if record.revoked:
            return _unknown()
        if record.expires_at_ms is not None and record.expires_at_ms <= self._clock.now().timestamp() * 1000:
            return refuse(Code.KEY_EXPIRED, f"The key {record.key_id} has expired; ask your team's lead for a new one.")
        return None


def _unknown() -> Rejected:
    return refuse(Code.UNAUTHENTICATED, "This gatekeeper key is not known here, or was revoked.")


class _Remembered(Generic[Value]):
    """A look-up whose answers are remembered for `REMEMBER_S`, at most `REMEMBERED_MAX` of them.

    Requests that ask for the same name at once share one look-up. "Not there" is remembered apart from what is there,
    so that guessed keys push no real one out.
    """

    def __init__(self, look_up: Callable[[str], Awaitable[Value | None]], clock: Clock) -> None:
        self._look_up = look_up
        self._clock = clock
        self._known: dict[str, tuple[float, Value]] = {}
        self._unknown: dict[str, tuple[float, None]] = {}
        self._asking: dict[str, asyncio.Task[Value | None]] = {}

    def has_known(self, name: str) -> bool:
        """Whether it was there when it was looked up last, however long ago that is."""
        return name in self._known

    def fresh(self, name: str, now_s: float) -> tuple[float, Value] | None:
        """What is remembered of it and not out of date, and till when; None says only that one has to `get` it."""
        remembered = self._known.get(name)
        return remembered if remembered is not None and remembered[0] > now_s else None

    async def get(self, name: str, *, or_older: bool = False) -> Value | None:
        now_s = self._clock.monotonic_s()
        for remembered in (self._known.get(name), self._unknown.get(name)):
            if remembered is not None and remembered[0] > now_s:
                return remembered[1]
        asking = self._asking.get(name)
        if asking is None:
            asking = self._asking[name] = asyncio.get_running_loop().create_task(self._ask(name))
            # Whoever asked may be gone when it fails; the next one asks anew and hears of it.
            asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            return await asyncio.shield(asking)
        except LedgerUnavailable:
            older = self._known.get(name)
            if not or_older or older is None:
                raise
            return older[1]

    async def _ask(self, name: str) -> Value | None:
        until_s = self._clock.monotonic_s() + REMEMBER_S  # from before the look-up: what it reads may be that old
        try:
            value = await self._look_up(name)
        finally:
            del self._asking[name]
        if value is None:
            self._known.pop(name, None)
            _remember(self._unknown, name, (until_s, None))
        else:
            self._unknown.pop(name, None)
            _remember(self._known, name, (until_s, value))
        return value


def _remember(entries: dict[str, Entry], name: str, entry: Entry) -> None:
    """The newest last; the oldest goes when there are too many."""
    entries.pop(name, None)
    if len(entries) >= REMEMBERED_MAX:
        del entries[next(iter(entries))]
    entries[name] = entry


class KeyNames(dict[bytes, bool]):
    """Whether a key is looked for in a header of this name, decided once for each spelling that is met."""

    def __init__(self, key_headers: frozenset[bytes]) -> None:
        super().__init__()
        self._key_headers = key_headers

    def __missing__(self, name: bytes) -> bool:
        found = name.lower() in self._key_headers
        if len(name) <= NAME_BYTES_MAX:
            if len(self) >= NAMES_MAX:
                self.clear()
            self[name] = found
        return found


_USUAL: Final = KeyNames(KEY_HEADERS)


def find_key(raw_headers: Iterable[tuple[bytes, bytes]], key_names: KeyNames = _USUAL) -> bytes:
    """The one gatekeeper key of a request. Raises `Rejected` (unauthenticated) for none, or for two that differ."""
    found: bytes | None = None
    for name, value in raw_headers:
        if key_names[name]:
            met = _key_in(value)
            if met is None:
                continue
            if found is not None and found != met[1]:
                raise refuse(Code.UNAUTHENTICATED, "The request carries two different gatekeeper keys; send one.")
            found = met[1]
    if found is None:
        raise refuse(
            Code.UNAUTHENTICATED,
            "Send your gatekeeper key where the provider's SDK puts its own, for example Authorization: Bearer gk_...",
        )
    return found


def key_sha256(key: str) -> str:
    """The only form in which a key is stored."""
    return _sha256_of(key.encode("ascii"))


def _sha256_of(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()
