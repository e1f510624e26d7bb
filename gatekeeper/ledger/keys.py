"""Every key the ledger owns: its name, its type, its life. No other module writes a key name.

A team's keys share one hash tag, `{team}`, so all of them live on one node of a cluster and one script may use them.

| key                     | type   | holds                                                | life                  |
|-------------------------|--------|------------------------------------------------------|-----------------------|
| `gk:schema`             | STRING | the number of the formats below                      | for ever              |
| `gk:teams`              | SET    | every team id                                        | for ever              |
| `gk:allowances`         | SET    | every team id with a recurring grant                 | until removed         |
| `gk:transfers`          | ZSET   | `team:transfer` that may be half done -> since (ms)  | until done            |
| `gk:secret`             | STRING | what gateways on this store sign with, drawn once    | for ever              |
| `gk:key:<sha256>`       | STRING | the team and the id of the API key with this secret  | until removed         |
| `gk:{T}:team`           | HASH   | the team's record, a field for each part of it       | for ever              |
| `gk:{T}:keys`           | HASH   | key id -> the key's record as JSON                   | until removed         |
| `gk:{T}:grants`         | HASH   | grant id -> amount, and its expiry if it has one     | for ever              |
| `gk:{T}:refunds`        | HASH   | refund id -> of which charge; `of:<seq>` -> sum      | for ever              |
| `gk:{T}:transfers`      | HASH   | transfer id -> what was handed on to which team      | for ever              |
| `gk:{T}:bal`            | HASH   | `figures`, `rules`, `lots`; scope -> its counters    | for ever              |
| `gk:{T}:open`           | HASH   | hold id -> record                                    | field: until resolved |
| `gk:{T}:due`            | ZSET   | hold id -> deadline in ms; `lapse:<seq>` -> expiry   | until resolved        |
| `gk:{T}:jobs`           | HASH   | hold id -> the job it follows                        | field: until resolved |
| `gk:{T}:job:<name>`     | STRING | hold id, line break, job: found by `provider/its id` | as long as it says    |
| `gk:{T}:lease:<hold>`   | STRING | who looks after this hold's job at the moment        | as long as it says    |
| `gk:{T}:alerts`         | HASH   | what was told -> when, and when its window ends      | till after its window |
| `gk:{T}:alert:<id>`     | STRING | who is telling this at the moment                    | as long as it says    |
| `gk:{T}:deliveries`     | STREAM | attempts to call the team, the last thousand or so   | for ever              |
| `gk:{T}:done:<utc day>` | HASH   | hold id -> how it ended; the day is the one in the id| 72 h after last write |
| `gk:{T}:once:<utc day>` | HASH   | a request's name -> hold id; the day as above        | 48 h after last write |
| `gk:{T}:answer:<hold>`  | STRING | the answer that was kept with this hold              | as long as it says    |
| `gk:{T}:usage:<month>`  | HASH   | what was used by what, a row for each; UTC month of id| 400 days after month  |
| `gk:{T}:base`           | HASH   | `exported`, and a checkpoint: `seq`, `state`         | for ever              |
| `gk:{T}:j`              | STREAM | the journal, ids `<seq>-0`                           | until exported and cut|
| `gk:{tag}:fence`        | STRING | nothing: a write before WAIT, so that it proves one  | 60 s                  |

`exported` is the last journal entry known to be in files on disk; the checkpoint stands for the entries that were cut
off the journal: the last one, and the books after it.

Figures are seq, at, granted, charged, expired, held, open; rules are what a hold needs of the team's record; lots are
its grants with an expiry, and not there without one (`lots.py`); `bal` of a team with a cap on requests per minute has
a `minute` too: when it began, and the holds admitted in it. Counters
are used and held for life, hour, day, week and month, and when those four windows began; they need no key of their own
and no expiry, because they are replaced when the next window opens, so a team's store does not grow with time.
"""

from dataclasses import dataclass, field
from typing import Final

from gatekeeper.ledger.holdid import hold_id_day, hold_id_month, month_of_day

TEAMS: Final = "gk:teams"
"""SET of every team id; outside the tags, so it is written in a step of its own, before the team."""


ALLOWANCES: Final = "gk:allowances"
"""SET of every team that is given credits anew at times: who gives them looks here."""


TRANSFERS: Final = "gk:transfers"
"""ZSET of what may be half done: `team:transfer` -> since when (ms); in no team's slot, so written before and after."""


SCHEMA: Final = "gk:schema"
"""STRING: which formats the store's records are in."""


SECRET: Final = "gk:secret"  # noqa: S105  # the key's name
"""STRING: what every gateway on this store signs with, and nobody else knows."""


def api_key(sha256: str) -> str:
    """STRING: whose secret this is the SHA-256 of: a team, a tab, the id of its API key."""
    return f"gk:key:{sha256}"


