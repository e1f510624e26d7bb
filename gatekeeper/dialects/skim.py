"""Reads JSON of any size in little memory: keeps its shape and its short strings, collapses the long ones.

A body of 20 MB is nearly all base64 in one or two strings. What is left without them is a skeleton of a few hundred
bytes, still JSON, from which everything that has to be known can be read. Bytes go in as they come, cut anywhere.

Nothing is parsed or judged here: what stands outside strings is copied as it is, so a body that is no JSON has a
skeleton that is none either. Inside the part of a long string that is dropped only the UTF-8 is looked at, not the
escapes: whoever reads the body in full refuses those.
"""

import codecs
import re
from functools import lru_cache

STRING_BYTES_MAX = 512
"""A longer string (as written, escapes included) is collapsed. Every name, size and signed key is shorter."""

HEAD_BYTES = 64
"""What stays of a collapsed string, at most: enough for the head of a PNG, whose size is in its first 32 characters."""

SKELETON_BYTES_MAX = 2 * 1024 * 1024
"""Bounds the memory and, with it, the time to parse what is left. An answer may repeat all of its request, and write a
byte of it in six (`<` as an escape): it must be readable all the same, or what it tells of would be free."""

WINDOW_BYTES = 256 * 1024
"""Work is done in pieces of this size, so that no copy of a large chunk is ever made."""

_UNIT_BYTES_MAX = 12
_UNIT = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # two escapes that are one character
    rb"|\\u[0-9a-fA-F]{4}|\\.|[\xc0-\xff][\x80-\xbf]{0,3}|.",
    re.DOTALL,
)


@lru_cache(maxsize=16)  # there are a handful of limits
def _long_string(string_bytes_max: int) -> re.Pattern[bytes]:
    """Finds a string that is longer, or as much of anything between two."""
    return re.compile(rb'"[^"]{%d}' % (string_bytes_max + 1))


class Skimmer:
    """Feed it chunks, then take `skeleton`. Never raises."""

    __slots__ = (
        "_escape_open",
        "_held",
        "_inside",
        "_is_answer",
        "_length",
        "_long",
        "_skeleton",
        "_skeleton_bytes_max",
        "_string_bytes_max",
        "_utf8",
        "_utf8_open",
        "cut",
        "overflowed",
        "utf8",
    )

    def __init__(
        self,
        *,
        skeleton_bytes_max: int = SKELETON_BYTES_MAX,
        string_bytes_max: int = STRING_BYTES_MAX,
        is_answer: bool = False,
    ) -> None:
        """`is_answer`: nobody asks for `utf8`, as nobody refuses a provider's answer."""
        self.cut: dict[bytes, int] = {}
        """True length in bytes of every collapsed string, by the head that stands for it (the longest, if several)."""
        self.overflowed = False
        """The skeleton outgrew its limit; it is empty from then on."""
        self.utf8 = True
        """False once bytes have come that are not UTF-8."""
        self._skeleton_bytes_max = skeleton_bytes_max
        self._string_bytes_max = string_bytes_max
        self._long = _long_string(string_bytes_max)
        self._skeleton = bytearray()
        self._is_answer = is_answer
        self._inside = False
        self._held = bytearray()
        self._length = 0
        self._escape_open = False
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._utf8_open = False

    @property
    def skeleton(self) -> bytes:
        """What came so far with its long strings collapsed. A string that has not ended yet is left out."""
        return bytes(self._skeleton)

    def feed(self, chunk: bytes) -> None:
        for start in range(0, len(chunk), WINDOW_BYTES):
            if self.overflowed:
                return
            self._feed_window(chunk[start : start + WINDOW_BYTES])

    def _feed_window(self, window: bytes) -> None:
        if not self._is_answer:
            self._check_utf8(window)
        if self._length > self._string_bytes_max and b'"' not in window and window[-1:] != b"\\":
            # In the midst of a long string, as nearly all of a picture is: only its length is of interest.
            self._length += len(window)
            self._escape_open = False
            return
        masked = self._mask_escapes(window)
        if not self._inside and masked.count(b'"') % 2 == 0 and self._long.search(masked) is None:
            # Every string begins and ends in it and is short, as in most answers: nothing is collapsed.
            self._keep(window)
            return
        at, end = 0, len(window)
        while at < end and not self.overflowed:
            quote = masked.find(b'"', at)
            stop = end if quote < 0 else quote + 1
            if not self._inside:
                self._keep(window[at:stop])
                self._inside = quote >= 0
            else:
                self._hold(window, at, end if quote < 0 else quote)
                if quote >= 0:
                    self._close_string()
            at = stop

    def _mask_escapes(self, window: bytes) -> bytes:
        """The window with every escaped backslash and quote blanked out, so that each `"` left begins or ends a string.

        Two replacements at the speed of memory instead of a walk from escape to escape. Outside strings a backslash
        is no JSON, so it does not matter what this makes of one there.
        """
        if not self._escape_open and b"\\" not in window:
            return window
        masked = b"_" + window[1:] if self._escape_open else window
        masked = masked.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        self._escape_open = masked.endswith(b"\\")
        return masked

    def _check_utf8(self, window: bytes) -> None:
        if not self._utf8_open and window.isascii():
            return
        try:
            self._utf8.decode(window)
        except UnicodeDecodeError:
            self.utf8 = False
            self._utf8.reset()
        self._utf8_open = bool(self._utf8.getstate()[0])

    def _hold(self, window: bytes, start: int, stop: int) -> None:
        """Takes content of the string that is open; beyond the limit only its length."""
        room = self._string_bytes_max - len(self._held)
        if room > 0:
            self._held += window[start : min(stop, start + room)]
        self._length += stop - start

    def _close_string(self) -> None:
        content = bytes(self._held)
        if self._length > self._string_bytes_max:
            content = _head(content)
            self.cut[content] = max(self._length, self.cut.get(content, 0))
        self._keep(content + b'"')
        self._held.clear()
        self._length = 0
        self._inside = False

    def _keep(self, piece: bytes) -> None:
        if len(self._skeleton) + len(piece) > self._skeleton_bytes_max:
            self.overflowed = True
            self._skeleton.clear()
            self.cut.clear()
        else:
            self._skeleton += piece


def _head(content: bytes) -> bytes:
    """The first bytes of a string's content, as many as fit whole: no escape, pair or UTF-8 sequence is split."""
    head = content[:HEAD_BYTES]
    if b"\\" not in head and head.isascii():
        return head
    end = 0
    for unit in _UNIT.finditer(content, 0, HEAD_BYTES + _UNIT_BYTES_MAX):
        if unit.end() > HEAD_BYTES:
            break
        end = unit.end()
    return content[:end]
