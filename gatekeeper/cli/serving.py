"""`serve` and `demo`: the gateway, until it is told to stop."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path

import typer

from gatekeeper import app
from gatekeeper import demo as demonstration
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.options import AdminPortOption, ConfigOption, PortOption, WorkersOption
from gatekeeper.logs import configure_logs
from gatekeeper.settings import Settings

WORKERS_MAX = 1
"""One process serves; a second one would need what a later version brings."""


def serve(
    config: ConfigOption = None,
    port: PortOption = None,
    admin_port: AdminPortOption = None,
    workers: WorkersOption = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    When both planes accept requests it logs one line, server.started, with their addresses. What is in flight when it
    is told to stop may finish and settle. SIGHUP reads the catalog anew.
    """
    settings = _settings(config, port, admin_port, workers)
    configure_logs(settings.log.level, settings.log.format)
    run_until_done(app.serve(settings))


def demo(
    config: ConfigOption = None,
    port: PortOption = None,
    admin_port: AdminPortOption = None,
    workers: WorkersOption = None,
) -> None:
    """Run the gateway in front of a sandbox provider, with a team, 1,000 credits and a key.

    Prints two curl commands to paste: one is forwarded, one is refused. Needs no account anywhere, and forgets
    everything when it ends.
    """
    settings = _settings(config, port, admin_port, workers)
    configure_logs(settings.log.level, settings.log.format)
    run_until_done(demonstration.demo(settings))


def _settings(config: Path | None, port: int | None, admin_port: int | None, workers: int | None) -> Settings:
    """The settings with what the command line says over file and environment."""
    if workers is not None and workers > WORKERS_MAX:
        raise typer.BadParameter(f"this version serves with {WORKERS_MAX} process", param_hint="--workers")
    settings = find_settings(config)
    given = {"port": port, "admin_port": admin_port, "workers": workers}
    server = settings.server.model_copy(update={name: value for name, value in given.items() if value is not None})
    return settings.model_copy(update={"server": server})


def run_until_done(main: Coroutine[None, None, None]) -> None:
    """Run on the fastest event loop this system has."""
    if sys.platform == "win32":
        asyncio.run(main)
        return
    import uvloop  # noqa: PLC0415 - not there on Windows

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
