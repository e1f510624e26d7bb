"""Opens the two ports: what they are served by, and at which address that is."""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from aiohttp import web

from gatekeeper.admin.hostnames import HostNames
from gatekeeper.admin.plane import AdminPlane, refuse_unparsable, refused_by_http
from gatekeeper.console.dataport import data_port_of
from gatekeeper.console.mounting import console_of
from gatekeeper.proxy.gate import Gate
from gatekeeper.proxy.server import DataPlane
from gatekeeper.recent import Feed
from gatekeeper.sections import ServerSettings
from gatekeeper.settings import Settings
from gatekeeper.web.accepting import Site
from gatekeeper.web.front import FrontRunner, FrontServer
from gatekeeper.web.senders import Senders
from gatekeeper.web.tls import Certificate

HEADER_LINE_BYTES_MAX: Final = 16 * 1024
"""One header or request line: twice what any SDK sends, for long bearer tokens and signed queries."""

SHUTDOWN_GRACE_S_MIN: Final = 0.01
"""At once, as near as makes no difference."""

ADMIN_GRACE_S: Final = 5.0
"""So long operators' requests may take as the gateway stops, after those of callers: most take a few milliseconds."""

CONNECTIONS_WAITING_MAX: Final = 4096
"""New connections that the system keeps until the event loop takes them, for bursts (Linux's own limit is the same by
default). Beyond it they are dropped unanswered, and the client's system tries again a second later."""

ADMIN_CONNECTIONS_MAX: Final = 1024
"""Of operators and their programs; further ones are closed unanswered."""


async def listen_admin(
    settings: Settings, admin: AdminPlane, stack: AsyncExitStack, recent: Feed, certificate: Certificate | None = None
) -> str:
    """The admin plane and its console until the stack is closed; its URL. Raises OSError."""
    server = settings.server
    hosts = HostNames.of(server.admin_host, server.admin_hosts)
    admin = replace(admin, senders=Senders(server.trusted_proxies), hosts=hosts)
    application = admin.application(console_of(admin, recent, data_port_of(settings)))
    runner = FrontRunner(
        application,
        refuse_unparsable,
        refused_by_http,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=server.head_timeout_s,
        unread_s=server.client_write_timeout_s,
        shutdown_timeout=ADMIN_GRACE_S,
    )
    site = Site(
        await _ready(runner, stack),
        server.admin_host,
        server.admin_port,
        backlog=CONNECTIONS_WAITING_MAX,
        connections_max=ADMIN_CONNECTIONS_MAX,
    )
    return await _listen(runner, site, certificate)


async def listen_data(server: ServerSettings, gate: Gate, stack: AsyncExitStack, *, shared: bool = False) -> str:
    """The data plane until the stack is closed; its URL. `shared`: other processes listen on the port too, and the
    system deals the connections out. Raises OSError."""
    plane = DataPlane(gate)
    front = FrontServer(
        plane.handle if gate.spans is None else gate.spans.around(gate, plane.handle),
        plane.refuse_unparsable,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=server.head_timeout_s,
        unread_s=server.client_write_timeout_s,
        on_cut_off=gate.in_flight.cut_off,
        max_line_size=HEADER_LINE_BYTES_MAX,
        max_field_size=HEADER_LINE_BYTES_MAX,
    )
    # To aiohttp a grace of exactly 0 means no limit.
    runner = web.ServerRunner(front, shutdown_timeout=max(server.shutdown_grace_s, SHUTDOWN_GRACE_S_MIN))
    site = Site(
        await _ready(runner, stack),
        server.host,
        server.port,
        backlog=CONNECTIONS_WAITING_MAX,
        connections_max=server.connections_max,
        full=plane.refuse_connection,
        shared=shared,
    )
    return await _listen(runner, site, gate.certificate)


async def _ready(runner: web.BaseRunner, stack: AsyncExitStack) -> web.BaseRunner:
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return runner


async def _listen(runner: web.BaseRunner, site: Site, certificate: Certificate | None) -> str:
    if certificate is not None:
        site.encrypt(lambda: certificate.context)
    await site.start()
    bound_host, bound_port = runner.addresses[0][:2]
    return http_url(bound_host, bound_port, tls=certificate is not None)


def http_url(host: str, port: int, *, tls: bool = False) -> str:
    """The address of something that listens there."""
    shown = f"[{host}]" if ":" in host else host
    return f"http{'s' if tls else ''}://{shown}:{port}"
