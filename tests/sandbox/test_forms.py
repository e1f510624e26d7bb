"""Multipart forms are read exactly, or refused."""

import pytest

from gatekeeper.sandbox.call import ProviderError
from gatekeeper.sandbox.forms import PARTS_MAX, read_form
from tests.cases import each_case

TYPE = "multipart/form-data; boundary=edge"


def part(name: str, data: bytes, file_name: str | None = None) -> bytes:
    file = f'; filename="{file_name}"' if file_name else ""
    return f'--edge\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + data + b"\r\n"


def test_parts_come_out_as_they_went_in() -> None:
    """Names, file names and bytes, line ends and dashes inside included."""
    tricky = b"\r\n--edg\r\n\x00\xff--"
    body = part("prompt", "a café".encode()) + part("image[]", tricky, "in.png") + b"--edge--\r\n"

    read = [(p.name, p.file_name, bytes(p.data)) for p in read_form(TYPE, body)]

    assert [("prompt", None, "a café".encode()), ("image[]", "in.png", tricky)] == read


@each_case(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("", b""),
        (TYPE, b""),
        (TYPE, part("prompt", b"a cat")),
        (TYPE, part("prompt", b"a cat") + b"--edge"),
        (TYPE, b"no form at all"),
        (TYPE, part("p", b"x") * (PARTS_MAX + 1) + b"--edge--\r\n"),
    ],
    ids=["json", "no boundary", "no type", "empty", "no end", "half an end", "garbage", "too many parts"],
)
def test_a_damaged_form_is_refused(content_type: str, body: bytes) -> None:
    """Truncated, malformed or of another type: always 400."""
    with pytest.raises(ProviderError) as caught:
        read_form(content_type, body)

    assert 400 == caught.value.status
