"""Start-up checks: can this store keep credits, and what does it survive? Reads only; decides nothing but the verdict.

The answer is data: `problems` mean the gateway must not start on it, `warnings` are worth a log line, and the
grade names, for people and for `/readyz`, what an acknowledged hold survives.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import pairs
from gatekeeper.ledger.errors import LedgerBroken, StoreRefused

VERSION_MIN: Final = (6, 2)
"""Oldest server the scripts are written for."""
MEMORY_WARN_SHARE: Final = 0.7
"""Share of maxmemory from which a warning is due: under noeviction a full store refuses holds."""


class Durability(StrEnum):
    """What an acknowledged write survives."""

    VOLATILE = "volatile"  # nothing: the server keeps no append-only file
    CRASH_LIKELY = "crash-likely"  # a crash may lose the last second or two
    CRASH_SAFE = "crash-safe"  # a crash of server or host loses nothing that the disk has confirmed


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What was found out about a store. `run_id` changes whenever the server starts anew."""

    server: str
    version: str
    run_id: str
    durability: Durability
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    def require_usable(self) -> None:
        """Raise StoreRefused with every problem, if there is one."""
        if self.problems:
            raise StoreRefused("the store cannot keep credits: " + "; ".join(self.problems))


async def check_store(client: StoreClient) -> StoreReport:
    """Ask the server about itself. Raises LedgerUnavailable if it does not answer."""
    await client.command("PING")
    info = _parse_info(str(await client.command("INFO")))
    return judge(info, await _appendfsync(client))


def judge(info: dict[str, str], appendfsync: str | None) -> StoreReport:
    """The verdict on a server that says this in INFO. `appendfsync` is None where the server does not tell."""
    aof = info.get("aof_enabled") == "1"
    valkey = info.get("server_name") == "valkey"
    return StoreReport(
        server="valkey" if valkey else "redis",
        version=info.get("valkey_version") or info.get("redis_version", "unknown"),
        run_id=info.get("run_id", ""),
        durability=_grade(aof, appendfsync),
        problems=tuple(_problems(info, aof)),
        warnings=tuple(_warnings(info, aof, appendfsync)),
    )


def _grade(aof: bool, appendfsync: str | None) -> Durability:
    if not aof:
        return Durability.VOLATILE
    return Durability.CRASH_SAFE if appendfsync == "always" else Durability.CRASH_LIKELY


def _problems(info: dict[str, str], aof: bool) -> list[str]:
    found: list[str] = []
    version = re.match(r"(\d+)\.(\d+)", info.get("redis_version", ""))
    if version is None or (int(version[1]), int(version[2])) < VERSION_MIN:
        found.append(f"server version {info.get('redis_version', 'unknown')} is older than 6.2: upgrade it")
    if info.get("role") != "master":
        found.append(f"the server is a {info.get('role', 'server of unknown role')}: give the master's address")
    policy = info.get("maxmemory_policy", "unknown")
    if int(info.get("maxmemory", "0")) > 0 and policy != "noeviction":
        found.append(f"maxmemory-policy is {policy}, which drops credits when memory is full: set it to noeviction")
    if info.get("aof_last_write_status", "ok") != "ok":
        found.append("the server's last write to its append-only file failed: free or mend its disk")
    if info.get("cluster_enabled") == "1":
        found.append("the server is a cluster node, which this version does not serve: give a single server's address")
    if not aof and int(info.get("connected_slaves", "0")) > 0:
        found.append("the server has replicas but no append-only file: a restart empties them all; set appendonly yes")
    return found


def _warnings(info: dict[str, str], aof: bool, appendfsync: str | None) -> list[str]:
    found: list[str] = []
    if not aof:
        found.append("appendonly is no: a restart of the server loses every balance")
    elif appendfsync is None:
        found.append("the server does not tell its appendfsync setting: taken as everysec")
    elif appendfsync != "always":
        found.append(f"appendfsync is {appendfsync}: a crash may lose the last writes; always loses none")
    most = int(info.get("maxmemory", "0"))
    if most and int(info.get("used_memory", "0")) > most * MEMORY_WARN_SHARE:
        found.append("more than 70 % of maxmemory is in use: when it is full, holds are refused")
    return found


def _parse_info(text: str) -> dict[str, str]:
    rows = (line.partition(":") for line in text.splitlines() if ":" in line and not line.startswith("#"))
    return {name: value.strip() for name, _, value in rows}


async def _appendfsync(client: StoreClient) -> str | None:
    """The setting, or None: managed services do not let everyone read their configuration."""
    try:
        return pairs(await client.command("CONFIG", "GET", "appendfsync")).get("appendfsync")
    except LedgerBroken:
        return None
