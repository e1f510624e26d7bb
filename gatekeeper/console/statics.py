"""Style sheets and scripts. They are read once, and only what was read is served: a path is a name in a table, so none
leads out of it. The hash of what a file holds is in its address, so browsers keep it until it changes.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

PREFIX: Final = "/static/"

FOLDER: Final = Path(__file__).with_name("static")

HASH_CHARS: Final = 16
"""64 bits: two versions of a file never have the same."""

KEPT_FOR_S: Final = 365 * 86_400
"""A year; the address changes with the file."""

TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".json": "application/json",
    ".md": "text/plain",
}
"""What there may be; a file of another kind is not served."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is served."""

    content: bytes
    content_type: str
    url: str


class Statics:
    """The files of a folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in TYPES)
        self._by_name = {str(path.relative_to(folder).as_posix()): path for path in found}
        self._files = {name: _read(name, path) for name, path in self._by_name.items()}
        self._by_url = {file.url: file for file in self._files.values()}

    def url(self, name: str) -> str:
        """Where this file is. Raises KeyError for one that is not there, which a template has misspelt."""
        return self._files[name].url

    def answer(self, path: str) -> web.Response:
        """The file at this address. Raises HTTPNotFound."""
        file = self._by_url.get(path)
        if file is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": f"public, max-age={KEPT_FOR_S}, immutable"}
        return web.Response(body=file.content, content_type=file.content_type, charset="utf-8", headers=headers)


def _read(name: str, path: Path) -> StaticFile:
    content = path.read_bytes()
    mark = hashlib.sha256(content).hexdigest()[:HASH_CHARS]
    return StaticFile(content, TYPES[path.suffix], f"{PREFIX}{mark}/{name}")
