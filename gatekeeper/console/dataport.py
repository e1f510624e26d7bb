"""The data plane as its callers see it: which providers it has, and at which address a browser's machine reaches it."""

import re
from dataclasses import dataclass
from typing import Final

from gatekeeper.console.snippets.fitting import Door
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.settings import Settings

HERE: Final = "127.0.0.1"

_HOST: Final = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
"""What a browser says that it came to. Anything else is no name of ours, and gets into no snippet."""


@dataclass(frozen=True, slots=True)
class DataPort:
    """`public_url` is what the settings say about the address, None: the host of the console, at `port`."""

    doors: tuple[Door, ...]
    public_url: str | None
    port: int
    scheme: str = "http"

    def url(self, host: str) -> str:
        """The data plane's address for somebody who reached the console at this host."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        found = _HOST.fullmatch(host)
        return f"{self.scheme}://{HERE if found is None else found[1]}:{self.port}"


def data_port_of(settings: Settings) -> DataPort:
    """As the settings have it."""
    doors = (
        Door(
            name=name,
            dialect_name=stated.dialect,
            dialect=DIALECTS.get(stated.dialect),
            offers_of=stated.offers_of or name,
            models=stated.models,
            host=stated.host,
        )
        for name, stated in settings.providers.items()
    )
    scheme = "http" if settings.server.tls_certificate is None else "https"
    return DataPort(tuple(doors), settings.server.public_url, settings.server.port, scheme)
