"""What a teams file and a body of the admin API both say of a team: limits, caps, scopes of a key, parts of a budget,
and the rules of allowances and projects. Said once, so that neither takes what the other refuses.

As in `teams_words`, nothing of the store is known here. What only one of the two can say is with that one.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gatekeeper.admin.teams_words import Amount, Instant, Name, Phase, Resolution, Scope, Strict
from gatekeeper.core.credits import credits_text
from gatekeeper.ledger import bounds
from gatekeeper.ledger.allowances import PERIODS_BACK_MAX
from gatekeeper.ledger.teamrecord import BudgetPart, KeyScope, Limit, Per
from gatekeeper.web.auth import PHASES
from gatekeeper.yamlfile import Mistake, raise_mistakes

OPEN_HOLDS_MAX = 1_000_000
"""More generations at once than any team will run; a typing error of many digits is caught."""

PROJECTS_MAX = 256
"""Projects of a team that have a plan; they are all in the team's record."""

PARTS_MAX = 16
"""Parts of a budget; more are no shape that anybody keeps in mind."""

RESOLUTIONS_MAX = 32
"""More than any catalog has."""

WHOLE_PERCENT = 100

Period = Annotated[Per, Field(strict=False)]
KeyScopes = Annotated[list[Annotated[KeyScope, Field(strict=False)]], Field(max_length=len(KeyScope))]
Resolutions = Annotated[list[Resolution], Field(max_length=RESOLUTIONS_MAX)]

AllowanceId = Annotated[Name, Field(max_length=bounds.ALLOWANCE_ID_CHARS_MAX)]
AllowancePer = Annotated[Literal["day", "week", "month"], AfterValidator(Per)]
LastsPeriods = Annotated[int, Field(ge=0, le=PERIODS_BACK_MAX)]


class LimitBody(Strict):
    """A cap on spend in a stretch of time; until `raised_until` it is `raised_to`."""

    scope: Scope
    per: Period
    credits: Amount
    raised_to: Amount | None = None
    raised_until: Instant | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for one, other in (("raised_to", "raised_until"), ("raised_until", "raised_to")):
            if getattr(self, one) is not None and getattr(self, other) is None:
                raise_mistakes([Mistake((one,), f"stands without `{other}`", f"A raise has an end: add `{other}`.")])
        if self.raised_to is not None and self.raised_to <= self.credits:
            what = f"{credits_text(self.raised_to)} is not more than the limit itself"
            raise_mistakes([Mistake(("raised_to",), what, "Raise it to more, or set `credits`.")])
        return self


class CapsBody(Strict):
    """Bounds on one request, on what runs at once and on requests in a minute."""

    per_request: Amount | None = None
    open_holds: Annotated[int, Field(ge=0, le=OPEN_HOLDS_MAX)] | None = None
    held_credits: Amount | None = None
    requests_per_minute: Annotated[int, Field(ge=1, le=bounds.REQUESTS_PER_MINUTE_MAX)] | None = None


class BudgetPartBody(Strict):
    """A part of a project's budget: requests of these phases, and of those that name none the ones of these tiers."""

    name: Name
    share_percent: Annotated[int, Field(ge=0, le=WHOLE_PERCENT)]
    phases: Annotated[list[Phase], Field(max_length=RESOLUTIONS_MAX)] = Field(default_factory=list)
    resolutions: Resolutions = Field(default_factory=list)


def raise_going_on(before: Limit | None, amount: int) -> tuple[int | None, int | None]:
    """To what and until when a limit stays raised whose own amount is set to this: not at all where it is no more."""
    if before is None or before.raised_to is None or before.raised_to <= amount:
        return None, None
    return before.raised_to, before.raised_until_ms


BudgetParts = Annotated[list[BudgetPartBody], Field(max_length=PARTS_MAX)]


def check_project(parts: Sequence[BudgetPartBody], per: Per, since_ms: int | None, until_ms: int | None) -> None:
    """Raises, from within a validator, every mistake of a project that is right in its words and cannot be."""
    found = []
    shares = sum(part.share_percent for part in parts)
    if shares > WHOLE_PERCENT:
        what = f"the shares come to {shares} %, more than {WHOLE_PERCENT}"
        found.append(Mistake(("parts",), what, f"Let them come to {WHOLE_PERCENT} % or less."))
    for index, part in enumerate(parts):
        if not part.phases and not part.resolutions:
            mend = f"Name phases ({', '.join(PHASES)}), or resolutions like 2K."
            found.append(Mistake(("parts", index), f"nothing would belong to the part {part.name}", mend))
    if len({part.name for part in parts}) < len(parts):
        found.append(Mistake(("parts",), "two parts have one name", "Give each part a name of its own."))
    for name, value in (("since", since_ms), ("until", until_ms)):
        if value is not None and per is not Per.LIFETIME:
            mend = f"Use per lifetime, or leave `{name}` out."
            found.append(Mistake((name,), f"a budget per {per} begins and ends with it", mend))
    if since_ms is not None and until_ms is not None and until_ms <= since_ms:
        found.append(Mistake(("until",), "the project ends before it begins", "Write a later time."))
    raise_mistakes(found)


def budget_parts(parts: Iterable[BudgetPartBody]) -> tuple[BudgetPart, ...]:
    """As the ledger keeps them."""
    return tuple(
        BudgetPart(part.name, part.share_percent, tuple(part.phases), tuple(part.resolutions)) for part in parts
    )
