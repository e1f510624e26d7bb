"""Misbehaviour on demand: how a request says what is to go wrong with its answer.

Either in the header `Sandbox-Behaviour: partial=1,slow_body=2`, or, where a gateway strips headers that it does not
know or an SDK cannot set any, in the prompt: `a cat [sandbox: partial=1, slow_body=2]`. The prompt's directive is
looked for in the raw body, so it works in every dialect. Where both say something about one word, the header wins.

    none                nothing goes wrong: neither by request nor by the rates of the settings
    latency=SECONDS     the answer begins that much later
    fail=STATUS         an error with that status (400 to 599) in the dialect's own shape
    partial=K           200, but at most K of the images asked for
    empty               200, and no image
    error_event         a stream ends in an error event in place of its last image
    slow_body=SECONDS   the body dribbles in over that time
    cut                 the connection is cut half-way through the body; the images count as made
    cut_before          the request is read, then the connection is closed without a byte; nothing counts as made
    hang                no answer, until the client leaves or `WAIT_S_MAX` is over; nothing counts as made

What is said when a job is submitted goes for the job (`partial` and `empty` too, at its end):

    job=SECONDS         it ends that long after its submission
    job_wait            it runs until POST /sandbox/jobs/end
    job_fail            it fails
    job_moderated       it ends by moderation, with nothing to show
    job_expire          it expires
    job_vanish          at its end nobody knows it any more; and no webhook is sent
    no_webhook          it ends as it should, and nobody is told

A word that is not known is refused with 400: a misspelt misfortune would make a test pass for the wrong reason.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gatekeeper.sandbox.settings import WAIT_S_MAX, SandboxSettings

HEADER = "Sandbox-Behaviour"

DIRECTIVE_MARK = b"[sandbox:"

DIRECTIVE_BYTES_MAX = 200
"""All words together are shorter; so nothing far away can be taken for the end of a directive."""


class BehaviourError(ValueError):
    """A behaviour that was asked for is not one. The text says what was read and what is allowed."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What is to happen with one request. The fields are the words of the module's table."""

    latency_s: float = 0.0
    fail: int | None = None
    partial: int | None = None
    empty: bool = False
    error_event: bool = False
    slow_body_s: float = 0.0
    cut: bool = False
    cut_before: bool = False
    hang: bool = False
    job_s: float | None = None
    job_wait: bool = False
    job_fail: bool = False
    job_moderated: bool = False
    job_expire: bool = False
    job_vanish: bool = False
    no_webhook: bool = False

    def made(self, asked: int) -> int:
        """How many of the outputs asked for are really made."""
        if self.empty:
            return 0
        return asked if self.partial is None else min(asked, self.partial)


class Misfortune:
    """Draws each generation's fate from the rates of the settings, repeatably."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._random = random.Random(settings.seed)
        self.usual = Behaviour(latency_s=settings.latency_s, slow_body_s=settings.slow_body_s)

    def draw(self) -> Behaviour:
        """One draw. At most one of the rates strikes, so that they can be counted apart."""
        settings, lot = self._settings, self._random.random()
        if lot < settings.fail_rate:
            return replace(self.usual, fail=settings.fail_status)
        if lot < settings.fail_rate + settings.empty_rate:
            return replace(self.usual, empty=True)
        if lot < settings.fail_rate + settings.empty_rate + settings.cut_rate:
            return replace(self.usual, cut=True)
        return self.usual


def read_behaviour(header: str | None, body: bytes, usual: Behaviour, drawn: Behaviour) -> Behaviour:
    """The behaviour that a request asks for on top of `usual`; `drawn` where it asks for nothing.

    Raises:
        BehaviourError: a word or value that is not in the table.
    """
    asked = ",".join(text for text in (_directive(body), header) if text)
    return replace(usual, **_read_words(asked)) if asked else drawn


def _directive(body: bytes) -> str | None:
    start = body.find(DIRECTIVE_MARK)
    if start < 0:
        return None
    start += len(DIRECTIVE_MARK)
    end = body.find(b"]", start, start + DIRECTIVE_BYTES_MAX)
    if end < 0:
        raise BehaviourError(f"a [sandbox: ...] directive has no ] within {DIRECTIVE_BYTES_MAX} bytes")
    return body[start:end].decode("utf-8", "replace")


def _read_words(text: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        word, _, value = (side.strip() for side in item.partition("="))
        if word not in _WORDS:
            raise BehaviourError(f"{word[:40]!r} is no behaviour; there are: {', '.join(_WORDS)}")
        field, read = _WORDS[word]
        if field:
            fields[field] = read(value)
    return fields


def _seconds(value: str) -> float:
    if not re.fullmatch(r"\d{1,4}(\.\d{1,6})?", value) or float(value) > WAIT_S_MAX:
        raise BehaviourError(f"{value[:40]!r} is no time; give seconds from 0 to {WAIT_S_MAX:g}")
    return float(value)


def _status(value: str) -> int:
    if not re.fullmatch(r"[45]\d\d", value):
        raise BehaviourError(f"{value[:40]!r} is no status to fail with; give one from 400 to 599")
    return int(value)


def _count(value: str) -> int:
    if not re.fullmatch(r"\d{1,3}", value):
        raise BehaviourError(f"{value[:40]!r} is no number of images; give 0 to 999")
    return int(value)


def _yes(value: str) -> bool:
    if value:
        raise BehaviourError(f"{value[:40]!r} was given to a behaviour that takes no value")
    return True


_WORDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "none": ("", _yes),
    "latency": ("latency_s", _seconds),
    "fail": ("fail", _status),
    "partial": ("partial", _count),
    "empty": ("empty", _yes),
    "error_event": ("error_event", _yes),
    "slow_body": ("slow_body_s", _seconds),
    "cut": ("cut", _yes),
    "cut_before": ("cut_before", _yes),
    "hang": ("hang", _yes),
    "job": ("job_s", _seconds),
    "job_wait": ("job_wait", _yes),
    "job_fail": ("job_fail", _yes),
    "job_moderated": ("job_moderated", _yes),
    "job_expire": ("job_expire", _yes),
    "job_vanish": ("job_vanish", _yes),
    "no_webhook": ("no_webhook", _yes),
}
