"""nginx as Debian has it, with the example configuration that is shipped, on ports of a test's own."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.ledger.topologies import free_port
from tests.system.storeserver import until_listening

SHIPPED = Path(__file__).parents[2] / "config" / "forward-auth" / "nginx.conf"
WITHOUT = "nginx is not here: apt-get install nginx-light (Debian, Ubuntu), or your system's package of it"


def nginx_binary() -> str:
    """Where it is; the test is left out where it is not, or fails where none may be."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(WITHOUT)
    return found


@asynccontextmanager
async def nginx(directory: Path, gateways: list[str], service: str) -> AsyncIterator[str]:
    """Runs it in front of a service; gives its URL. Only addresses and places of files are changed."""
    port = free_port()
    text = SHIPPED.read_text()
    servers = " ".join(f"server {gateway.removeprefix('http://')};" for gateway in gateways)
    temporary = " ".join(
        f"{name}_temp_path {directory / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    for old, new in (
        ("server 127.0.0.1:8080;", servers),
        ("127.0.0.1:9000", service.removeprefix("http://")),
        ("127.0.0.1:8000", f"127.0.0.1:{port}"),
        ("http {\n", f"http {{ access_log off; {temporary}\n"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    async with running_nginx(directory, text, port, f"pid {directory}/pid; worker_processes 1;"):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def running_nginx(directory: Path, text: str, port: int, settings: str = "") -> AsyncIterator[None]:
    """Runs it with this configuration, and these further settings, until the block ends."""
    config = directory / "nginx.conf"
    config.write_text(text)
    settings = f"daemon off; {settings}{' user root;' if os.geteuid() == 0 else ''}"
    arguments = ("-p", str(directory), "-c", str(config), "-e", str(directory / "error.log"), "-g", settings)
    process = await asyncio.create_subprocess_exec(nginx_binary(), *arguments)
    try:
        await until_listening(port)
        yield
    finally:
        process.terminate()
        await process.wait()
