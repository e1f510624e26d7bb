"""Where pictures and films are made: off the event loop, a few at a time, with a cache that is bounded in bytes.

Also remembers what a file URL stands for. It keeps the spec, not the picture, and draws again when asked:
a thousand fetchable files cost two megabytes, not two thousand.
"""

import asyncio
import hashlib
import os
from collections import OrderedDict

from PIL import Image

from gatekeeper.sandbox.movie import MovieSpec, film
from gatekeeper.sandbox.picture import PictureSpec, paint

Spec = PictureSpec | MovieSpec

PAINTERS_MAX = 4
"""Pictures drawn at once. Each may need 120 MB while it is drawn, and more than the cores would not be faster."""


class Studio:
    """Draws pictures and finds them again. Belongs to one event loop."""

    def __init__(self, *, cache_bytes: int, files: int) -> None:
        self._cache_bytes_max = cache_bytes
        self._files_max = files
        self._cache: OrderedDict[Spec, bytes] = OrderedDict()
        self._cache_bytes = 0
        self._files: OrderedDict[str, Spec] = OrderedDict()
        self._painters = asyncio.Semaphore(min(PAINTERS_MAX, os.cpu_count() or 1))

    @property
    def cached_bytes(self) -> int:
        """Memory held by encoded pictures now."""
        return self._cache_bytes

    @property
    def files_kept(self) -> int:
        """Files that can be fetched now."""
        return len(self._files)

    async def picture(self, spec: PictureSpec, backdrop: Image.Image | None = None) -> bytes:
        """The encoded picture. With a backdrop it is never cached: the spec alone does not decide it."""
        if backdrop is not None:
            async with self._painters:
                return await asyncio.to_thread(paint, spec, backdrop)
        return await self.encoded(spec)

    async def encoded(self, spec: Spec) -> bytes:
        """The bytes of a picture or a film."""
        if (known := self._recall(spec)) is not None:
            return known
        async with self._painters:
            # Whoever waited here may have been waiting for this very picture.
            if (known := self._recall(spec)) is not None:
                return known
            made = await asyncio.to_thread(_make, spec)
        self._remember(spec, made)
        return made

    def keep_file(self, spec: Spec) -> str:
        """A file name under which `spec` can be fetched until `files` newer ones have come. Equal specs share one."""
        name = f"{hashlib.sha256(repr(spec).encode()).hexdigest()[:24]}.{spec.suffix}"
        self._files[name] = spec
        self._files.move_to_end(name)
        while len(self._files) > self._files_max:
            self._files.popitem(last=False)
        return name

    def file(self, name: str) -> Spec | None:
        """What `name` stands for; None if it never existed or has been forgotten."""
        return self._files.get(name)

    def _recall(self, spec: Spec) -> bytes | None:
        if (known := self._cache.get(spec)) is not None:
            self._cache.move_to_end(spec)
        return known

    def _remember(self, spec: Spec, made: bytes) -> None:
        if spec in self._cache or len(made) > self._cache_bytes_max:
            return
        self._cache[spec] = made
        self._cache_bytes += len(made)
        while self._cache_bytes > self._cache_bytes_max:
            _, dropped = self._cache.popitem(last=False)
            self._cache_bytes -= len(dropped)


def _make(spec: Spec) -> bytes:
    return film(spec) if isinstance(spec, MovieSpec) else paint(spec)
