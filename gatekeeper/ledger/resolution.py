"""A resolution as the outbox keeps it, and the frames it stands in on disk. Pure: bytes in, values out.

A segment is a row of frames: length and CRC-32, then a body. A body is either a record (`R`, its number, a resolution
as JSON) or the note that a record is done (`D`, its number). The checksum covers the length too, so that neither a
half-written frame nor the zeros that a power cut leaves behind can be taken for one.
"""

import json
import struct
import zlib
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from gatekeeper.ledger.records import HoldContext

FRAME_BYTES_MAX: Final = 128 * 1024
"""Above the largest record, which is of a job and the answer to its submission, as JSON in JSON; a length beyond it was
not written by us."""

_HEAD: Final = struct.Struct(">II")
_LENGTH: Final = struct.Struct(">I")
_BODY: Final = struct.Struct(">cQ")
_RECORD: Final = b"R"
_DONE: Final = b"D"


class Act(StrEnum):
    """What a resolution asks of the ledger."""

    SETTLE = "settle"
    RELEASE = "release"
    UNKNOWN = "unknown"
    UNDO = "undo"  # a release of a hold that may never have been made
    JOB = "job"  # no end: the hold follows a job


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The end of one hold, or the job that it follows. `amount` is what to charge and `held` what the hold is of, in
    micro-credits; `why` is the outcome or the reason for the journal, `request_id` is for log lines. With
    `within_available` more than the hold is charged only as far as the team's credits go; `outputs` is how many were
    made, for the usage. `job` to `answer_ttl_ms` are of a job alone. The rest books an end even if the store has lost
    the hold; without `windows` it does not."""

    act: Act
    team: str
    hold_id: str
    amount: int = 0
    why: str = ""
    meta: str = ""
    held: int = 0
    request_id: str = ""
    within_available: bool = False
    job: str = ""
    ttl_ms: int = 0
    names: tuple[str, ...] = ()
    keep_ms: int = 0
    answer: str = ""
    answer_ttl_ms: int = 0
    project: str = ""
    member: str = ""
    key_id: str = ""
    fingerprint: str = ""
    price_list: str = ""
    windows: str = ""
    usage: str = ""
    outputs: int = 0

    @property
    def context(self) -> HoldContext | None:
        """What the hold was, if that is known: a record of an older version does not say."""
        if not self.windows:
            return None
        return HoldContext(
            self.held, self.project, self.member, self.key_id, self.fingerprint, self.price_list, self.windows,
            self.usage,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scan:
    """What a segment holds: the records not done yet by number, how many there ever were, and the bytes that are whole.

    `damaged` says that what follows is not merely cut off: whoever reads it should keep it.
    """

    payloads: dict[int, bytes]
    records: int
    good_bytes: int
    damaged: bool


def to_payload(resolution: Resolution) -> bytes:
    """The resolution as JSON."""
    return json.dumps(asdict(resolution), separators=(",", ":")).encode()


def from_payload(payload: bytes) -> Resolution:
    """The resolution in a record. A field that a later version added is left aside."""
    fields = json.loads(payload)
    known = {name: fields[name] for name in Resolution.__dataclass_fields__ if name in fields}
    return Resolution(**{**known, "act": Act(fields["act"]), "names": tuple(fields.get("names", ()))})


def record_frame(number: int, payload: bytes) -> bytes:
    """A record on disk."""
    return _frame(_BODY.pack(_RECORD, number) + payload)


def done_frame(number: int) -> bytes:
    """The note that a record is done."""
    return _frame(_BODY.pack(_DONE, number))


def scan(data: bytes) -> Scan:
    """Reads a segment up to the first frame that is not whole."""
    payloads: dict[int, bytes] = {}
    records = at = 0
    while (body := _body_at(data, at)) is not None:
        kind, number = _BODY.unpack_from(body)
        if kind == _RECORD:
            payloads[number] = body[_BODY.size :]
            records = number + 1
        else:
            payloads.pop(number, None)
        at += _HEAD.size + len(body)
    return Scan(payloads, records, at, damaged=not _is_cut_off(data[at:]))


def _frame(body: bytes) -> bytes:
    return _HEAD.pack(len(body), _checksum(body)) + body


def _checksum(body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(_LENGTH.pack(len(body))))


def _body_at(data: bytes, at: int) -> bytes | None:
    if len(data) - at < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack_from(data, at)
    if not _BODY.size <= length <= FRAME_BYTES_MAX:
        return None
    body = data[at + _HEAD.size : at + _HEAD.size + length]
    return body if len(body) == length and _checksum(body) == checksum else None


def _is_cut_off(rest: bytes) -> bool:
    """Whether the rest is what an interrupted write leaves: nothing, the beginning of one frame, or zeros.

    A length alone is not believed, for no checksum covers one that is cut: no whole frame may follow it.
    """
    if not rest.strip(b"\0") or len(rest) < _HEAD.size:
        return True
    length: int = _HEAD.unpack_from(rest)[0]
    if not _BODY.size <= length <= FRAME_BYTES_MAX or len(rest) >= _HEAD.size + length:
        return False
    return all(_body_at(rest, at) is None for at in range(1, len(rest)))