def fence(tag: str) -> str:
    """STRING: what is written before the store is asked who has its writes, in the slot of this hash tag."""
    return f"gk:{{{tag}}}:fence"


@dataclass(frozen=True, slots=True)
class TeamKeys:
    """The keys of one team; `team_id` has been checked before."""

    team_id: str
    tag: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tag", f"gk:{{{self.team_id}}}")

    @property
    def team(self) -> str:
        """HASH: the team's record."""
        return f"{self.tag}:team"

    @property
    def keys(self) -> str:
        """HASH: key id -> the record of the API key."""
        return f"{self.tag}:keys"

    @property
    def grants(self) -> str:
        """HASH: grant id -> amount, and its expiry if it has one."""
        return f"{self.tag}:grants"

    @property
    def refunds(self) -> str:
        """HASH: refund id -> what it was of; `of:<seq>` -> what was refunded of the charge with this sequence."""
        return f"{self.tag}:refunds"

    @property
    def transfers(self) -> str:
        """HASH: transfer id -> what was handed on, to which team, and whether that team has it."""
        return f"{self.tag}:transfers"

    @property
    def bal(self) -> str:
        """HASH: the team's figures and rules, and each scope's counters."""
        return f"{self.tag}:bal"

    @property
    def open(self) -> str:
        """HASH: hold id -> record of an open hold."""
        return f"{self.tag}:open"

    @property
    def due(self) -> str:
        """ZSET: hold id -> deadline in ms, and a reminder of each expiry."""
        return f"{self.tag}:due"

    @property
    def journal(self) -> str:
        """STREAM: one entry per transition."""
        return f"{self.tag}:j"

    @property
    def base(self) -> str:
        """HASH: what of the journal was exported, and the checkpoint before which it was cut."""
        return f"{self.tag}:base"

    @property
    def jobs(self) -> str:
        """HASH: hold id -> the job that the hold follows."""
        return f"{self.tag}:jobs"

    def job(self, name: str) -> str:
        """STRING: the hold that follows the job of this name, and the job."""
        return f"{self.tag}:job:{name}"

    def lease(self, hold_id: str) -> str:
        """STRING: who looks after this hold's job at the moment."""
        return f"{self.tag}:lease:{hold_id}"

    @property
    def alerts(self) -> str:
        """HASH: what was told, and when."""
        return f"{self.tag}:alerts"

    def alert(self, alert_id: str) -> str:
        """STRING: who is telling this at the moment."""
        return f"{self.tag}:alert:{alert_id}"

    @property
    def deliveries(self) -> str:
        """STREAM: attempts to call the team."""
        return f"{self.tag}:deliveries"

    def once(self, day: int) -> str:
        """HASH: the name of a request -> its hold, for the hold ids of a UTC day."""
        return f"{self.tag}:once:{day}"

    def answer(self, hold_id: str) -> str:
        """STRING: the answer that was kept with this hold."""
        return f"{self.tag}:answer:{hold_id}"

    def done(self, day: int) -> str:
        """HASH: the resolved holds of a UTC day (days since 1970-01-01)."""
        return f"{self.tag}:done:{day}"

    def done_of(self, hold_id: str) -> str:
        """HASH: where this hold is remembered once it is resolved."""
        return self.done(hold_id_day(hold_id))

    def usage(self, month: str) -> str:
        """HASH: usage by row, of the holds whose ids are of this UTC month (2026-11)."""
        return f"{self.tag}:usage:{month}"

    def usage_of(self, hold_id: str) -> str:
        """HASH: where this hold is counted when it ends."""
        return self.usage(hold_id_month(hold_id))


def hold_names(team_id: str, day: int) -> tuple[str, ...]:
    """The keys of a hold whose id is of this day, in the order in which hold.lua takes them."""
    keys = TeamKeys(team_id)
    return (
        keys.bal, keys.open, keys.due, keys.done(day), keys.done(day - 1), keys.journal,
        keys.usage(month_of_day(day)), keys.usage(month_of_day(day - 1)),
    )  # fmt: skip


def once_names(team_id: str, day: int) -> tuple[str, ...]:
    """The keys of a hold that has a name, as hold.lua takes them."""
    keys = TeamKeys(team_id)
    return (*hold_names(team_id, day), keys.once(day), keys.once(day - 1), keys.once(day + 1), keys.done(day + 1))


def settle_names(team_id: str, day: int) -> tuple[str, ...]:
    """The keys of the end of a hold whose id is of this day, but for its answer's, in the order of settle.lua."""
    keys = TeamKeys(team_id)
    return (
        keys.bal, keys.open, keys.due, keys.done(day), keys.journal, keys.jobs, keys.usage(month_of_day(day)),
    )  # fmt: skip
