"""nginx as a pass-through, and nginx with Lua as a gate, where they are installed (Debian: nginx,
libnginx-mod-http-lua, lua-cjson). Both are one process on the measured core."""

import asyncio
import os
import shutil
import time
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from benchmarks.lab import POLL_S, READY_S, Lab, NotStartedError, Running, free_port
from benchmarks.servers import BROKE_KEY, CREDITS, KEY, MODEL

HERE: Final = Path(__file__).parent
MODULES: Final = (Path("/usr/lib/nginx/modules"), Path("/usr/lib64/nginx/modules"), Path("/usr/local/nginx/modules"))
GRANT: Final = 900_000_000
"""Credits of the Lua gate's team."""


def nginx_binary() -> str | None:
    """Where it is, if it is."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def lua_modules() -> Path | None:
    """The directory that has the Lua module, if one does."""
    return next((path for path in MODULES if (path / "ngx_http_lua_module.so").exists()), None)


async def start_nginx(lab: Lab, upstream: str) -> Running:
    """The pass-through."""
    return await _start(lab, "nginx", "pass.conf", upstream)


async def start_lua_gate(lab: Lab, upstream: str, store_url: str) -> Running:
    """The gate in Lua, with a store of its own in which its team has credits."""
    redis = Redis.from_url(store_url)
    await redis.hset("{bench}:bal", "left", str(GRANT))
    await redis.aclose()
    return await _start(
        lab, "lua", "gate.conf", upstream, GATE_STORE=store_url.replace("unix://", "unix:", 1), GATE_KEY=KEY,
        GATE_BROKE_KEY=BROKE_KEY, GATE_CREDITS=str(CREDITS[MODEL]),
    )  # fmt: skip


async def lua_books(store_url: str) -> dict[str, int]:
    """What the Lua gate has charged and holds, in credits, and its open holds."""
    redis = Redis.from_url(store_url, decode_responses=True)
    charged, held = await redis.hmget("{bench}:bal", "charged", "held")
    found = {"charged": int(charged or 0), "held": int(held or 0), "open_holds": await redis.hlen("{bench}:open")}
    await redis.aclose()
    return found


async def _start(lab: Lab, name: str, template: str, upstream: str, **environment: str) -> Running:
    cwd, port = lab.folder(name), free_port()
    cwd.chmod(0o755)
    text = (HERE / template).read_text()
    for mark, value in (
        ("@DIR@", cwd), ("@PORT@", port), ("@UPSTREAM@", upstream.removeprefix("http://")), ("@LUA@", HERE),
        ("@MODULES@", lua_modules()),
    ):  # fmt: skip
        text = text.replace(mark, str(value))
    config = cwd / "nginx.conf"
    config.write_text(text)
    command: list[str | Path] = [str(nginx_binary()), "-p", cwd, "-c", config, "-e", cwd / "error.log"]
    found = lab.start(name, command, lab.cores.measured, cwd=cwd, **environment)
    found.url = f"http://127.0.0.1:{port}"
    await until_listening(found, port)
    return found


async def until_listening(process: Running, port: int) -> None:
    """Wait for its port. Raises NotStartedError if it ends before, or takes too long."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until and process.process.poll() is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(POLL_S)
            continue
        writer.close()
        return
    told = [path.read_text() for path in process.log.parent.glob("*.log")]
    raise NotStartedError(f"{process.name} did not start: {' '.join(told)}")
