"""A form as bytes, with a picture in it of which there is no more than the head: enough to read its size from."""

import struct
import zlib
from typing import Final

from gatekeeper.console.snippets.wire import PICTURE_FILE, Wire
from gatekeeper.core.sizes import Pixels

BOUNDARY: Final = "gatekeeper-console"
PICTURE_DEFAULT: Final = Pixels(1024, 1024)


def form_body(wire: Wire, pixels: Pixels | None) -> bytes:
    """The form of a request, its picture as large as is said."""
    parts = [_part(f'name="{name}"', str(value).encode()) for name, value in wire.body.items()]
    if wire.picture_field:
        about = f'name="{wire.picture_field}"; filename="{PICTURE_FILE}"'
        parts.append(_part(about, png_head(pixels or PICTURE_DEFAULT), "Content-Type: image/png\r\n"))
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def _part(about: str, content: bytes, more: str = "") -> bytes:
    return f"--{BOUNDARY}\r\nContent-Disposition: form-data; {about}\r\n{more}\r\n".encode() + content + b"\r\n"


def png_head(pixels: Pixels) -> bytes:
    """The signature and the first chunk of a PNG."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", pixels.width, pixels.height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
