"""Reading providers' answers: what the dialects' outcome readers share.

Lenient where `fields` is strict, because a provider's answer is a fact, however odd its shape. A provider's words are
never passed on as they are: a message may quote the prompt, so only short code words are kept.
"""

import base64
import codecs
import json
import re
from binascii import Error as Base64Error
from fractions import Fraction
from functools import lru_cache
from typing import cast

import orjson

from gatekeeper.core.outcome import Cost, Failed, Unknown
from gatekeeper.core.sizes import Pixels, read_size
from gatekeeper.dialects.skim import Skimmer

CODE_LENGTH_MAX = 64
"""The longest error code kept; codes in use have half of that."""

SIDE_MAX = 100_000
"""A longer side, in pixels, is no picture but a mistake."""

DIGITS_MAX = 20
"""A longer whole number counts nothing."""

COUNTS_REMEMBERED = 4096
"""Counts of tokens: a picture of one size and quality has always the same, others are few among thousands."""

TOKENS_MAX = 10**12
"""More than any answer has: a mistake."""

WHOLE_BYTES_MAX = 64 * 1024
"""An answer that comes in one piece no larger is parsed as it is; of others only what is left without long strings."""

_CODE = re.compile(rf"[A-Za-z0-9_.:-]{{1,{CODE_LENGTH_MAX}}}")
_AMOUNT = re.compile(r"\d{1,15}(?:\.\d{1,15})?")
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}")
_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_PNG_HEAD_CHARACTERS = 32
"""In base64: the signature, the first chunk's head, and the width and height that begin it. 24 bytes."""

Answer = dict[str, object]


def read_answer(skeleton: bytes) -> Answer | None:
    """The answer's JSON object, or None when it is something else or incomplete."""
    try:
        answer = orjson.loads(skeleton)
    except orjson.JSONDecodeError:
        answer = _read_leniently(skeleton)
    return cast("Answer", answer) if isinstance(answer, dict) else None


class Object:
    """Feed it an answer's body, then `read` its JSON object. Never raises."""

    __slots__ = ("_skimmer", "_whole")

    def __init__(self) -> None:
        self._whole: bytes | None = None
        self._skimmer: Skimmer | None = None

    def feed(self, chunk: bytes) -> None:
        """The next bytes, cut anywhere."""
        if self._skimmer is None and self._whole is None and len(chunk) <= WHOLE_BYTES_MAX:
            self._whole = chunk
        else:
            self._skimming().feed(chunk)

    def read(self) -> Answer | None:
        """The object, or None when it is something else or incomplete. Its long strings may be cut short."""
        if self._skimmer is None:
            try:
                answer = orjson.loads(self._whole or b"")
            except orjson.JSONDecodeError:
                pass
            else:
                return answer if isinstance(answer, dict) else None
        return read_answer(self._skimming().skeleton)

    def _skimming(self) -> Skimmer:
        if self._skimmer is None:
            self._skimmer = Skimmer(is_answer=True)
            self._skimmer.feed(self._whole or b"")
            self._whole = None
        return self._skimmer


def _read_leniently(skeleton: bytes) -> object:
    """Once more for what common encoders write though it is no JSON: a byte order mark, NaN; and for numbers of any
    length, which a request may have that is repeated here. None if it stays so."""
    try:
        return json.loads(skeleton.removeprefix(codecs.BOM_UTF8), parse_int=_read_whole)
    except (ValueError, RecursionError):
        return None


def _read_whole(text: str) -> int | float:
    """Beyond what anything is counted in, only how large it is."""
    return int(text) if len(text) <= DIGITS_MAX else float(text)


def succeeded(status: int) -> bool:
    return 200 <= status < 300


def failed(status: int, answer: Answer | None) -> Failed:
    """A refusal or failure by the provider, named by its status and its code word, if it gave one."""
    word = None if answer is None else error_word(answer)
    return Failed(f"{status} {word}" if word else str(status))


def not_told(status: int, answer: Answer | None) -> Unknown:
    """What an HTTP error says about a job: nothing, but 404 and 410, by which the provider knows none (any more)."""
    return Unknown(failed(status, answer).reason, gone=status in {404, 410})


def error_word(answer: Answer) -> str | None:
    """The code word of an answer's error in the two usual shapes: {"error": {"code"}} and {"code", "error": "text"}."""
    error = answer.get("error")
    places = [error.get("code"), error.get("type")] if isinstance(error, dict) else [answer.get("code"), error]
    words = (str(place) for place in places if isinstance(place, str | int) and not isinstance(place, bool))
    return next((word for word in words if _CODE.fullmatch(word)), None)


def read_job_id(value: object) -> str | None:
    """An id that can stand in a path and in a log line, or None."""
    return value if isinstance(value, str) and _JOB_ID.fullmatch(value) else None


def read_tokens(value: object) -> int | None:
    """A count of tokens, when it can be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < TOKENS_MAX else None


@lru_cache(COUNTS_REMEMBERED)
def output_tokens(count: int | None) -> Cost | None:
    """What a provider charges for output, told in tokens."""
    return None if count is None else Cost(count, "output_tokens")


def code_word(value: object) -> str | None:
    """A short code word, such as may stand in a log line, or None for a sentence or anything else."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def read_object(value: object) -> Answer:
    """An object, or an empty one in place of anything else."""
    return cast("Answer", value) if isinstance(value, dict) else {}


def read_list(value: object) -> list[object]:
    """A list, or an empty one in place of anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def read_sum(value: object) -> Fraction | None:
    """A sum of money or credits, not below 0, exactly as it is written; None for what is no plain number."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    text = repr(value) if plain else ""
    return Fraction(text) if _AMOUNT.fullmatch(text) else None


def filled_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def read_side(value: object) -> int | None:
    """A width or height, when it can be one."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return cast("int", value) if whole and 1 <= cast("int", value) <= SIDE_MAX else None


def read_pixels(width: object, height: object) -> Pixels | None:
    sides = read_side(width), read_side(height)
    return Pixels(sides[0], sides[1]) if sides[0] and sides[1] else None


def stated_pixels(size: object) -> Pixels | None:
    """A size told in one word, such as 1024x768."""
    meaning = read_size(size) if isinstance(size, str) else None
    return meaning if isinstance(meaning, Pixels) else None


def carries_picture(entry: Answer) -> bool:
    """Whether an entry of OpenAI's list, which others have copied, has a picture in it or names its address."""
    return filled_text(entry.get("b64_json")) or filled_text(entry.get("url"))


def png_pixels(encoded: object) -> Pixels | None:
    """The size of a PNG from the beginning of its base64, or None for anything else."""
    if not isinstance(encoded, str) or len(encoded) < _PNG_HEAD_CHARACTERS:
        return None
    try:
        head = base64.b64decode(encoded[:_PNG_HEAD_CHARACTERS], validate=True)
    except (Base64Error, ValueError):
        return None
    if not head.startswith(_PNG_START):
        return None
    return read_pixels(int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))
