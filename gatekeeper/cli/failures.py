"""What went wrong, in lines for people: the outermost edge of every command. Only a bug of ours shows a traceback."""

import errno
import os
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, ParamSpec

import typer

from gatekeeper.admin.problems import AdminProblem
from gatekeeper.cli.show import cell, plain, say
from gatekeeper.cli.typed import as_typed, in_options
from gatekeeper.core.rejection import Rejected
from gatekeeper.ledger.errors import LedgerConflict, LedgerError, LedgerUnavailable
from gatekeeper.workers.failed import WorkersFailed
from gatekeeper.yamlfile import ConfigError

Parameters = ParamSpec("Parameters")

STORE_VARIABLE: Final = "GATEKEEPER_STORE__URL"

_ADDRESS = re.compile(r"\('(?P<host>[^']+)', (?P<port>\d+)")
"""How the event loop writes the address that it could not bind."""


def told_plainly(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """The command with its foreseeable failures told on stderr, and exit code 1 for them."""

    @wraps(command)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except BrokenPipeError:
            raise  # whoever read our output has had enough; that is no failure to tell
        except AdminProblem as problem:
            say(
                "\n".join(as_typed(each, command, kwargs) for each in problem.violations)
                or _told_by_api(problem, command)
            )
            raise typer.Exit(1) from None
        except (ConfigError, LedgerError, Rejected, WorkersFailed, OSError) as error:
            say(told(error))
            raise typer.Exit(1) from None

    return run


def _told_by_api(problem: AdminProblem, command: Callable[..., None]) -> str:
    """What the API says, and for an id that is taken, what is there and what was asked."""
    other: dict[str, dict[str, Any]] = plain(problem.facts).get("differs", {})
    lines = [f"{name}: it is {_value(two['is'])}, and {_value(two['asked'])} was asked." for name, two in other.items()]
    return "\n".join([in_options(problem.detail, command), *lines])


def _value(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
        case None | []:
            return "none"
        case _:
            return cell(value)


def told(error: ConfigError | LedgerError | Rejected | WorkersFailed | OSError) -> str:
    """What happened and what to do."""
    match error:
        case Rejected():
            return error.rejection.detail
        case LedgerUnavailable():
            return (
                f"The store cannot be reached: {error}. Check that it runs and that {_store_stated()} is its address."
            )
        case LedgerConflict():
            return f"The store was changed meanwhile: {error}. Nothing is lost; run the command again."
        case OSError():
            return _told_by_system(error)
        case _:
            return str(error)


def _store_stated() -> str:
    """Where its address comes from: a variable that somebody has set and forgotten goes before the file."""
    return f"{STORE_VARIABLE}, which goes before store.url," if os.environ.get(STORE_VARIABLE) else "store.url"


def _told_by_system(error: OSError) -> str:
    found = _ADDRESS.search(str(error))
    address = f"{found['host']}:{found['port']}" if found else "the address"
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"{address} is in use: stop what listens there, or choose another --port or --admin-port (0: any free)."
            )
        case errno.EADDRNOTAVAIL:
            return f"{address} is no address of this machine: correct the host."
        case errno.EACCES if found:
            return f"{address} may not be used by this user: choose a port from 1024 on."
        case _:
            return f"The system refused: {error}."
