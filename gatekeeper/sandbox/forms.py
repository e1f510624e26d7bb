"""Reading a multipart form that is in memory already."""

from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gatekeeper.sandbox.call import ProviderError

PARTS_MAX = 64
"""16 images, a mask, and every text field there is, with room to spare."""


@dataclass(slots=True)
class Part:
    """One part of a form. `file_name` is None for a text field."""

    name: str = ""
    file_name: str | None = None
    header: bytearray = field(default_factory=bytearray)
    header_value: bytearray = field(default_factory=bytearray)
    data: bytearray = field(default_factory=bytearray)


def read_form(content_type: str, body: bytes) -> list[Part]:
    """The parts of a form in their order. CPU work that grows with the body: keep it off the event loop.

    Raises:
        ProviderError: 400 for another content type, a damaged form, one that ends too early, too many parts.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise ProviderError(400, "Send multipart/form-data with a boundary.", code="invalid_content_type")
    form = _Form()
    try:
        MultipartParser(boundary, form.callbacks()).write(body)
    except FormParserError as error:
        raise ProviderError(400, f"The form is damaged: {error}.", code="invalid_multipart") from error
    if not form.complete:
        raise ProviderError(400, "The form ends before its closing boundary.", code="invalid_multipart")
    return form.parts


class _Form:
    """Collects what the push parser reports."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.complete = False

    def callbacks(self) -> Any:
        # Typed as a TypedDict that the library shows to type checkers only.
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self.parts[-1].header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self.parts[-1].header_value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_part_data": lambda data, start, end: self.parts[-1].data.extend(data[start:end]),
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) == PARTS_MAX:
            raise ProviderError(400, f"The form has more than {PARTS_MAX} parts.", code="invalid_multipart")
        self.parts.append(Part())

    def _header(self) -> None:
        part = self.parts[-1]
        if part.header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(part.header_value))
            part.name = options.get(b"name", b"").decode("utf-8", "replace")
            file_name = options.get(b"filename")
            part.file_name = None if file_name is None else file_name.decode("utf-8", "replace")
        part.header.clear()
        part.header_value.clear()

    def _end(self) -> None:
        self.complete = True
