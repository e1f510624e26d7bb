"""Fills a store, or a catalog: quickly, and so that `verify` finds nothing wrong with it.

Teams are copies of one that real calls have made: its keys are copied within the server, which is right because nothing
in a team's keys says which team it is; only the secret of its API key is another. Of a team's settled holds one was
made by real calls, and the others are like it but for their ids: journal, memory of what is over, figures, counters and
usage, all of which `verify` derives.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from benchmarks.ledger_store import GRANT, hold_all, orders
from gatekeeper.ledger.codec import key_text
from gatekeeper.ledger.keys import TEAMS, TeamKeys, api_key
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.teamrecord import KeyRecord, Limit, Per, TeamRecord

Raw = Any
"""A `Redis` that decodes: the library's types do not tell texts from bytes."""
PATTERN: Final = "grown"
"""The team that the others are copies of."""
KEY_ID: Final = "key"
AT_A_TIME: Final = 500
MODELS_IN_A_FILE: Final = 1000
CHARGE: Final = 500
"""Micro-credits that each settled hold was charged."""
NAME_DIGITS: Final = 7
"""Names are as long as `bench-painter`: a request for one is a request for the other with the name replaced."""

COPY: Final = """
for i = 7, #ARGV, 3 do
  local team, tag, sha = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  for _, part in ipairs(KEYS) do
    redis.call('COPY', part, tag .. string.sub(part, #ARGV[1] + 1), 'REPLACE')
  end
  redis.call('HSET', tag .. ':keys', ARGV[2], ARGV[3] .. sha .. ARGV[4])
  redis.call('SET', ARGV[6] .. sha, team .. '\\t' .. ARGV[2])
  redis.call('SADD', ARGV[5], team)
end
"""
"""Arguments: the tag of the pattern, its key's id, what stands before and behind the hash in that key's record, the set
of all teams, what a secret's own key begins with; then of each new team the id, the tag and the hash of its key."""


SETTLE: Final = """
for i = 1, tonumber(ARGV[1]) do
  local seq = ARGV[2] + 2 * i - 1
  local id = ARGV[8] .. string.format('%020x', seq)
  local rest = string.gsub(ARGV[6], '^(\\t%d+\\t%d+\\t)%d+', '%1' .. seq)
  redis.call('XADD', KEYS[1], seq .. '-0', 'e', ARGV[3] .. id .. ARGV[4])
  redis.call('XADD', KEYS[1], (seq + 1) .. '-0', 'e', ARGV[5] .. id .. rest)
  redis.call('HSET', KEYS[2], id, ARGV[7])
end
"""
"""Arguments: how many, the last entry's sequence, what stands before and behind the id in the entry of a hold and in
that of its end, what is remembered of it, and what an id begins with. Behind the id of an end come its amount, its
charge and the sequence of its hold."""
ID_TIME_DIGITS: Final = 12
"""An id begins with its time."""


def team_name(number: int) -> str:
    """The id of a team by its number."""
    return f"{PATTERN}-{number:0{NAME_DIGITS}d}"


def secret_of(number: int) -> str:
    """The API key of that team."""
    return f"gk_{PATTERN}{number:020d}"


