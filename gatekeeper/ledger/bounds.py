"""What the ledger accepts: the form and size of every id, name, text and amount, checked before anything is sent.

Each check returns quietly or raises LedgerInvalid with what is wrong and what would do. The scripts check what
could harm the books once more; this module is where people get a good message.
"""

import re
from datetime import timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.allowances import PERIODS_BACK_MAX, PERS
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.holdid import match_hold_id
from gatekeeper.ledger.records import CREDITS_MAX, Answer, Ending, HoldContext, HoldOrder, Job
from gatekeeper.ledger.teamrecord import Allowance, KeyRecord, KeyScope, Limit, TeamRecord

NAME_CHARS_MAX: Final = 128
"""Projects, members, key and grant ids: room for an e-mail address or a path, small enough to count by."""
FINGERPRINT_CHARS_MAX: Final = 64
"""A SHA-256 in hex; it is stored with every hold."""
ONCE_CHARS_MAX: Final = 64
"""A SHA-256 in hex; it is stored for two days."""
ONCE_WITHIN_MAX_MS: Final = int(timedelta(days=1).total_seconds() * 1000)
"""How far back a request is surely known again: its names are kept by UTC day, today's and yesterday's."""
REASON_CHARS_MAX: Final = 256
"""A sentence for the journal."""
SHADOW_CHARS_MAX: Final = 160
"""Why a hold is let by, in codes: with the ledger's own codes it is a reason for the journal."""
USAGE_PARTS: Final = 6
"""Model, operation, resolution, phase, provider, traits."""
USAGE_CHARS_MAX: Final = 400
"""What a row of usage is for: it is a part of every hold, of its journal entry, and of the row's name."""
OUTPUTS_MAX: Final = 1_000_000
"""Outputs of one generation: far above what any makes, and ten thousand rows of them can still be counted."""
META_BYTES_MAX: Final = 4096
"""What a journal entry may carry along."""
ANSWER_BYTES_MAX: Final = 96 * 1024
"""The longest answer kept with a hold: 64 KiB of body, written as text."""
JOB_BYTES_MAX: Final = 16 * 1024
"""What a hold remembers of its job: an id, two addresses, twice each name of up to 128 characters in any script."""
JOB_NAMES_MAX: Final = 4
"""The provider's id of a job, and of the files that it made."""
JOB_NAME_CHARS_MAX: Final = 300
"""The longest ids in use are operation names of about 150 characters."""
REQUESTS_PER_MINUTE_MAX: Final = 1_000_000
"""More than any team will ask for; a typing error of many digits is caught."""
LIMITS_MAX: Final = 64
"""Limits per team: the hold script walks all of them."""
PATTERNS_MAX: Final = 256
"""Allow and deny patterns per team."""
CHECKPOINT_BYTES_MAX: Final = 64 * 1024**2
"""A journal's checkpoint: far above 100,000 open holds, and what one value in the store may well be."""
INTERVAL_MAX_MS: Final = int(timedelta(days=30).total_seconds() * 1000)
"""Longest ttl or grace of a hold."""
KEEP_MAX_MS: Final = 2 * INTERVAL_MAX_MS
"""Longest time for which a job is found by its names: the longest it may take, and as long again."""
ALLOWANCES_MAX: Final = 8
"""Allowances per team: each is looked at when credits run out."""
ALLOWANCE_ID_CHARS_MAX: Final = 64
"""It is a part of the ids of its grants."""
ALLOWANCE_LOTS_MAX: Final = 48
"""Grants of all allowances of a team that may wait to expire: of the 64 it may have, 16 are left for others."""
OWN_GRANTS: Final = ("transfer:", "allowance:")
"""How the ids of grants begin that the ledger gives by itself."""
INSTANT_MAX_MS: Final = 253_402_300_799_999
"""The end of the year 9999: the last that can be written as a date."""
SINCE_MAX_MS: Final = INSTANT_MAX_MS - int(timedelta(days=400).total_seconds() * 1000)
"""The last beginning whose first periods have an end that can be written."""
ACCOUNTS_KEPT: Final = 2048
"""Accounts that were checked and are not again: what a busy hour has of them. Not one of them holds more than 1 KB."""

