"""What came out of an images call in OpenAI's format: a JSON answer, or server-sent events.

Counts images that are really there, with the size they really have: a PNG's from its own head, else what the answer
says. Output tokens are what OpenAI charges for: they are its report of the cost.
"""

from gatekeeper.core.outcome import Failed, Made, Outcome, Unknown
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.answers import (
    Answer,
    carries_picture,
    error_word,
    output_tokens,
    png_pixels,
    read_answer,
    read_tokens,
    stated_pixels,
)
from gatekeeper.dialects.sse import Event, EventSkimmer

QUALITY_LENGTH_MAX = 20
"""Qualities are words like `high`; anything longer is not one."""

PIXELS_KEPT_MAX = 100
"""Sizes are remembered for so many images of a stream; no request asks for that many."""

_DONE = b"[DONE]"


class StreamAnswer:
    """Reads an answer of server-sent events."""

    __slots__ = ("_done", "_error", "_events", "_made", "_pixels", "_quality", "_tokens", "_unreadable")

    def __init__(self) -> None:
        self._events = EventSkimmer()
        self._made = 0
        self._pixels: list[Pixels | None] = []
        self._quality: str | None = None
        self._tokens = 0
        self._error: str | None = None
        self._done = False
        self._unreadable = False

    def feed(self, chunk: bytes) -> None:
        for event in self._events.feed(chunk):
            self._take(event)

    def finish(self, *, complete: bool) -> Outcome:
        last = self._events.rest()
        if last is not None and read_answer(last.skeleton) is not None:
            self._take(last)
        if self._made:
            note = "" if complete and not self._error else self._error or "cut"
            tokens = self._tokens or None
            return Made(self._made, tuple(self._pixels), self._quality, note, tokens=tokens, cost=output_tokens(tokens))
        if self._error:
            return Failed(self._error)
        if self._done and not self._unreadable:
            return Failed("no image in the stream")
        return Unknown("the stream ended before an image" if complete else "the stream was cut before an image")

    def _take(self, event: Event) -> None:
        if event.skeleton.strip() == _DONE:
            self._done = True
            return
        answer = read_answer(event.skeleton)
        if answer is None:
            self._unreadable = True
            self._error = self._error or ("error in the stream" if event.name == "error" else None)
            return
        names = {event.name, str(answer.get("type"))}
        if answer.get("error") or "error" in names:
            self._error = self._error or _stream_error(answer)
        elif not any("partial" in name for name in names if name) and carries_picture(answer):
            self._count(answer)

    def _count(self, answer: Answer) -> None:
        self._made += 1
        self._quality = _quality(answer) or self._quality
        self._tokens += _tokens(answer) or 0
        if len(self._pixels) < PIXELS_KEPT_MAX:
            self._pixels.append(png_pixels(answer.get("b64_json")) or stated_pixels(answer.get("size")))


def _stream_error(answer: Answer) -> str:
    word = error_word(answer) or error_word({"error": answer})
    return f"error in the stream: {word}" if word and word != "error" else "error in the stream"


def read_images(answer: Answer) -> Outcome:
    """Pictures, or why there are none."""
    data = answer["data"] if "data" in answer else answer.get("images")  # as some hosts of this format have it
    entries: list[object] = data if isinstance(data, list) else []
    stated, pixels = stated_pixels(answer.get("size")), list[Pixels | None]()
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        encoded = entry.get("b64_json")
        if encoded and isinstance(encoded, str):
            pixels.append(png_pixels(encoded) or stated)
        elif (url := entry.get("url")) and isinstance(url, str):
            pixels.append(stated)
    if pixels:
        made, tokens = len(pixels), _tokens(answer)
        note = f"{len(entries) - made} without an image" if made < len(entries) else ""
        return Made(made, tuple(pixels), _quality(answer), note, tokens=tokens, cost=output_tokens(tokens))
    if answer.get("error"):
        return Failed(f"error in a success: {error_word(answer) or 'no code'}")
    return Failed("no image in the answer") if isinstance(data, list) else Unknown("the answer has no list of images")


def _tokens(answer: Answer) -> int | None:
    usage = answer.get("usage")
    return read_tokens(usage.get("output_tokens")) if isinstance(usage, dict) else None


def _quality(answer: Answer) -> str | None:
    quality = answer.get("quality")
    if not isinstance(quality, str) or not 0 < len(quality) <= QUALITY_LENGTH_MAX or not quality.isprintable():
        return None
    return quality
