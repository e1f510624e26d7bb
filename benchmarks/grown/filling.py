"""Fills a store, or a catalog: quickly, and so that `verify` finds nothing wrong with it.

Teams are copies of one that real calls have made: its keys are copied within the server, which is right because nothing
in a team's keys says which team it is. Only the secret of its API key is another. Settled holds are real ones.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from benchmarks.ledger_store import AT_ONCE, GRANT, hold_all, orders
from gatekeeper.ledger.codec import key_text
from gatekeeper.ledger.keys import TEAMS, TeamKeys, api_key
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.teamrecord import KeyRecord, Limit, Per, TeamRecord

PATTERN: Final = "grown"
"""The team that the others are copies of."""
KEY_ID: Final = "key"
AT_A_TIME: Final = 500
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


async def settle_many(ledger: Ledger, team: str, count: int) -> None:
    """So many holds, each made and settled by the ledger's own scripts."""
    for start in range(0, count, AT_A_TIME):
        todo = orders(team, min(AT_A_TIME, count - start))
        await hold_all(ledger, todo)
        for at in range(0, len(todo), AT_ONCE):
            some = todo[at : at + AT_ONCE]
            ends = (ledger.settle(each.hold_id, team, CHARGE, outcome="made", outputs=1) for each in some)
            await asyncio.gather(*ends)


def model_name(number: int) -> str:
    """The id of a model by its number."""
    return f"model-{number:0{NAME_DIGITS}d}"


def write_models(path: Path, count: int) -> Sequence[str]:
    """A catalog file with so many models like `bench-painter`; gives their ids."""
    names = [model_name(number) for number in range(count)]
    head = "price_list: {name: grown, effective_at: 2026-01-01T00:00:00Z, source: made up}\nmodels:\n"
    path.write_text(head + "".join(map(_model, names)))
    return names


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
