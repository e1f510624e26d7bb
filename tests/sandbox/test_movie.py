"""Films are files that a strict reader of the format takes, of the pixels and the length asked for."""

import io
import itertools
import struct
from dataclasses import dataclass

import pytest
from PIL import Image

from gatekeeper.sandbox.movie import MovieSpec, film, frame_count, movie_spec
from gatekeeper.sandbox.studio import Studio
from tests.cases import each_case
from tests.later import Later

av = Later("av")

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl"}


@dataclass(frozen=True)
class Box:
    """A box: where its content begins and ends in the file, and the boxes in it."""

    kind: bytes
    start: int
    end: int
    children: tuple["Box", ...] = ()


def read_boxes(data: bytes, start: int, end: int) -> tuple[Box, ...]:
    """The boxes from `start` to `end`, which they must fill exactly."""
    found = list[Box]()
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        assert 8 <= size <= end - start
        inside = start + 8, start + size
        found.append(Box(kind, *inside, read_boxes(data, *inside) if kind in CONTAINERS else ()))
        start += size
    assert start == end
    return tuple(found)


def content(data: bytes, path: str) -> bytes:
    """What the one box at this path holds."""
    boxes = read_boxes(data, 0, len(data))
    for name in path.split("/"):
        (box,) = (each for each in boxes if each.kind == name.encode())
        boxes = box.children
    return data[box.start : box.end]


TABLE = "moov/trak/mdia/minf/stbl/"


def frames(data: bytes) -> list[bytes]:
    """The samples, by the tables alone."""
    sizes = content(data, TABLE + "stsz")
    _, same, count = struct.unpack_from(">III", sizes)
    chunks, at = struct.unpack_from(">xxxxII", content(data, TABLE + "stco"))
    assert (0, 1, (1, 1, count, 1)) == (same, chunks, struct.unpack_from(">xxxx4I", content(data, TABLE + "stsc")))
    lengths = struct.unpack_from(f">{count}I", sizes, 12)
    starts = itertools.accumulate(lengths, initial=at)
    return [data[start : start + length] for start, length in zip(starts, lengths, strict=False)]


def spec(width: int = 320, height: int = 180, duration_s: float = 5) -> MovieSpec:
    return movie_spec("a lighthouse at dusk", "some-model", width, height, duration_s)


@each_case("seconds", [0.5, 4, 5.3, 8, 60])
def test_every_header_states_the_duration(seconds: float) -> None:
    """Of the film, its track and its media, and the frames last exactly as long together."""
    made = film(spec(duration_s=seconds))

    scale, whole = struct.unpack_from(">12xII", content(made, "moov/mvhd"))
    media = struct.unpack_from(">12xII", content(made, "moov/trak/mdia/mdhd"))
    track = struct.unpack_from(">20xI", content(made, "moov/trak/tkhd"))
    runs = struct.iter_unpack(">II", content(made, TABLE + "stts")[8:])
    assert (seconds, (scale, whole), (whole,)) == (whole / scale, media, track)
    assert whole == sum(count * ticks for count, ticks in runs)


@each_case(("width", "height"), [(64, 64), (320, 180), (720, 1280), (1920, 1080)])
def test_track_codec_and_frames_have_the_pixels_asked_for(width: int, height: int) -> None:
    """The three places agree, and each frame is a JPEG that decodes."""
    made = film(spec(width, height))

    sides = struct.unpack(">II", content(made, "moov/trak/tkhd")[-8:])
    entry = content(made, TABLE + "stsd")[8:]
    sizes = set()
    for frame in frames(made):
        with Image.open(io.BytesIO(frame)) as image:
            image.load()
            sizes.add((image.format, *image.size))
    assert (width << 16, height << 16) == sides
    assert (b"mp4v", (width, height)) == (entry[4:8], struct.unpack_from(">HH", entry, 32))
    assert {("JPEG", width, height)} == sizes


def test_the_frames_fill_the_data_and_nothing_else_does() -> None:
    """The tables account for every byte behind the index."""
    made = film(spec())

    assert content(made, "mdat") == b"".join(frames(made))
    assert [b"ftyp", b"moov", b"mdat"] == [box.kind for box in read_boxes(made, 0, len(made))]
    assert b"isom" == content(made, "ftyp")[:4]


def test_it_moves() -> None:
    """No two frames are the same."""
    shown = frames(film(spec()))

    assert len(shown) == len(set(shown)) == frame_count(spec()) == 10


@pytest.mark.parametrize(
    ("width", "height", "bytes_max"), [(1280, 720, 300_000), (1920, 1080, 300_000), (3840, 2160, 400_000)]
)
def test_a_film_is_small(width: int, height: int, bytes_max: int) -> None:
    """Up to the largest pixels that models film, and with a prompt that fills the picture."""
    assert bytes_max > len(film(movie_spec("words " * 60, "m", width, height, 10)))


def test_equal_specs_make_equal_files() -> None:
    """As with pictures: a file that was forgotten can be made again."""
    assert film(spec()) == film(spec())


@each_case("seconds", [0, -1, 601, float("nan")])
def test_a_duration_that_is_none_is_refused(seconds: float) -> None:
    """Before anything is drawn."""
    with pytest.raises(ValueError, match="a film has a duration"):
        spec(duration_s=seconds)


async def test_the_studio_makes_films_as_well() -> None:
    """Once, and finds them by name."""
    studio = Studio(cache_bytes=10**6, files=10)

    name = studio.keep_file(spec())
    found = studio.file(name)

    assert (spec(), True) == (found, name.endswith(".mp4"))
    assert await studio.encoded(spec()) is await studio.encoded(spec())


def test_a_foreign_reader_agrees() -> None:
    """ffmpeg's own reader finds codec, pixels and duration, and every frame decodes."""
    with av.open(io.BytesIO(film(spec()))) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))

        assert ("mjpeg", 320, 180) == (
            stream.codec_context.name,
            stream.codec_context.width,
            stream.codec_context.height,
        )
        assert (5_000_000, stream.frames) == (container.duration, frames)
