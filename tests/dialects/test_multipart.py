"""Forms: what is read from them, and everything about them that two parsers might read in two ways."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from gatekeeper.core.rejection import Rejected, Rejection
from gatekeeper.core.request import GenerationRequest
from gatekeeper.dialects import openai as dialect
from gatekeeper.dialects.form import FormFields
from gatekeeper.dialects.multipart import PARTS_MAX, read_boundary, read_form
from tests.cases import each_case

BOUNDARY = "----boundary7MA4YWxkTrZu0gW"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
DISPOSITION = "Content-Disposition: form-data"
FILE = f'{DISPOSITION}; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG'


def text(name: str, value: str) -> str:
    return f'{DISPOSITION}; name="{name}"\r\n\r\n{value}'


def form(*parts: str, end: str = "--\r\n", boundary: str = BOUNDARY) -> bytes:
    """A body of these parts, each with its headers."""
    return ("".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}{end}").encode(
        "utf-8", "surrogateescape"
    )


def in_pieces(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def read(body: bytes, content_type: str = CONTENT_TYPE, piece_bytes: int = 10**6) -> FormFields:
    return read_form(content_type, in_pieces(body, piece_bytes))


def read_edit(*parts: str) -> GenerationRequest:
    route = dialect.find_route("POST", "/v1/images/edits")
    assert route is not None
    return dialect.read_request(route, CONTENT_TYPE, [form(*parts)])


def refused(call: Callable[[], Any]) -> Rejection:
    with pytest.raises(Rejected) as caught:
        call()
    return caught.value.rejection


@each_case("piece_bytes", [1, 2, 7, 64, 10**6])
def test_texts_and_files_are_found_in_any_chunks(piece_bytes: int) -> None:
    """Text parts are read, files measured, wherever the chunks are cut."""
    body = form(text("n", "2"), text("prompt", "a\r\nréd kite"), FILE, text("stream", "false"), text("size", "16x9"))

    fields = read(body, piece_bytes=piece_bytes)

    assert (2, 11, False, "16x9") == (
        fields.whole("n"),
        fields.text_length("prompt"),
        fields.flag("stream"),
        fields.text("size"),
    )
    assert fields.file_sizes_bytes("image") == (5,)


@each_case(
    "file",
    [
        f"{DISPOSITION}; name=image; filename=a.png; filename*=utf-8''a.png\r\n\r\nx",
        "content-disposition: form-data;name=image;filename=a.png\r\nContent-Length: 1\r\n\r\nx",
        f'Content-Type: image/png\r\n{DISPOSITION}; name="image"; filename="a b; c=é.png"\r\n\r\nx',
        f'{DISPOSITION}; name="image[]"; filename="blob"\r\nContent-Transfer-Encoding: binary\r\n\r\nx',
    ],
)
def test_spellings_that_nobody_misreads_are_read(file: str) -> None:
    """Unquoted names, both forms of a file name, and headers in any order are what some clients send."""
    assert read(form(file)).file_sizes_bytes("image") == (1,)


def test_an_edit_reads_numbers_from_texts() -> None:
    """In a form "2" is 2 and "true" is true."""
    request = read_edit(text("model", "m"), text("n", "2"), text("stream", "true"), text("prompt", "p"), FILE)

    assert GenerationRequest(
        model="m", operation=request.operation, outputs=2, stream=True, prompt_length=1
    ) == request  # fmt: skip


def test_a_large_file_is_not_kept() -> None:
    """A file of 8 MB with line ends and dashes in it is measured to the byte."""
    content = (b"\r\n--" + os.urandom(60)) * 125_000
    body = form(text("n", "1"), FILE + "@").replace(b"@", content)

    fields = read(body, piece_bytes=65_536)

    assert fields.file_sizes_bytes("image") == (len(content) + 5,)


@pytest.mark.parametrize(("as_list", "count"), [(False, 1), (True, 3)])
def test_the_sdk_s_own_form_is_read(tmp_path: Path, as_list: bool, count: int) -> None:
    """What OpenAI's SDK sends for an edit is understood, one picture or several."""
    picture = tmp_path / "kite.png"
    picture.write_bytes(b"\x89PNG" + bytes(3000))
    sent: list[GenerationRequest] = []
    route = dialect.find_route("POST", "/v1/images/edits")
    assert route is not None

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(dialect.read_request(route, request.headers["content-type"], [request.read()]))
        return httpx2.Response(200, json={"created": 1, "data": []})

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http, picture.open("rb") as file:
        client = openai.OpenAI(api_key="gk_test", base_url="http://gate.test/v1", http_client=http)
        images: Any = [file, *((f"{n}.png", b"x") for n in range(count - 1))] if as_list else file
        client.images.edit(model="m", prompt="a kite", image=images, n=2, size="1024x1024")

    assert [("m", 2, "1024x1024", 6)] == [(r.model, r.outputs, r.size, r.prompt_length) for r in sent]


