"""Reads the text parts of a multipart form and measures its files, without keeping either.

Parsers of multipart differ more than those of JSON: in what ends a line, in which of two headers counts, in what
makes a part a file. Whatever could be read as something else by the provider's parser is refused here, so that the
form we priced is the form it makes. The parsing itself is python-multipart's; it is lenient where the checks in this
module are not. Files are never kept or decoded; of pictures the head is read, for it tells their size.
"""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from gatekeeper.dialects.complaints import malformed
from gatekeeper.dialects.contenttype import read_content_type
from gatekeeper.dialects.form import FilePart, Form, FormFields, TextPart
from gatekeeper.dialects.picturesize import SizeReader

PARTS_MAX = 128
"""An edit takes 16 images, a mask and a dozen settings."""

HEADERS_BYTES_MAX = 4096
"""The headers of one part: a name, a file name, a type."""

HEADERS_MAX = 8
"""Headers of one part; two or three are in use."""

TEXT_KEPT_BYTES = 512
"""A longer text part is measured only."""

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_NAME = r"[A-Za-z0-9_.\[\]-]{1,100}"
_DISPOSITION = re.compile(
    rf'form-data[ \t]*;[ \t]*name=(?:"(?P<quoted>{_NAME})"|(?P<plain>{_NAME}))'
    r'(?:[ \t]*;[ \t]*filename=(?:"(?P<file>[^"\\]+)"|(?P<plainfile>[A-Za-z0-9_.-]+))'
    r"(?:[ \t]*;[ \t]*filename\*=[A-Za-z0-9!#$%&'+.^_`|~-]+)?)?[ \t]*",  # .NET says the name both ways
    re.IGNORECASE,
)
_PLAIN_ENCODINGS = frozenset({"7bit", "8bit", "binary"})
_TEXT_CHARSETS = frozenset({"utf-8", "us-ascii"})


def read_form(content_type: str, body: Sequence[bytes]) -> FormFields:
    """The fields of a multipart body. Raises `Rejected` (malformed_request) for one that is cut or can be misread."""
    boundary = read_boundary(content_type)
    if boundary is None:
        raise malformed("Content-Type must be multipart/form-data with one boundary of usual characters.")
    reading = _Reading()
    delimiters = _Delimiters(boundary)
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": reading.begin_part,
            "on_header_field": reading.header_name,
            "on_header_value": reading.header_value,
            "on_header_end": reading.end_header,
            "on_headers_finished": reading.end_headers,
            "on_part_data": reading.data,
            "on_part_end": reading.end_part,
            "on_end": reading.end,
        },
    )
    try:
        for chunk in body:
            delimiters.feed(chunk)
            parser.write(chunk)
    except FormParserError:
        raise malformed("The multipart body is not well formed.") from None
    if not reading.ended:
        raise malformed("The multipart body is cut short: its closing boundary is missing.")
    delimiters.check(reading.parts)
    return FormFields(reading.form)


def read_boundary(content_type: str) -> bytes | None:
    """The boundary of a `multipart/form-data` type, or None when it is missing, odd, or beside other parameters."""
    match read_content_type(content_type):
        case ("multipart/form-data", {"boundary": boundary, **others}) if _BOUNDARY.fullmatch(boundary):
            plain = all(name == "charset" and text.lower() == "utf-8" for name, text in others.items())
            return boundary.encode() if plain else None
        case _:
            return None


class _Delimiters:
    """Finds every place where the boundary stands, so that none is a delimiter to one parser and text to another."""

    __slots__ = ("_edge", "_head", "_needle", "_places", "_plain", "_tail")

    def __init__(self, boundary: bytes) -> None:
        self._needle = b"--" + boundary
        self._head = b""
        self._tail = b""
        self._edge = b""
        self._places = 0
        self._plain = 0

    def feed(self, chunk: bytes) -> None:
        overlap = len(self._needle) + 1
        if len(self._head) < overlap + 1:
            self._head += chunk[: overlap + 1 - len(self._head)]
        self._places += self._count(chunk, self._needle)
        self._plain += self._count(chunk, self._needle + b"\r\n")
        self._edge = (self._edge + chunk[-overlap:])[-overlap:]
        self._tail = (self._tail + chunk[-(overlap + 6) :])[-(overlap + 6) :]
        if self._places > PARTS_MAX + 1:
            raise malformed(f"The form has more than {PARTS_MAX} parts.")

    def _count(self, chunk: bytes, needle: bytes) -> int:
        """Places that end in this chunk, those that began in the one before included."""
        before = self._edge[-(len(needle) - 1) :]
        seam = before + chunk[: len(needle) - 1]
        return _places(seam, needle) + _places(chunk, needle)

    def check(self, parts: int) -> None:
        """Raises unless the body is delimiters and parts from its first byte to its last and nothing else."""
        closed = self._tail.removesuffix(b"\r\n").endswith(b"\r\n" + self._needle + b"--")
        if not self._head.startswith(self._needle + b"\r\n") or not closed:
            raise malformed("The multipart body has bytes before its first or after its last boundary.")
        if self._places != parts + 1 or self._plain != parts:
            raise malformed("The boundary of the multipart body stands where it delimits nothing; choose another.")


