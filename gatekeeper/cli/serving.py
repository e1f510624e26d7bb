"""`serve` and `demo`: the gateway, until it is told to stop."""

from pathlib import Path

from gatekeeper.app import run_until_done
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.options import AdminPortOption, ConfigOption, PortOption, WorkersOption
from gatekeeper.logs import configure_logs
from gatekeeper.settings import Settings
from gatekeeper.workers.lead import serve as serve_in_processes


def serve(
    config: ConfigOption = None,
    port: PortOption = None,
    admin_port: AdminPortOption = None,
    workers: WorkersOption = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    When both planes accept requests it logs one line, server.started, with their addresses. What is in flight when it
    is told to stop may finish and settle. SIGHUP reads the catalog anew. With several workers the process that was
    started leads them: it has the admin plane, takes the signals, and starts a worker again that dies.
    """
    settings = _settings(config, port, admin_port, workers)
    configure_logs(settings.log.level, settings.log.format)
    run_until_done(serve_in_processes(settings))


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
    from gatekeeper import demo as demonstration  # noqa: PLC0415 - has a provider of its own, which serve has not

    settings = _settings(config, port, admin_port, workers)
    configure_logs(settings.log.level, settings.log.format)
    run_until_done(demonstration.demo(settings))


def _settings(config: Path | None, port: int | None, admin_port: int | None, workers: int | None) -> Settings:
    """The settings with what the command line says over file and environment."""
    settings = find_settings(config)
    given = {"port": port, "admin_port": admin_port, "workers": workers}
    server = settings.server.model_copy(update={name: value for name, value in given.items() if value is not None})
    return settings.model_copy(update={"server": server})