def test_an_edit_without_a_picture_lacks_one() -> None:
    """No file, a text in its place, or an empty file is not a picture."""
    empty = FILE.partition("\r\n\r\n")[0] + "\r\n\r\n"

    codes = [refused(lambda parts=parts: read_edit(*parts)).code for parts in ([], [text("image", "x")], [empty])]  # type: ignore[misc]

    assert ["malformed_request", "missing_parameter", "missing_parameter"] == codes


@each_case(
    ("parts", "field"),
    [
        ([text("n", "2.0")], "n"),
        ([text("n", "02")], "n"),
        ([text("n", " 2")], "n"),
        ([text("n", "２")], "n"),
        ([text("n", "")], "n"),
        ([text("n", "9" * 19)], "n"),
        ([text("n[]", "2")], "n"),
        ([text("n", "1"), text("n[0]", "2")], "n"),
        ([text("stream", "yes")], "stream"),
        ([text("model", "m" * 300)], "model"),
        ([text("model", "m" * 30_000)], "model"),
        ([text("model", "a\nb")], "model"),
        ([f'{DISPOSITION}; name="n"; filename="n"\r\n\r\n2'], "n"),
        ([f'{DISPOSITION}; name="n[]"; filename="n"\r\n\r\n2', text("n", "1")], "n"),
        ([text("N", "10"), text("n", "1")], "N"),
    ],
)
def test_a_wrong_field_is_named(parts: Sequence[str], field: str) -> None:
    """A field of the wrong form, or of one that can be taken for another, is refused by name."""
    rejection = refused(lambda: read_edit(*parts, FILE))

    assert ("malformed_request", [field]) == (rejection.code, [v.field for v in rejection.violations])


