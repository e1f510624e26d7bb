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
    server = find_settings(config).server
    well, says = asking.ask(server.admin_host, server.admin_port, asking.ALIVE if alive else asking.READY)
    if not well:
        say(says)
        raise typer.Exit(1)
    print(says)