def _sha(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


async def make_pattern(ledger: Ledger) -> None:
    """One team as a small one is: credits, a limit, an API key, and a hold that was made and given back."""
    await ledger.put_team(TeamRecord(PATTERN, limits=(Limit("team", Per.MONTH, GRANT),)))
    await ledger.grant(PATTERN, "opening", GRANT)
    await ledger.keyring.put(KeyRecord(_sha(PATTERN), PATTERN, KEY_ID))
    todo = orders(PATTERN, 1)
    await hold_all(ledger, todo)
    await ledger.release(todo[0].hold_id, PATTERN, reason="failed")


async def copy_teams(redis: Redis, first: int, last: int) -> None:
    """Copies of the pattern, from this number to before that one."""
    tag = TeamKeys(PATTERN).tag
    keys = sorted(await redis.keys(f"{tag}:*"))
    record = key_text(KeyRecord(_sha(PATTERN), PATTERN, KEY_ID))
    before, _, behind = record.partition(_sha(PATTERN))
    script = await redis.script_load(COPY)
    fixed = (tag, KEY_ID, before, behind, TEAMS, api_key(""))
    for start in range(first, last, AT_A_TIME):
        numbers = range(start, min(start + AT_A_TIME, last))
        named = [text for number in numbers for text in _named(number)]
        await redis.evalsha(script, len(keys), *keys, *fixed, *named)


def _named(number: int) -> tuple[str, str, str]:
    name = team_name(number)
    return name, TeamKeys(name).tag, _sha(secret_of(number))


async def settle_many(ledger: Ledger, redis: Raw, team: str, count: int) -> None:
    """So many settled holds in a team that has had none: one by the ledger's own scripts, the others like it."""
    if not count:
        return
    todo = orders(team, 1)
    await hold_all(ledger, todo)
    await ledger.settle(todo[0].hold_id, team, CHARGE, outcome="made", outputs=1)
    keys, hold_id = TeamKeys(team), todo[0].hold_id
    (_, end), (_, beginning) = await redis.xrevrange(keys.journal, count=2)
    books = await _hash(redis, keys.bal)
    figures, done = books["figures"].split(":"), (await _hash(redis, keys.done_of(hold_id)))[hold_id]
    texts = (*_around(beginning["e"], hold_id), *_around(end["e"], hold_id), done, hold_id[:ID_TIME_DIGITS])
    script, seq = await redis.script_load(SETTLE), int(figures[0])
    for at in range(0, count - 1, AT_A_TIME):
        some = min(AT_A_TIME, count - 1 - at)
        await redis.evalsha(script, 2, keys.journal, keys.done_of(hold_id), str(some), str(seq + 2 * at), *texts)
    await redis.hset(keys.bal, mapping=_times(books, count, seq, figures))
    rows = await _hash(redis, keys.usage_of(hold_id))
    await redis.hset(keys.usage_of(hold_id), mapping={row: _multiple(text, count) for row, text in rows.items()})


def _around(entry: str, hold_id: str) -> tuple[str, str]:
    before, _, behind = entry.partition(hold_id)
    return before, behind


async def _hash(redis: Raw, key: str) -> dict[str, str]:
    found: dict[str, str] = await redis.execute_command("HGETALL", key)
    return found


def _times(books: Mapping[str, str], count: int, seq: int, figures: Sequence[str]) -> dict[str, str]:
    """The team's figures and its scopes' counters after so many like the one it has."""
    moved = {scope: json.loads(text) for scope, text in books.items() if text.startswith("[")}
    counted = {scope: [*(each * count for each in used), starts] for scope, (*used, starts) in moved.items()}
    texts = {scope: json.dumps(values, separators=(",", ":")) for scope, values in counted.items()}
    charged = str(int(figures[3]) * count)
    return texts | {"figures": ":".join([str(seq + 2 * (count - 1)), *figures[1:3], charged, *figures[4:]])}


def _multiple(row: str, count: int) -> str:
    return ":".join(str(int(figure) * count) for figure in row.split(":"))


def model_name(number: int) -> str:
    """The id of a model by its number."""
    return f"model-{number:0{NAME_DIGITS}d}"


def write_models(folder: Path, count: int) -> list[Path]:
    """Catalog files with so many models like `bench-painter` in them, as many to a file as one may be large."""
    head = "price_list: {name: grown, effective_at: 2026-01-01T00:00:00Z, source: made up}\nmodels:\n"
    written = list[Path]()
    for start in range(0, count, MODELS_IN_A_FILE):
        numbers = range(start, min(start + MODELS_IN_A_FILE, count))
        written.append(folder / f"grown-{start}.yaml")
        written[-1].write_text(head + "".join(_model(model_name(number)) for number in numbers))
    return written


def _model(name: str) -> str:
    return f"""
  - id: {name}
    name: {name.title()}
    offers:
      - {{provider: openai, upstream_id: {name}, status: active}}
    capabilities:
      - operations: [image.generate, image.edit]
        resolutions: [1K]
        aspect_ratios: [1:1, 2:3, 3:2]
        pixels:
          1K: {{1:1: 1024x1024, 2:3: 1024x1536, 3:2: 1536x1024}}
        outputs_max: 10
        qualities: [low, medium, high, auto]
        price: {{kind: per_output, credits: 35}}
"""
