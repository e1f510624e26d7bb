"""Topaz takes a size and no factor: what is read of a form with a real picture in it."""

import io
from fractions import Fraction

from PIL import Image

from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects import topaz
from tests.cases import each_case


def form_of(image: bytes, **fields: str) -> bytes:
    parts = [f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in fields.items()]
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    return b"".join([*parts, head + image + b"\r\n--b--\r\n"])


def picture(format_: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(out, format_)
    return out.getvalue()


@each_case("format_", ["PNG", "JPEG", "WEBP"])
@each_case(
    ("sides", "scale"),
    [
        ({"output_width": "600"}, Fraction(2)),
        ({"output_height": "800"}, Fraction(4)),
        ({"output_width": "600", "output_height": "400"}, Fraction(2)),
        ({"output_width": "600", "output_height": "800"}, Fraction(4)),
        ({"output_width": "450"}, Fraction(3, 2)),
    ],
)
def test_the_factor_lies_between_the_sizes(format_: str, sides: dict[str, str], scale: Fraction) -> None:
    """The least factor that covers both sides asked for."""
    route = topaz.find_route("POST", "/image/v1/enhance/async")
    assert route is not None
    body = form_of(picture(format_), model="Standard V2", **sides)

    request = topaz.read_request(route, "multipart/form-data; boundary=b", [body])

    assert (Pixels(300, 200), scale, "Standard V2") == (request.input_pixels, request.scale, request.model)
