"""A front door that ends TLS before the gateway, as a deployment has one: for SDKs that speak https only."""

import asyncio
import contextlib
import ssl
from pathlib import Path
from urllib.parse import urlsplit

CERTIFICATE = Path(__file__).parents[1] / "upstream" / "localhost.pem"
"""Key and self-signed certificate for localhost; a client that trusts it is given it as its authority."""

CHUNK_BYTES = 64 * 1024

CLOSING_S = 1.0
"""For a peer that does not say goodbye."""


class TlsRelay:
    """Listens on a free port of localhost and passes every byte on to `target`, which may be named later."""

    def __init__(self, certificate: Path = CERTIFICATE, key: Path | None = None) -> None:
        self._files = certificate, key
        self.target = ""
        self.url = ""
        self._server: asyncio.Server | None = None
        self._ways: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._files)
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0, ssl=context)
        self.url = f"https://localhost:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(self.target)
        there, back = await asyncio.open_connection(parts.hostname, parts.port)
        for source, sink in ((reader, back), (there, writer)):
            way = asyncio.create_task(_pass_on(source, sink))
            self._ways.add(way)
            way.add_done_callback(self._ways.discard)


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Until its source ends; then the other side hears the end, too."""
    try:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while chunk := await source.read(CHUNK_BYTES):
                sink.write(chunk)
                await sink.drain()
    finally:
        sink.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
            await asyncio.wait_for(sink.wait_closed(), CLOSING_S)