def _places(data: bytes, needle: bytes) -> int:
    count, at = 0, data.find(needle)
    while at >= 0 and count <= PARTS_MAX + 1:
        count, at = count + 1, data.find(needle, at + 1)
    return count


class _Reading:
    """What the parser's callbacks build: the form so far and the part that is open."""

    __slots__ = (
        "_decoder",
        "_headers",
        "_headers_bytes",
        "_length",
        "_name",
        "_part",
        "_size",
        "_text",
        "_value",
        "ended",
        "form",
        "parts",
    )

    def __init__(self) -> None:
        self.form = Form()
        self.parts = 0
        self.ended = False

    def begin_part(self) -> None:
        self.parts += 1
        if self.parts > PARTS_MAX:
            raise malformed(f"The form has more than {PARTS_MAX} parts.")
        self._headers: dict[str, str] = {}
        self._headers_bytes = 0
        self._name, self._value = b"", b""

    def header_name(self, data: bytes, start: int, stop: int) -> None:
        self._count_header_bytes(stop - start)
        self._name += data[start:stop]

    def header_value(self, data: bytes, start: int, stop: int) -> None:
        self._count_header_bytes(stop - start)
        self._value += data[start:stop]

    def _count_header_bytes(self, count: int) -> None:
        self._headers_bytes += count
        if self._headers_bytes > HEADERS_BYTES_MAX:
            raise malformed(f"The headers of a part are longer than {HEADERS_BYTES_MAX} bytes.")

    def end_header(self) -> None:
        try:
            name, value = self._name.decode("ascii").lower(), self._value.decode().strip(" \t")
        except UnicodeDecodeError:
            raise malformed("A part has a header that is not UTF-8.") from None
        if not _HEADER_NAME.fullmatch(name) or not value.isprintable():
            raise malformed("A part has a header with characters that do not belong there.")
        if name in self._headers or len(self._headers) == HEADERS_MAX:
            raise malformed(f"A part has a header twice, or more than {HEADERS_MAX}.")
        self._headers[name] = value
        self._name, self._value = b"", b""

    def end_headers(self) -> None:
        self._part = _read_headers(self._headers)
        self._length = 0
        self._size = SizeReader()
        self._text = bytearray()
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._refuse_twice()

    def _refuse_twice(self) -> None:
        """Files may share a name (that is how several are sent); a text may share it with nothing."""
        name = self._part.name
        with_a_file = not self._part.is_file and any(file.name == name for file in self.form.files)
        if (name in self.form.texts and not name.endswith("[]")) or with_a_file:
            raise malformed(f"The form has the field {name} twice.")

    def data(self, data: bytes, start: int, stop: int) -> None:
        if self._part.is_file:
            self._length += stop - start
            if not self._size.done:
                self._size.feed(memoryview(data)[start:stop])
            return
        piece = data[start:stop]
        self._text += piece[: TEXT_KEPT_BYTES + 1 - len(self._text)]
        self._length += len(self._decode(piece))

    def _decode(self, piece: bytes, *, final: bool = False) -> str:
        try:
            return self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            raise malformed(f"The field {self._part.name} is not UTF-8.") from None

    def end_part(self) -> None:
        part = self._part
        if part.is_file:
            file = FilePart(part.name, part.filename, part.content_type, self._length, self._size.pixels)
            self.form.files.append(file)
            return
        self._length += len(self._decode(b"", final=True))
        text = self._text.decode() if len(self._text) <= TEXT_KEPT_BYTES else None
        self.form.texts[part.name] = TextPart(self._length, text)

    def end(self) -> None:
        self.ended = True


@dataclass(frozen=True, slots=True)
class _PartHead:
    name: str
    filename: str
    content_type: str
    is_file: bool


def _read_headers(headers: dict[str, str]) -> _PartHead:
    """What a part is, or a refusal where parsers differ: extended names, an empty file name, an odd encoding."""
    disposition = _DISPOSITION.fullmatch(headers.get("content-disposition", ""))
    if disposition is None:
        raise malformed(
            'Each part needs one header Content-Disposition: form-data; name="..." (and filename="..." for a file), '
            "in plain characters."
        )
    name = disposition["quoted"] or disposition["plain"]
    filename = disposition["file"] or disposition["plainfile"]
    content_type = headers.get("content-type", "")
    if headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN_ENCODINGS:
        raise malformed(f"The part {name} has a Content-Transfer-Encoding; send its bytes as they are.")
    if name == "_charset_" or (filename is None and not _is_plain_text(content_type)):
        raise malformed(f"The field {name} must be plain text in UTF-8, or a file with a file name.")
    return _PartHead(name, filename or "", content_type, filename is not None)


def _is_plain_text(content_type: str) -> bool:
    if not content_type:
        return True
    match read_content_type(content_type):
        case ("text/plain", parameters):
            return all(n == "charset" and text.lower() in _TEXT_CHARSETS for n, text in parameters.items())
        case _:
            return False
