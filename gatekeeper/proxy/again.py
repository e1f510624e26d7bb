"""A request that came before: its answer again, or the reason why there is none. Nothing is forwarded, nothing charged.

Small answers are kept with their settlement as one text: a line of JSON with status and content type, then the body as
it came. Larger ones, pictures above all, are not kept; then the refusal says what was charged, and under which hold.
"""

import re
from functools import lru_cache
from typing import Final

import orjson
from aiohttp import web

from gatekeeper.core.credits import credits_text
from gatekeeper.dialects.answers import succeeded
from gatekeeper.events import GenerationReplayed
from gatekeeper.ledger.records import Answer, Repeated
from gatekeeper.logs import emit
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.once import Once
from gatekeeper.proxy.refusals import came_before, is_running
from gatekeeper.web.answers import CREDITS_CHARGED, HOLD_ID, REPLAYED, REQUEST_ID
from gatekeeper.web.outgoing import SERVER

KEPT_ANSWER_BYTES_MAX: Final = 64 * 1024
"""Answers with URLs, and jobs, are far smaller; the store keeps them in memory."""

HEADS_REMEMBERED: Final = 256
"""Of answers' statuses and types, of which a provider has a few."""

_CONTENT_TYPE = re.compile(r"[\x20-\x7e]{1,200}")
"""One that can be written again; without such a one the answer is not kept."""


async def answer_again(gate: Gate, call: Call, earlier: Repeated) -> web.Response:
    """The answer that the earlier request got. Raises `Rejected`: it is still running, or its answer was not kept."""
    call.trace.learn(hold_id=earlier.hold_id)
    kept = await gate.ledger.answer(call.caller.team.id, earlier.hold_id)
    if kept is None:
        raise came_before(earlier, gate.clock.now())
    answer = _read(kept)
    answer.headers[REQUEST_ID] = call.request_id
    answer.headers[HOLD_ID] = earlier.hold_id
    answer.headers[REPLAYED] = "true"
    charged = None if is_running(earlier) else earlier.charged
    if charged is not None:
        answer.headers[CREDITS_CHARGED] = credits_text(charged)
    gate.metrics.answered_again(call.facts.provider or "")
    emit(GenerationReplayed(facts=call.facts, credits_charged=charged, status=answer.status))
    return answer


class AnswerCopy:
    """Copies an answer while it passes, as long as it can still be kept."""

    __slots__ = ("_content_type", "_once", "_pieces", "_size", "_status")

    def __init__(self, once: Once, status: int, content_type: str) -> None:
        self._once = once
        self._status = status
        self._content_type = content_type
        self._size = 0
        self._pieces: list[bytes] | None = [] if once.answer_ttl_ms and succeeded(status) else None

    def feed(self, piece: bytes) -> None:
        if self._pieces is None:
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > KEPT_ANSWER_BYTES_MAX:
            self._pieces = None

    def finish(self, *, complete: bool) -> Answer | None:
        """The answer to keep: a whole success, small, in UTF-8."""
        if self._pieces is None or not complete:
            return None
        head = _head_of(self._status, self._content_type)
        if head is None:
            return None
        try:
            return Answer(head + b"".join(self._pieces).decode(), self._once.answer_ttl_ms)
        except UnicodeDecodeError:
            return None


@lru_cache(HEADS_REMEMBERED)
def _head_of(status: int, content_type: str) -> str | None:
    """What stands before the body of an answer that is kept; None for one whose type cannot be written again."""
    if not _CONTENT_TYPE.fullmatch(content_type):
        return None
    return orjson.dumps({"status": status, "content_type": content_type}).decode() + "\n"


def _read(kept: str) -> web.Response:
    head, _, body = kept.encode().partition(b"\n")
    told = orjson.loads(head)
    answer = web.Response(status=told["status"], body=body, headers={"Server": SERVER})
    answer.headers["Content-Type"] = told["content_type"]
    return answer
