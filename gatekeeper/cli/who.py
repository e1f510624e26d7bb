"""Who does it and why: what every command that changes something writes into the journal."""

import getpass
import os
from typing import Annotated

import typer

WhyOption = Annotated[
    str, typer.Option("--why", metavar="TEXT", help="The reason, for the journal; who did it is added.")
]


def who() -> str:
    """The user of this machine who runs the command, as the journal has it."""
    try:
        return getpass.getuser()[:128]
    except (KeyError, OSError):  # a container may run as a number that no user has
        return f"uid {os.getuid()}"
