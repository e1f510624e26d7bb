"""Where a provider is to be found through the gateway, as its caller sees the gateway."""

import re
from typing import Final

from aiohttp import web

from gatekeeper.proxy.gate import Gate, Provider
from gatekeeper.proxy.jobs.rewriting import Mount

_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


def mount_of(gate: Gate, request: web.BaseRequest, provider: Provider) -> Mount:
    """The provider's mount: below the gateway's address, or at a host name of its own if this request came by that."""
    host = request.headers.get("Host", "")
    if provider.host is not None and provider.host in host_names(host):
        scheme = (gate.public_url or f"{request.scheme}://").partition("://")[0]
        return Mount(f"{scheme}://{host}", provider.bases, provider.credential.hidden)
    return Mount(f"{public_url(gate, request)}/{provider.name}", provider.bases, provider.credential.hidden)


def public_url(gate: Gate, request: web.BaseRequest) -> str:
    """The gateway's own address: as it is configured, else as this caller spelled it."""
    if gate.public_url is not None:
        return gate.public_url
    host = request.headers.get("Host", "")
    return f"{request.scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"


def host_names(host: str) -> tuple[str, ...]:
    """What a provider may be configured as to have this `Host` to itself: with its port, or on every port."""
    name, colon, port = host.lower().rpartition(":")
    return (host.lower(), name) if colon and port.isdecimal() else (host.lower(),)
