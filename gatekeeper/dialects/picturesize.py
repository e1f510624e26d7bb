"""The width and height of a PNG, JPEG or WebP from its first bytes, while they stream past.

An upscale is priced by the picture that goes in, and nobody tells its size but the picture itself. Only heads are
looked at: nothing is decoded, and a picture that is damaged further on still has a size. Turning a photograph upright
by its EXIF note is not done here.
"""

import base64
from binascii import Error as Base64Error
from typing import Final

from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.answers import read_pixels

SEGMENTS_MAX: Final = 500
"""A JPEG has a dozen segments before its frame, a hundred with a very large colour profile."""

HEAD_BYTES: Final = 30
"""As much as a PNG or a WebP takes to tell."""

BASE64_CHARS_MAX: Final = 512 * 1024
"""So much of a picture in base64 is looked at; a JPEG's size lies behind its notes and thumbnails."""

_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_JPEG_START = b"\xff\xd8"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xDB)})
"""Marks that no segment follows, or behind which no frame comes any more."""


class SizeReader:
    """Feed it the bytes of a file, then take `pixels`. Keeps no more than `HEAD_BYTES`; never raises."""

    __slots__ = ("_held", "_segments", "_skip", "_wanted", "done", "pixels")

    def __init__(self) -> None:
        self.pixels: Pixels | None = None
        self.done = False
        """Nothing more is to be learnt."""
        self._held = bytearray()
        self._wanted = len(_JPEG_START)
        self._skip = 0
        self._segments = 0

    def feed(self, chunk: bytes | memoryview) -> None:
        view = memoryview(chunk)
        at = 0
        while not self.done and at < len(view):
            if self._skip:
                step = min(self._skip, len(view) - at)
                self._skip -= step
            else:
                step = min(self._wanted - len(self._held), len(view) - at)
                self._held += view[at : at + step]
            at += step
            if len(self._held) == self._wanted:
                self._advance()

    def _advance(self) -> None:
        """What was waited for is there: read it, or wait for more."""
        if self._wanted == HEAD_BYTES:
            self._end(_png_size(bytes(self._held)) or _webp_size(bytes(self._held)))
        elif self._segments:
            self._take_segment()
        elif bytes(self._held) == _JPEG_START:
            self._next_segment()
        else:
            self._wanted = HEAD_BYTES

    def _take_segment(self) -> None:
        """A JPEG's segment: its mark and length, and of a frame its precision, height and width behind them."""
        mark = self._held[1]
        if self._held[0] != 0xFF or mark in _JPEG_WITHOUT_LENGTH:
            self._end(None)
        elif mark == 0xFF:  # bytes to fill up with stand before the mark
            del self._held[0]
        elif mark in _JPEG_FRAMES:
            if self._wanted == 9:
                self._end(read_pixels(int.from_bytes(self._held[7:9]), int.from_bytes(self._held[5:7])))
            self._wanted = 9
        else:
            self._skip = max(int.from_bytes(self._held[2:4]) - 2, 0)
            self._next_segment()

    def _next_segment(self) -> None:
        self._held.clear()
        self._wanted = 4
        self._segments += 1
        self.done = self._segments > SEGMENTS_MAX

    def _end(self, pixels: Pixels | None) -> None:
        self.pixels = pixels
        self.done = True


def encoded_pixels(text: str) -> Pixels | None:
    """The size of a picture in base64, as such or behind `data:...;base64,`, from its beginning.

    None for anything else: an address, say.
    """
    encoded = text.partition(";base64,")[2] if text.startswith("data:") else text
    encoded = encoded[: min(len(encoded), BASE64_CHARS_MAX) // 4 * 4]
    reader = SizeReader()
    try:
        reader.feed(base64.b64decode(encoded, validate=True))
    except (Base64Error, ValueError):
        return None
    return reader.pixels


def _png_size(head: bytes) -> Pixels | None:
    if not head.startswith(_PNG_START):
        return None
    return read_pixels(int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))


def _webp_size(head: bytes) -> Pixels | None:
    """Of its three kinds: lossy, lossless, and extended, whose canvas counts."""
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    match head[12:16]:
        case b"VP8 " if head[23:26] == b"\x9d\x01\x2a":
            sides = int.from_bytes(head[26:30], "little")
            return read_pixels(sides & 0x3FFF, sides >> 16 & 0x3FFF)
        case b"VP8L" if head[20] == 0x2F:
            sides = int.from_bytes(head[21:25], "little")
            return read_pixels((sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1)
        case b"VP8X":
            return read_pixels(*(int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27)))
        case _:
            return None
