"""Pictures that a request brings, as far as their size: from their bytes, from base64, or from the sandbox's own files.

No other address is fetched: the sandbox talks to nobody but those who asked to be called back.
"""

import base64
import io
from binascii import Error as Base64Error

from PIL import Image

from gatekeeper.core.sizes import Pixels
from gatekeeper.sandbox.call import Call, ProviderError

UNSEEN = Pixels(1024, 1024)
"""What a picture at some other address is taken for."""


def picture_at(call: Call, text: str, field: str) -> Pixels:
    """The size of a picture given as an address, as a data URL or as base64. Raises `ProviderError` 400."""
    start = f"{call.base_url}/files/"
    if text.startswith(start):
        spec = call.studio.file(text.removeprefix(start))
        return UNSEEN if spec is None else Pixels(spec.width, spec.height)
    if "://" in text[:40]:
        return UNSEEN
    encoded = text.partition(";base64,")[2] if text.startswith("data:") else text
    try:
        return picture_in(base64.b64decode(encoded, validate=True), field)
    except (Base64Error, ValueError) as error:
        raise ProviderError(400, f"{field} is neither an address nor base64.", code="invalid_image") from error


def picture_in(data: bytes, field: str) -> Pixels:
    """The size of a picture by its bytes. Raises `ProviderError` 400 for what is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return Pixels(*image.size)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ProviderError(400, f"{field} is not an image.", code="invalid_image", param=field) from error
