"""Actions: a sheet that asks what is needed, and who and why; the deed; and what is wrong, beside where it was written.

A sheet is data, so that every action looks and fails alike. It works without scripts, and a double click does nothing
twice: what is made has an id before it is sent.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import BaseModel, ValidationError

from gatekeeper.admin.operations.asking import Who
from gatekeeper.admin.problems import AdminProblem, Violation, translated, unreadable
from gatekeeper.console.visiting import Route, Visit, path_of
from gatekeeper.ledger import bounds
from gatekeeper.ledger.errors import LedgerError, LedgerInvalid

TEAM: Final = "/teams/{team}"
"""The path of a team."""

WHO: Final = "who"
WHY: Final = "why"

CALLED: Final = {"raised_to": "credits", "raised_until": "until"}
"""Fields that are called otherwise on a sheet than in a body."""

Kind = Literal["text", "credits", "time", "choice", "checks", "check", "kept"]

Read = TypeVar("Read", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that is asked. `options` are those of a choice or of checks: value and label; `kept` is not shown."""

    name: str
    label: str = ""
    kind: Kind = "text"
    value: str = ""
    hint: str = ""
    options: tuple[tuple[str, str], ...] = ()
    required: bool = False
    wrong: str = ""
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """What an action asks, and says of itself: `lead` is what will happen, `back` where one goes instead."""

    title: str
    lead: str
    button: str
    back: str
    place: str
    fields: tuple[Field, ...] = ()
    danger: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What an action came to: a sentence to be told, or a page of its own, which is shown this once."""

    message: str = ""
    page: web.Response | None = None


Make = Callable[[Visit], Awaitable[Sheet]]
Do = Callable[[Visit, Who], Awaitable[Done]]


def action(path: str, make: Make, do: Do) -> tuple[Route, Route]:
    """The two routes of an action: its sheet, and the deed. A deed is followed by the page it was begun from."""

    async def ask(visit: Visit) -> web.Response:
        return _shown(visit, await make(visit))

    async def act(visit: Visit) -> web.Response:
        back = await _back_of(visit, make)
        try:
            done = await do(visit, who_of(visit.form))
        except AdminProblem as problem:
            return await _refused(visit, make, problem)
        except LedgerError as error:
            return await _refused(visit, make, translated(error))
        visit.session.actor = visit.form[WHO].strip()
        return done.page or visit.see(back.partition("#")[0], done.message)

    return Route("GET", path, ask), Route("POST", path, act)


async def _back_of(visit: Visit, make: Make) -> str:
    """Where the action was begun. What it is about may be gone by then: the deed says so itself."""
    try:
        return (await make(visit)).back
    except (AdminProblem, LedgerError):
        return path_of("teams", visit.ids["team"]) if "team" in visit.ids else "/"


def who_of(form: Mapping[str, str]) -> Who:
    """Who does it and why; an action needs both. Raises AdminProblem, which names each that is missing."""
    who, why = form.get(WHO, "").strip(), form.get(WHY, "").strip()
    wrong = []
    if not who:
        wrong.append(Violation(WHO, "is missing", "Say who does this, for the journal."))
    if not why:
        wrong.append(Violation(WHY, "is missing", "Say why, for whoever reads the journal."))
    for name, text, most in ((WHO, who, bounds.NAME_CHARS_MAX), (WHY, why, bounds.REASON_CHARS_MAX)):
        try:
            bounds.check_text(name, text, most)
        except LedgerInvalid:
            wrong.append(Violation(name, "is no line of text", f"Write one line of at most {most} characters."))
    if wrong:
        raise AdminProblem("invalid", "Nothing was done.", violations=tuple(wrong))
    return Who(who, why)


def body_of(model: type[Read], **values: Any) -> Read:
    """A body as the API takes it; what was left empty is not said. Raises AdminProblem."""
    try:
        return model.model_validate({name: value for name, value in values.items() if value not in ("", None)})
    except ValidationError as error:
        raise unreadable(error, model) from None


def credits_of(text: str) -> Decimal | str:
    """An amount as a person writes it; what is none stays as it is, and is refused with its words."""
    plain = text.strip().replace(" ", "").replace("\u202f", "").replace("\u00a0", "")
    try:
        number = Decimal(plain)
    except InvalidOperation:
        return text.strip()
    return number if number.is_finite() else text.strip()


def time_of(text: str, timezone: str) -> str:
    """An instant from a day and minute of a time zone; what is none stays as it is, and is refused with its words."""
    try:
        local = datetime.fromisoformat(text.strip())
    except ValueError:
        return text.strip()
    return (local if local.tzinfo else local.replace(tzinfo=ZoneInfo(timezone))).isoformat()


async def _refused(visit: Visit, make: Make, problem: AdminProblem) -> web.Response:
    """The sheet again as it was filled in, with what is wrong beside each field. Raises if its thing is gone."""
    sheet = await make(visit)
    names = {field.name for field in sheet.fields} | {WHO, WHY}
    wrong: dict[str, str] = {}
    other = []
    for each in problem.violations:
        name = CALLED.get(each.field, each.field.rpartition(".")[2])
        said = f"{each.detail[:1].upper()}{each.detail[1:]}. {each.mend}".strip()
        if name in names:
            wrong[name] = said
        else:
            other.append(f"{each.field}: {said}")
    fields = tuple(_filled(field, visit.form, wrong.get(field.name, "")) for field in sheet.fields)
    general = [] if wrong and not other else [problem.detail, *other]
    return _shown(visit, replace(sheet, fields=fields), wrong, general, problem.status)


def _filled(field: Field, form: Mapping[str, str], wrong: str) -> Field:
    chosen = tuple(value for value, _ in field.options if form.get(f"{field.name}_{value}"))
    return replace(field, value=form.get(field.name, ""), wrong=wrong, chosen=chosen)


def _shown(
    visit: Visit, sheet: Sheet, wrong: Mapping[str, str] | None = None, general: list[str] | None = None,
    status: int = 200,
) -> web.Response:  # fmt: skip
    who = visit.form.get(WHO, visit.session.actor)
    return visit.page(
        "sheet.html", status=status, sheet=sheet, wrong=wrong or {}, general=general or [], who=who,
        why=visit.form.get(WHY, ""),
    )  # fmt: skip


def team_path(visit: Visit, part: str = "") -> str:
    """The team's page, at one of its parts."""
    return path_of("teams", visit.ids["team"]) + (f"#{part}" if part else "")


def team_sheet(
    visit: Visit, title: str, lead: str, button: str, *fields: Field, part: str, danger: bool = False
) -> Sheet:
    return Sheet(title, lead, button, team_path(visit, part), visit.ids["team"], fields, danger)