_TEAM_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_WINDOWS: Final = re.compile(r"(\d+:\d+:\d+:\d+)?")
_JOB_NAME: Final = re.compile(rf"(?=.{{3,{JOB_NAME_CHARS_MAX}}}$)[a-z][a-z0-9-]{{0,31}}/[!-~]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_KEY_SCOPES: Final = tuple(scope.value for scope in KeyScope)
_SCOPE_KINDS: Final = ("team", "project", "member", "key")


@lru_cache(maxsize=ACCOUNTS_KEPT)
def check_team_id(team_id: str) -> None:
    """A team id is 1 to 64 of letters, digits, dot, dash, underscore, and starts with a letter or digit."""
    if not _TEAM_ID.fullmatch(team_id):
        raise LedgerInvalid(
            f"team id {team_id!r}: use 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit"
        )


def check_hold_id(hold_id: str) -> None:
    """A hold id is what `holdid.new_hold_id` makes."""
    if match_hold_id(hold_id) is None:
        raise LedgerInvalid(f"hold id {hold_id!r}: it is a version 7 UUID as 32 hex digits without dashes")


def check_sha256(sha256: str) -> None:
    """Keys are known by the SHA-256 of their secret, 64 lower-case hex digits."""
    if not _SHA256.fullmatch(sha256):
        raise LedgerInvalid("a key is known by the SHA-256 of its secret: 64 lower-case hex digits")


def check_amount(amount: int, *, least: int = 0) -> None:
    """An amount is a whole number of micro-credits from `least` to 9e15."""
    if type(amount) is not int or not least <= amount <= CREDITS_MAX:
        shown = credits_text(amount) if type(amount) is int else repr(amount)
        raise LedgerInvalid(f"amount {shown}: use credits from {credits_text(least)} to {credits_text(CREDITS_MAX)}")


def check_instant(what: str, at_ms: int) -> None:
    """An instant is a whole number of milliseconds since 1970, before the year 10000."""
    if isinstance(at_ms, bool) or not isinstance(at_ms, int) or not 0 <= at_ms <= INSTANT_MAX_MS:
        raise LedgerInvalid(f"{what} {at_ms!r}: use a whole number of milliseconds since 1970, before the year 10000")


def check_name(what: str, name: str, *, required: bool = False) -> None:
    """A name is up to 128 characters without control characters."""
    if required and not name:
        raise LedgerInvalid(f"{what} is missing")
    check_text(what, name, NAME_CHARS_MAX)


def check_act_id(what: str, name: str) -> None:
    """The id of a refund or a transfer is a name without ':', which divides the ids that the ledger makes itself."""
    check_name(what, name, required=True)
    if ":" in name:
        raise LedgerInvalid(f"{what} {name!r}: leave the ':' out, ids with it are the ledger's own")


def check_grant_id(grant_id: str) -> None:
    """The id of a grant that somebody gives: the ledger's own ones are of transfers and recurring grants."""
    check_name("grant id", grant_id, required=True)
    if grant_id.startswith(OWN_GRANTS):
        raise LedgerInvalid(
            f"grant id {grant_id!r}: ids that begin with {' or '.join(OWN_GRANTS)} are the ledger's own"
        )


def check_text(what: str, text: str, chars_max: int) -> None:
    """A text of one line, up to `chars_max` characters, that can be written as UTF-8."""
    if len(text) > chars_max:
        raise LedgerInvalid(f"{what} has {len(text)} characters; at most {chars_max} are kept")
    if text.isascii() and text.isprintable():
        return  # nearly always: what else there is takes ten times as long to look at
    if _CONTROL.search(text):
        raise LedgerInvalid(f"{what} holds a control character (tab, newline, ...)")
    _utf8(what, text)


def checked_seq(seq: int | None) -> int:
    """The number of a journal entry: 1 or more."""
    if seq is None or isinstance(seq, bool) or not isinstance(seq, int) or not 1 <= seq <= CREDITS_MAX:
        raise LedgerInvalid(f"entry {seq!r}: use the number of a journal entry, 1 or more")
    return seq


def check_meta(meta: str) -> None:
    """Meta is up to 4096 bytes of UTF-8."""
    if len(meta if meta.isascii() else _utf8("meta", meta)) > META_BYTES_MAX:
        raise LedgerInvalid(f"meta has more than {META_BYTES_MAX} bytes")


def check_checkpoint(state: str) -> None:
    """A journal's checkpoint is a text of up to 64 MiB."""
    if len(_utf8("checkpoint", state)) > CHECKPOINT_BYTES_MAX:
        raise LedgerInvalid(f"a checkpoint has more than {CHECKPOINT_BYTES_MAX} bytes: too many holds are open")


def check_order(order: HoldOrder) -> None:
    """Everything about a hold that is wrong whatever the team's balance is."""
    check_team_id(order.team)
    _check_end(order.hold_id, order.amount, order.meta)
    if not (0 <= order.ttl_ms <= INTERVAL_MAX_MS and 0 <= order.grace_ms <= INTERVAL_MAX_MS):
        check_interval("ttl_ms", order.ttl_ms)
        check_interval("grace_ms", order.grace_ms)
    _check_account(order.project, order.member, order.key_id, order.price_list, order.usage)
    if order.fingerprint:
        check_text("fingerprint", order.fingerprint, FINGERPRINT_CHARS_MAX)
    if order.once:
        check_text("once", order.once, ONCE_CHARS_MAX)
    if not 0 <= order.once_within_ms <= ONCE_WITHIN_MAX_MS:
        raise LedgerInvalid(f"once_within_ms {order.once_within_ms}: use 0 to {ONCE_WITHIN_MAX_MS} milliseconds")
    if order.shadow:
        check_text("shadow", order.shadow, SHADOW_CHARS_MAX)


def _check_end(hold_id: str, amount: int, meta: str) -> None:
    """What no two holds have the same, in one look: nearly always all of it is right."""
    is_amount = type(amount) is int and 0 <= amount <= CREDITS_MAX
    if not (is_amount and match_hold_id(hold_id) and meta.isascii() and len(meta) <= META_BYTES_MAX):
        check_hold_id(hold_id)
        check_amount(amount)
        check_meta(meta)


@lru_cache(maxsize=ACCOUNTS_KEPT)
def _check_account(project: str, member: str, key_id: str, price_list: str, usage: str, windows: str = "") -> None:
    """On whose account, at which prices, counted under what and when: the same words again and again."""
    check_name("project", project)
    check_name("member", member)
    check_name("key id", key_id)
    check_text("price list", price_list, FINGERPRINT_CHARS_MAX)
    check_usage(usage)
    if not _WINDOWS.fullmatch(windows):
        raise LedgerInvalid(f"windows {windows!r}: use what the hold was answered with, or leave them out")


def check_usage(usage: str) -> None:
    """What a hold is counted under is nothing, or six parts of up to 400 characters in all."""
    check_text("usage", usage, USAGE_CHARS_MAX)
    if usage and usage.count("|") != USAGE_PARTS - 1:
        raise LedgerInvalid(f"usage {usage!r}: use model|operation|resolution|phase|provider|traits, or nothing")


def check_context(context: HoldContext) -> None:
    """Everything about the context of a settle that could not be booked."""
    amount = context.amount
    if type(amount) is not int or not 0 <= amount <= CREDITS_MAX:
        check_amount(amount)
    _check_account(context.project, context.member, context.key_id, context.price_list, context.usage, context.windows)
    if context.fingerprint:
        check_text("fingerprint", context.fingerprint, FINGERPRINT_CHARS_MAX)


def check_answer(answer: Answer) -> None:
    """An answer is up to 96 KiB of UTF-8, kept for 1 ms to 30 days."""
    text = answer.text
    if len(text if text.isascii() else _utf8("answer", text)) > ANSWER_BYTES_MAX:
        raise LedgerInvalid(f"the answer has more than {ANSWER_BYTES_MAX} bytes; do not keep it")
    if answer.ttl_ms < 1:
        raise LedgerInvalid("an answer is kept for at least 1 millisecond")
    check_interval("ttl_ms", answer.ttl_ms)


def check_ending(ending: Ending) -> None:
    """Everything about the end of a hold that could not be booked."""
    _check_end(ending.hold_id, ending.amount, ending.meta)
    if not (ending.why.isascii() and ending.why.isprintable() and len(ending.why) <= REASON_CHARS_MAX):
        check_text("outcome", ending.why, REASON_CHARS_MAX)
    if not 0 <= ending.outputs <= OUTPUTS_MAX:
        raise LedgerInvalid(f"outputs {ending.outputs}: use 0 to {OUTPUTS_MAX}")
    if ending.context is not None:
        check_context(ending.context)
    if ending.answer is not None:
        check_answer(ending.answer)


def check_job(job: Job, answer: Answer | None = None) -> None:
    """A job has up to 4 names, and its result may take up to 30 days; it is found by its names for up to 60."""
    check_job_text(job.text)
    check_interval("ttl_ms", job.ttl_ms)
    if len(job.names) > JOB_NAMES_MAX:
        raise LedgerInvalid(f"a job has {len(job.names)} names; at most {JOB_NAMES_MAX} are kept")
    for name in job.names:
        check_job_name(name)
    if job.names:
        check_keep(job.keep_ms)
    if answer is not None:
        check_answer(answer)


def check_job_text(text: str) -> None:
    """A job is told in 1 byte to 16 KiB of UTF-8."""
    if not 1 <= len(_utf8("job", text)) <= JOB_BYTES_MAX:
        raise LedgerInvalid(f"a job is told in 1 to {JOB_BYTES_MAX} bytes")


def check_job_name(name: str) -> None:
    """The name of a job is its provider, a slash, and what the provider calls it."""
    if not _JOB_NAME.fullmatch(name):
        raise LedgerInvalid(
            f"job name {name[:80]!r}: use provider/id, up to {JOB_NAME_CHARS_MAX} printable ASCII characters, no space"
        )


def check_keep(keep_ms: int) -> None:
    """A job is found by its names for 1 ms to 60 days."""
    if not 1 <= keep_ms <= KEEP_MAX_MS:
        raise LedgerInvalid(f"keep_ms {keep_ms}: use 1 to {KEEP_MAX_MS} milliseconds")


def check_lease(owner: str, ttl_ms: int) -> None:
    """A lease has the name of who has it, and ends within 30 days."""
    check_name("owner", owner, required=True)
    if ttl_ms < 1:
        raise LedgerInvalid("a lease is for at least 1 millisecond")
    check_interval("ttl_ms", ttl_ms)


def check_team(record: TeamRecord) -> None:
    """Everything about a team's record that the scripts could not work with."""
    check_team_id(record.id)
    check_timezone(record.timezone)
    if len(record.limits) > LIMITS_MAX:
        raise LedgerInvalid(f"team {record.id} has {len(record.limits)} limits; at most {LIMITS_MAX} are kept")
    for limit in record.limits:
        _check_limit(limit)
    check_name("organisation", record.organisation)
    check_allowances(record)
    if len({(limit.scope, limit.per) for limit in record.limits}) < len(record.limits):
        raise LedgerInvalid(f"team {record.id} has two limits of the same scope and period")
    for cap in (record.caps.per_request, record.caps.open_holds, record.caps.held_credits):
        if cap is not None:
            check_amount(cap)
    per_minute = record.caps.requests_per_minute
    if per_minute is not None and not 1 <= per_minute <= REQUESTS_PER_MINUTE_MAX:
        raise LedgerInvalid(f"requests_per_minute {per_minute}: use 1 to {REQUESTS_PER_MINUTE_MAX}, or leave it out")
    patterns = record.models_allow + record.models_deny
    if len(patterns) > PATTERNS_MAX:
        raise LedgerInvalid(f"team {record.id} has {len(patterns)} model patterns; at most {PATTERNS_MAX} are kept")
    for pattern in patterns:
        check_name("model pattern", pattern, required=True)


def check_allowances(record: TeamRecord) -> None:
    """A team has few allowances, each with an id of its own, and together they leave room for other expiring grants."""
    allowances = record.allowances
    if len(allowances) > ALLOWANCES_MAX:
        raise LedgerInvalid(f"team {record.id} has {len(allowances)} allowances; at most {ALLOWANCES_MAX} are kept")
    if len({allowance.id for allowance in allowances}) < len(allowances):
        raise LedgerInvalid(f"team {record.id} has two allowances of the same id")
    for allowance in allowances:
        _check_allowance(allowance)
    if sum(allowance.lasts_periods for allowance in allowances) > ALLOWANCE_LOTS_MAX:
        raise LedgerInvalid(
            f"the allowances of team {record.id} roll over for more than {ALLOWANCE_LOTS_MAX} periods in all: too many "
            "grants would be waiting to expire"
        )


def _check_allowance(allowance: Allowance) -> None:
    check_act_id("allowance id", allowance.id)
    if len(allowance.id) > ALLOWANCE_ID_CHARS_MAX:
        raise LedgerInvalid(f"allowance id {allowance.id!r} has more than {ALLOWANCE_ID_CHARS_MAX} characters")
    what = f"allowance {allowance.id}"
    check_amount(allowance.credits, least=1)
    if allowance.per not in PERS:
        raise LedgerInvalid(f"{what} is given per {allowance.per}: use {', '.join(PERS)}")
    check_instant("since_ms", allowance.since_ms)
    if allowance.since_ms > SINCE_MAX_MS:
        raise LedgerInvalid(f"{what} begins in the year 9999: its first period has no end that can be written")
    if not 0 <= allowance.lasts_periods <= PERIODS_BACK_MAX:
        raise LedgerInvalid(
            f"{what} lasts {allowance.lasts_periods} periods: use 1 (no roll-over) to {PERIODS_BACK_MAX}, or 0 for ever"
        )


def check_timezone(timezone: str) -> None:
    """A time zone is an IANA name that this machine's time zone data knows."""
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise LedgerInvalid(f"time zone {timezone!r} is not known; use an IANA name such as Europe/Berlin") from error


def check_key(key: KeyRecord) -> None:
    """Everything about an API key's record that could not be stored or counted by."""
    check_sha256(key.sha256)
    check_team_id(key.team)
    check_name("key id", key.key_id, required=True)
    check_name("project", key.project)
    check_name("member", key.member)
    if key.expires_at_ms is not None:
        check_instant("expires_at_ms", key.expires_at_ms)
    for scope in key.scopes:
        if scope not in _KEY_SCOPES:
            raise LedgerInvalid(f"scope {scope!r} of key {key.key_id}: use {', '.join(_KEY_SCOPES)}")


def _check_limit(limit: Limit) -> None:
    kind, colon, name = limit.scope.partition(":")
    if kind not in _SCOPE_KINDS or (colon and (kind == "team" or not name)):
        raise LedgerInvalid(f"limit scope {limit.scope!r}: use team, project, member, key, or one by name (member:amy)")
    check_name("limit scope", name)
    what = f"limit {limit.scope} per {limit.per}"
    check_amount(limit.credits)
    if (limit.raised_to is None) is not (limit.raised_until_ms is None):
        raise LedgerInvalid(f"{what}: a raise has an amount and an end, or neither")
    if limit.raised_to is not None and limit.raised_until_ms is not None:
        check_amount(limit.raised_to)
        check_instant("raised_until_ms", limit.raised_until_ms)
        if limit.raised_to <= limit.credits:
            own = credits_text(limit.credits)
            raise LedgerInvalid(f"{what}: a raise is to more than the limit itself, {own} credits")


def check_interval(what: str, interval_ms: int) -> None:
    """A time to live, or a grace: up to 30 days."""
    if not 0 <= interval_ms <= INTERVAL_MAX_MS:
        raise LedgerInvalid(f"{what} {interval_ms}: use 0 to {INTERVAL_MAX_MS} milliseconds")


def _utf8(what: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise LedgerInvalid(f"{what} is not text that UTF-8 can write") from error
