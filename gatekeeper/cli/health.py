"""`health`: how the gateway on this machine is, for people and for supervisors."""

from typing import Annotated

import typer

from gatekeeper import health as asking
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.options import ConfigOption
from gatekeeper.cli.show import say

AliveOption = Annotated[bool, typer.Option("--alive", help="Only whether it answers, whatever its store does.")]


def health(config: ConfigOption = None, alive: AliveOption = False) -> None:
    """Ask the gateway on this machine whether it is ready to take requests.

    Exit code 0 if it is, 1 if it is not or nobody answers. `python -m gatekeeper.health` asks the same at the port in
    GATEKEEPER_SERVER__ADMIN_PORT and starts at once, for containers.
    """
    settings = find_settings(config)
    server, named = settings.server, settings.server.admin_tls_certificate
    certificate = None if named is None else settings.base_dir / named
    path = asking.ALIVE if alive else asking.READY
    well, says = asking.ask(server.admin_host, server.admin_port, path, certificate)
    if not well:
        say(says)
        raise typer.Exit(1)
    print(says)
