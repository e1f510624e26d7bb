"""Writes an ISO base media file (ISO/IEC 14496-12) with one video track of JPEG frames, and nothing else.

The index stands before the frames, so a player can begin at once. It reads no files and knows no other codec.
"""

import struct
from dataclasses import dataclass

JPEG_OBJECT_TYPE = 0x6C
"""ISO/IEC 10918-1, as the MP4 registration authority numbers it."""

VISUAL_STREAM = 0x04

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"""Neither turned nor scaled."""

_UNDETERMINED_LANGUAGE = 0x55C4
"""`und`, five bits a letter."""


@dataclass(frozen=True, slots=True)
class Film:
    """What goes into the file. `ticks` is its whole duration in 1/`timescale` s, shared out among the frames."""

    width: int
    height: int
    timescale: int
    ticks: int
    frames: tuple[bytes, ...]


def mux(film: Film) -> bytes:
    """The file. Its frames lie one behind the other in a single chunk."""
    head = _box(b"ftyp", b"isom" + struct.pack(">I", 0x200) + b"isom" + b"iso2" + b"mp41")
    # The index names where the frames begin, and its own length does not depend on that.
    frames_at = len(head) + len(_movie(film, 0)) + 8
    return head + _movie(film, frames_at) + _box(b"mdat", *film.frames)


def _movie(film: Film, frames_at: int) -> bytes:
    return _box(b"moov", _movie_header(film), _box(b"trak", _track_header(film), _media(film, frames_at)))


def _movie_header(film: Film) -> bytes:
    rate_and_volume = struct.pack(">IH10x", 0x10000, 0x100)
    times = struct.pack(">IIII", 0, 0, film.timescale, film.ticks)
    return _full_box(b"mvhd", 0, times + rate_and_volume + _MATRIX + bytes(24) + struct.pack(">I", 2))


def _track_header(film: Film) -> bytes:
    enabled_in_movie_and_preview = 7
    times = struct.pack(">IIIII8x", 0, 0, 1, 0, film.ticks)
    layer_group_volume = struct.pack(">hhHxx", 0, 0, 0)
    sides = struct.pack(">II", film.width << 16, film.height << 16)
    return _full_box(b"tkhd", enabled_in_movie_and_preview, times + layer_group_volume + _MATRIX + sides)


def _media(film: Film, frames_at: int) -> bytes:
    times = struct.pack(">IIIIHH", 0, 0, film.timescale, film.ticks, _UNDETERMINED_LANGUAGE, 0)
    handler = struct.pack(">I4s12x", 0, b"vide") + b"video\0"
    # A data reference without an address: the frames are in this very file.
    here = _full_box(b"dref", 0, struct.pack(">I", 1) + _full_box(b"url ", 1, b""))
    information = _box(b"minf", _full_box(b"vmhd", 1, bytes(8)), _box(b"dinf", here), _sample_table(film, frames_at))
    return _box(b"mdia", _full_box(b"mdhd", 0, times), _full_box(b"hdlr", 0, handler), information)


def _sample_table(film: Film, frames_at: int) -> bytes:
    count = len(film.frames)
    durations = _durations(film)
    times = struct.pack(">I", len(durations)) + b"".join(struct.pack(">II", *run) for run in durations)
    sizes = struct.pack(">II", 0, count) + b"".join(struct.pack(">I", len(frame)) for frame in film.frames)
    return _box(
        b"stbl",
        _full_box(b"stsd", 0, struct.pack(">I", 1) + _sample_entry(film)),
        _full_box(b"stts", 0, times),
        _full_box(b"stsc", 0, struct.pack(">IIII", 1, 1, count, 1)),
        _full_box(b"stsz", 0, sizes),
        _full_box(b"stco", 0, struct.pack(">II", 1, frames_at)),
    )


def _durations(film: Film) -> list[tuple[int, int]]:
    """Runs of (frames, ticks each) that add up to exactly the whole."""
    count = len(film.frames)
    each, longer = divmod(film.ticks, count)
    return [(frames, ticks) for frames, ticks in ((longer, each + 1), (count - longer, each)) if frames]


def _sample_entry(film: Film) -> bytes:
    """The visual sample entry, with the descriptor that says which codec its frames are in."""
    data_reference = struct.pack(">6xH16x", 1)
    sides = struct.pack(">HH", film.width, film.height)
    dots_per_inch = struct.pack(">II4xH", 0x480000, 0x480000, 1)
    colour_depth = struct.pack(">32xHh", 24, -1)
    return _box(b"mp4v", data_reference + sides + dots_per_inch + colour_depth + _codec(film))


def _codec(film: Film) -> bytes:
    largest = max(len(frame) for frame in film.frames)
    bits_a_second = sum(len(frame) for frame in film.frames) * 8 * film.timescale // film.ticks
    decoder = struct.pack(">BB", JPEG_OBJECT_TYPE, VISUAL_STREAM << 2 | 1) + largest.to_bytes(3)
    config = _descriptor(0x04, decoder + struct.pack(">II", bits_a_second, bits_a_second))
    stream = struct.pack(">HB", 1, 0) + config + _descriptor(0x06, b"\x02")
    return _full_box(b"esds", 0, _descriptor(0x03, stream))


def _descriptor(tag: int, content: bytes) -> bytes:
    """Its length fits one byte here: none has 128."""
    return bytes((tag, len(content))) + content


def _full_box(kind: bytes, flags: int, content: bytes) -> bytes:
    return _box(kind, struct.pack(">I", flags), content)


def _box(kind: bytes, *contents: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, contents)), kind) + b"".join(contents)