PLAIN = text("n", "1")
AMBIGUOUS = {
    "no closing boundary": form(PLAIN, end=""),
    "half a closing boundary": form(PLAIN, end="-"),
    "cut in a part": form(PLAIN)[:60],
    "nothing": b"",
    "no part": form(),
    "bytes before the first boundary": b"hello\r\n" + form(PLAIN),
    "line end before the first boundary": b"\r\n" + form(PLAIN),
    "bytes after the last boundary": form(PLAIN) + b"n=10",
    "a part after the last boundary": form(PLAIN) + form(text("n", "10")),
    "line feeds only": form(PLAIN).replace(b"\r\n", b"\n"),
    "a boundary behind a bare line feed": form(text("prompt", f"p\n--{BOUNDARY}\r\n{text('n', '10')}")),
    "a boundary behind a bare carriage return": form(text("prompt", f"p\r--{BOUNDARY}\r\n{text('n', '10')}")),
    "a boundary followed by blanks": form(PLAIN, PLAIN.replace("n", "m")).replace(
        b"\r\n--" + BOUNDARY.encode() + b"\r\n", b"\r\n--" + BOUNDARY.encode() + b" \r\n"
    ),
    "a boundary in a header": form(f"X-Note: --{BOUNDARY}\r\n{PLAIN}"),
    "the same field twice": form(PLAIN, text("n", "10")),
    "a field and a file of one name": form(PLAIN, f'{DISPOSITION}; name="n"; filename="f"\r\n\r\n10'),
    "no disposition": form("Content-Type: text/plain\r\n\r\n1"),
    "no headers": form("\r\n1"),
    "two dispositions": form(f'{DISPOSITION}; name="x"\r\n{PLAIN}'),
    "two types": form(f"Content-Type: text/plain\r\nContent-Type: text/plain\r\n{PLAIN}"),
    "two names": form(f'{DISPOSITION}; name="n"; name="m"\r\n\r\n1'),
    "an extended name": form(f"{DISPOSITION}; name*=utf-8''n\r\n\r\n1"),
    "a name and an extended name": form(f"{DISPOSITION}; name=\"x\"; name*=utf-8''n\r\n\r\n1"),
    "an extended file name": form(f"{DISPOSITION}; name=\"n\"; filename*=utf-8''n\r\n\r\n1"),
    "an empty file name": form(f'{DISPOSITION}; name="n"; filename=""\r\n\r\n1'),
    "an empty name": form(f'{DISPOSITION}; name=""\r\n\r\n1'),
    "an escape in a name": form(f'{DISPOSITION}; name="\\n"\r\n\r\n1'),
    "an escape in a file name": form(f'{DISPOSITION}; name="n"; filename="a\\"b"\r\n\r\n1'),
    "a blank in a name": form(f'{DISPOSITION}; name="n "\r\n\r\n1'),
    "no name": form(f"{DISPOSITION}\r\n\r\n1"),
    "another disposition": form('Content-Disposition: attachment; name="n"\r\n\r\n1'),
    "a folded header": form(f'{DISPOSITION};\r\n name="n"\r\n\r\n1'),
    "a line feed in a header": form(f'{DISPOSITION}; name="n"\nX: y\r\n\r\n1'),
    "a header without a colon": form(f"nonsense\r\n{PLAIN}"),
    "base64": form(f"Content-Transfer-Encoding: base64\r\n{text('n', 'MTA=')}"),
    "a field of a file's type": form(f"Content-Type: application/octet-stream\r\n{PLAIN}"),
    "a field in another encoding": form(f"Content-Type: text/plain; charset=utf-16\r\n{PLAIN}"),
    "a field that sets the encoding": form(text("_charset_", "utf-16")),
    "text that is not UTF-8": form(text("n", "\udcff")),
    "text cut inside a character": form(text("n", "\udcc3")),
    "a header that is not UTF-8": form(f"X-A: \udcff\r\n{PLAIN}"),
    "too many parts": form(*(text(f"f{n}", "x") for n in range(PARTS_MAX + 1))),
    "too many headers": form("".join(f"X-{n}: y\r\n" for n in range(20)) + PLAIN),
    "endless headers": form(f"X-A: {'y' * 5000}\r\n{PLAIN}"),
    "an endless header name": form(f"X-{'y' * 5000}: y\r\n{PLAIN}"),
}


@each_case("body", AMBIGUOUS.values(), ids=AMBIGUOUS)
@each_case("piece_bytes", [1, 10**6])
def test_what_can_be_misread_is_refused(body: bytes, piece_bytes: int) -> None:
    """A form that is cut, or that another parser may read differently, is malformed."""
    assert refused(lambda: read(body, piece_bytes=piece_bytes)).code == "malformed_request"


@each_case(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=a b",
        'multipart/form-data; boundary="a b"',
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; Boundary=a; boundary=b",
        "multipart/form-data; boundary*=utf-8''a",
        "multipart/form-data; boundary=a, multipart/form-data; boundary=b",
        f"multipart/form-data; boundary={'a' * 71}",
        "multipart/form-data; boundary=a; charset=utf-16",
        "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=a;",
        "multipart/form-data boundary=a",
        'multipart/form-data; boundary="a',
        "multipart/form-data; boundary=é",
        "application/json",
        "",
    ],
)
def test_an_odd_boundary_is_refused(content_type: str) -> None:
    """Without exactly one plain boundary nothing is read."""
    assert refused(lambda: read(form(PLAIN, boundary="a"), content_type)).code == "malformed_request"


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=a-b",
        'Multipart/Form-Data;boundary="a-b"',
        "multipart/form-data; charset=UTF-8; BOUNDARY=a-b",
    ],
)
def test_usual_spellings_of_the_type_are_read(content_type: str) -> None:
    """Case, quotes and a UTF-8 charset make no difference."""
    assert read_boundary(content_type) == b"a-b"


def test_no_mistake_lets_a_part_through() -> None:
    """Whatever single byte of a form is lost, it is refused or says nothing that it did not say before."""
    body = form(text("n", "1"), FILE, text("size", "auto"))
    seen = set()

    for at in range(len(body)):
        with suppress(Rejected):
            fields = read(body[:at] + body[at + 1 :])
            seen.add((fields.whole("n"), fields.text("size")))

    assert seen <= {(1, "auto"), (1, None), (None, "auto")} | {(1, size) for size in ("uto", "ato", "auo", "aut")}
