"""How a command does what the admin API does: the same operation on the store, the same document as `--json`.

A command gives its operation the words of the command line; what is wrong with them, or is not there, comes back as the
API says it, with the names that are near. Nothing is decided here.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import typer
from pydantic import BaseModel, ValidationError

from gatekeeper.admin.operations.asking import Who, team_of
from gatekeeper.admin.problems import AdminProblem, unreadable
from gatekeeper.admin.teams_words import duration_ms
from gatekeeper.cli.locate import default_config_path, find_settings
from gatekeeper.cli.stores import those_there_are
from gatekeeper.cli.who import who
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.store import open_ledger

Done = TypeVar("Done")
Model = TypeVar("Model", bound=BaseModel)
Operation = Callable[[Ledger], Awaitable[Done]]

NEAR_MAX = 3
"""How many names that are near are worth reading."""

NEAR = 0.5
"""How alike two names are that differ in one letter of two."""

HOLDS_LOOKED_AT = 1000
"""Open holds among which a near one is looked for."""


def operate(config: Path | None, operation: Operation[Done], *, team: str = "", name: str = "") -> Done:
    """Do it on the store of this config. `team` and `name` are what it is about, as they were written: raises
    AdminProblem, and one about a thing that is not there says which ones are."""
    return asyncio.run(_operate(config, operation, team, name))


async def _operate(config: Path | None, operation: Operation[Done], team: str, name: str) -> Done:
    async with open_ledger(find_settings(config)) as store:
        try:
            return await operation(store.ledger)
        except AdminProblem as problem:
            raise await _with_names(store.ledger, problem, team, name, config) from None


async def _with_names(
    ledger: Ledger, problem: AdminProblem, team: str, name: str, config: Path | None
) -> AdminProblem:  # fmt: skip
    names_of = _NAMES.get(problem.code)
    if names_of is None:
        return problem
    names = await names_of(ledger, team)
    missing = team if problem.code == "team_not_found" and team not in names else name
    near = get_close_matches(missing, names, n=NEAR_MAX, cutoff=NEAR)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    store = "" if names or problem.code != "team_not_found" else f" The configuration is {_config_in_use(config)}."
    return AdminProblem(problem.code, f"{problem.detail} {hint}{those_there_are(names)}{store}")


def _config_in_use(config: Path | None) -> str:
    return str(config or default_config_path() or "that of the package")


async def _teams(ledger: Ledger, _: str) -> list[str]:
    return sorted({team_id async for team_id in ledger.teams()})


async def _keys(ledger: Ledger, team: str) -> list[str]:
    return [key.key_id for key in await ledger.keyring.of_team(team)]


async def _grants(ledger: Ledger, team: str) -> list[str]:
    return [grant.id for grant in await ledger.grants(team)]


async def _holds(ledger: Ledger, team: str) -> list[str]:
    return [hold.hold_id for hold in await ledger.holds(team, HOLDS_LOOKED_AT)]


async def _limits(ledger: Ledger, team: str) -> list[str]:
    return [f"{limit.scope} per {limit.per}" for limit in (await team_of(ledger, team)).limits]


_NAMES: dict[str, Callable[[Ledger, str], Awaitable[list[str]]]] = {
    "team_not_found": _teams,
    "key_not_found": _keys,
    "grant_not_found": _grants,
    "hold_not_found": _holds,
    "limit_not_found": _limits,
}
"""For each kind of thing that is not there, the names of those that are."""


def given(model: type[Model], **said: Any) -> Model:
    """A body or query of the admin API from what the command line says; None says nothing. Raises AdminProblem."""
    try:
        return model.model_validate({name: value for name, value in said.items() if value is not None})
    except ValidationError as error:
        raise unreadable(error, model) from None


def by(why: str) -> Who:
    """The user of this machine, with the reason."""
    return Who(who(), why)


def credits_of(text: str) -> Decimal:
    """Credits as they were written; how many can be booked is the body's question."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise typer.BadParameter(f"{text} is no number of credits; write it like 1000 or 73.5")
    return found


def maybe_credits_of(text: str | None) -> Decimal | None:
    """The same for an option that may be left out."""
    return None if text is None else credits_of(text)


def stretch_of(text: str) -> timedelta:
    """A stretch of time as people write it."""
    found = duration_ms(text)
    if found is None:
        raise typer.BadParameter(f"{text} is no stretch of time; write it like 24h, 90min or 7d")
    return timedelta(milliseconds=found)


async def moment(ledger: Ledger, team: str, text: str | None) -> datetime | None:
    """An instant of the command line: a day (where it begins in the team's zone), an ISO time (in that zone if it names
    none), or a stretch of time from now."""
    if text is None:
        return None
    record = await team_of(ledger, team)
    try:
        if duration_ms(text) is not None:
            now = datetime.fromtimestamp(await ledger.now_ms(team) // 1000, UTC)
            return now + stretch_of(text)
        zone = ZoneInfo(record.timezone)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return datetime.combine(date.fromisoformat(text), time(), zone)
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=zone)
    except (ValueError, OverflowError):
        mend = "write a day like 2026-12-31, a time like 2026-12-31T18:00:00Z, or a stretch from now like 30d"
        raise typer.BadParameter(f"{text} is no time; {mend}") from None
