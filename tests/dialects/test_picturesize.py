"""The size of a picture from its head, judged by pictures that Pillow wrote."""

import base64
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.multipart import read_form
from gatekeeper.dialects.picturesize import SizeReader, encoded_pixels
from tests.cases import each_case


def picture(format_: str, width: int = 300, height: int = 200, **options: Any) -> bytes:
    out = io.BytesIO()
    mode = "RGBA" if options.pop("alpha", False) else "RGB"
    Image.new(mode, (width, height), "teal").save(out, format_, **options)
    return out.getvalue()


KINDS = {
    "PNG": picture("PNG"),
    "JPEG": picture("JPEG"),
    "progressive JPEG": picture("JPEG", progressive=True),
    "JPEG with notes": picture("JPEG", exif=b"Exif\0\0" + bytes(60_000), icc_profile=bytes(200_000)),
    "WebP": picture("WEBP"),
    "lossless WebP": picture("WEBP", lossless=True),
    "WebP with transparency": picture("WEBP", alpha=True),
}


def read_in_pieces(data: bytes, piece_bytes: int) -> Pixels | None:
    reader = SizeReader()
    for at in range(0, len(data), piece_bytes):
        reader.feed(data[at : at + piece_bytes])
    return reader.pixels


@each_case("kind", KINDS)
@each_case("piece_bytes", [1, 7, 10**6])
def test_a_picture_tells_its_size(kind: str, piece_bytes: int) -> None:
    """Each kind that providers take tells it, in pieces of any size."""
    assert Pixels(300, 200) == read_in_pieces(KINDS[kind], piece_bytes)


@each_case("kind", KINDS)
def test_half_a_head_tells_nothing(kind: str) -> None:
    """A picture that ends too early has no size."""
    assert read_in_pieces(KINDS[kind][:20], 100) is None


@each_case("data", [b"", b"GIF89a" + bytes(100), picture("BMP"), picture("TIFF"), b"\xff\xd8" * 9999])
def test_other_bytes_tell_nothing(data: bytes) -> None:
    """What is none of the three has no size, and neither has a JPEG without a frame."""
    assert read_in_pieces(data, 1000) is None


@given(st.binary(max_size=200), st.sampled_from([b"\xff\xd8", b"\xff\xd8\xff", b"RIFF", b"\x89PNG", b""]))
def test_any_bytes_are_read_without_error(data: bytes, start: bytes) -> None:
    """Whatever comes, it has a size or none."""
    pixels = read_in_pieces(start + data, 3)

    assert pixels is None or pixels.area > 0


@each_case("start", ["", "data:image/png;base64,"])
@each_case("kind", KINDS)
def test_base64_tells_it_too(kind: str, start: str) -> None:
    """As such, and as a data URL."""
    assert Pixels(300, 200) == encoded_pixels(start + base64.b64encode(KINDS[kind]).decode())


@pytest.mark.parametrize("start", ["", "data:image/png;base64,"])
def test_a_png_tells_it_in_64_characters(start: str) -> None:
    """So much is left of a long string in a large body."""
    assert Pixels(300, 200) == encoded_pixels((start + base64.b64encode(KINDS["PNG"]).decode())[:64])


@each_case("text", ["", "https://pictures.example/a.png", "data:image/png;base64,", "data:,", "é"])
def test_what_is_no_base64_tells_nothing(text: str) -> None:
    """An address has no size."""
    assert encoded_pixels(text) is None


def form_of(*files: bytes) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    return b"".join(head + file + b"\r\n" for file in files) + b"--b--\r\n"


@each_case("kind", KINDS)
def test_a_file_in_a_form_tells_it(kind: str) -> None:
    """While the form streams past, and nothing of the file is kept."""
    body = form_of(KINDS[kind])

    fields = read_form("multipart/form-data; boundary=b", [body[at : at + 100] for at in range(0, len(body), 100)])

    assert Pixels(300, 200) == fields.file_pixels("image")


def test_two_files_tell_nothing() -> None:
    """Which of them is meant is not known."""
    body = form_of(KINDS["PNG"], picture("PNG", 10, 10))

    assert read_form("multipart/form-data; boundary=b", [body]).file_pixels("image") is None
