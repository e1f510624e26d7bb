"""Under which names the admin port is taken to be meant.

A page of somebody else can have its own name lead to this port, and read what needs no token as if it were its own (DNS
rebinding). It cannot have an address for its name, nor a name that nobody can register.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from gatekeeper.core.rejection import quoted

LOOPBACK: Final = "localhost"


@dataclass(frozen=True, slots=True)
class HostNames:
    """The names that count. `are_all`: nobody has said which, and who asks is not on this machine alone."""

    named: tuple[str, ...] = ()
    are_all: bool = True

    @classmethod
    def of(cls, bound: str, named: Iterable[str]) -> "HostNames":
        """Those of a port at this address, which is one of them, where these are `named`; one that begins with a dot is
        all names below."""
        names = tuple(named)
        return cls((*names, bound.lower()), are_all=not names and not _is_loopback(bound))

    def refusal(self, host: str) -> str | None:
        """Why a `Host` header is none of this port's, or nothing."""
        name = _name_in(host)
        is_anybodys = "." in name and not name.endswith(f".{LOOPBACK}") and not _is_address(name)
        if self.are_all or not is_anybodys or any(_fits(name, each) for each in self.named):
            return None
        return (
            f"{quoted(name)} is no name of the admin port. If it is one, add it to server.admin_hosts; an address, and "
            "a name without a dot, are always taken."
        )


def _fits(name: str, known: str) -> bool:
    return name == known or (known.startswith(".") and name.endswith(known))


def _name_in(host: str) -> str:
    """A `Host` header without its port, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(bound: str) -> bool:
    return ip_address(bound).is_loopback if _is_address(bound) else bound.lower() == LOOPBACK
