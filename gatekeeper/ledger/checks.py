"""Start-up checks: can this store keep credits, and what does it survive? Reads only; decides nothing but the verdict.

The answer is data: `problems` mean the gateway must not start on it, `warnings` are worth a log line, and the
grade names, for people and for `/readyz`, what an acknowledged hold survives.
"""

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from gatekeeper.ledger.address import CLUSTER_EXAMPLE, SENTINEL_EXAMPLE, Kind
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import pairs
from gatekeeper.ledger.confirm import Confirm
from gatekeeper.ledger.errors import LedgerBroken, LedgerUnavailable, StoreRefused
from gatekeeper.ledger.node import parse_info
from gatekeeper.ledger.slots import SLOTS

VERSION_MIN: Final = (6, 2)
"""Oldest server the scripts are written for."""
WAITAOF_VERSION_MIN: Final = (7, 2)
"""First server with WAITAOF; every Valkey says at least this."""
WHOLE_SCRIPTS_VERSION_MIN: Final = (9, 1, 2)
"""First Valkey seen to drop the whole of a script that a crash cut off in the append-only file. Redis 7.0.15 and Valkey
before its pull request 4342 cut inside it: the restart after that applies the first half of the script together with
what was written since."""
MEMORY_WARN_SHARE: Final = 0.7
"""Share of maxmemory from which a warning is due: under noeviction a full store refuses holds."""


class Durability(StrEnum):
    """What an acknowledged write survives, weakest first."""

    VOLATILE = "volatile"  # nothing: the server keeps no append-only file
    CRASH_LIKELY = "crash-likely"  # a crash may lose the last second or two
    CRASH_SAFE = "crash-safe"  # a crash of server or host loses nothing that the disk has confirmed
    FAILOVER_LIKELY = "failover-likely"  # nor, most likely, does a fail-over: replicas had it in memory
    FAILOVER_DISK = "failover-disk"  # replicas had it on disk


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What was found out about a store. `run_id` changes whenever the server starts anew.

    `nodes` are the reports on a cluster's masters, by name; the whole one then lists all their run ids.
    """

    server: str
    version: str
    run_id: str
    durability: Durability
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    nodes: dict[str, "StoreReport"] = field(default_factory=dict)

    def require_usable(self) -> None:
        """Raise StoreRefused with every problem, if there is one."""
        if self.problems:
            raise StoreRefused("the store cannot keep credits: " + "; ".join(self.problems))


async def check_store(client: StoreClient) -> StoreReport:
    """Ask every master about itself; the weakest is the verdict.

    Raises LedgerUnavailable if one does not answer, or if a fail-over comes in between: ask again.
    """
    await client.each("PING")
    said, disks = await client.each("INFO"), await _appendfsync(client)
    if not said or said.keys() != disks.keys():
        raise LedgerUnavailable("the store's masters changed while they were asked", maybe_executed=False)
    nodes = {
        name: judge(parse_info(str(info)), disks[name], client.kind, client.confirm) for name, info in said.items()
    }
    return combine(nodes, client.slots_covered)


def combine(nodes: dict[str, StoreReport], slots_covered: int | None) -> StoreReport:
    """The report on a whole store: problems and warnings of every node, each with its name, and the weakest grade."""
    first = next(iter(nodes.values()))
    if slots_covered is None:
        return first
    problems = [f"{name}: {problem}" for name, node in nodes.items() for problem in node.problems]
    if slots_covered < SLOTS:
        problems.append(f"{SLOTS - slots_covered} of the cluster's slots have no master: mend it first")
    return replace(
        first,
        version=", ".join(sorted({node.version for node in nodes.values()})),
        run_id=",".join(sorted(node.run_id for node in nodes.values())),
        durability=min((node.durability for node in nodes.values()), key=list(Durability).index),
        problems=tuple(problems),
        warnings=tuple(f"{name}: {warning}" for name, node in nodes.items() for warning in node.warnings),
        nodes=nodes,
    )


def judge(
    info: dict[str, str], appendfsync: str | None, kind: Kind = Kind.SINGLE, confirm: Confirm | None = None
) -> StoreReport:
    """The verdict on a server that says this in INFO. `appendfsync` is None where the server does not tell."""
    aof = info.get("aof_enabled") == "1"
    valkey = info.get("server_name") == "valkey"
    confirm = confirm or Confirm()
    return StoreReport(
        server="valkey" if valkey else "redis",
        version=info.get("valkey_version") or info.get("redis_version", "unknown"),
        run_id=info.get("run_id", ""),
        durability=grade(aof=aof, appendfsync=appendfsync, confirm=confirm),
        problems=(*_wrong_address(info, kind), *_problems(info, aof, kind), *_cannot_confirm(info, aof, confirm)),
        warnings=(
            *_warnings(info, aof, appendfsync, confirm),
            *_half_scripts(info, aof),
            *_weak_confirmation(info, appendfsync, confirm),
        ),
    )


def grade(*, aof: bool, appendfsync: str | None, confirm: Confirm) -> Durability:
    """What an acknowledged write survives with these settings, on this server and its replicas."""
    if not aof:
        return Durability.VOLATILE
    if confirm.fsync:
        return Durability.FAILOVER_DISK if confirm.replicas else Durability.CRASH_SAFE
    if appendfsync != "always":
        return Durability.CRASH_LIKELY
    return Durability.FAILOVER_LIKELY if confirm.replicas else Durability.CRASH_SAFE


def _wrong_address(info: dict[str, str], kind: Kind) -> list[str]:
    if "sentinel" in {info.get("redis_mode"), info.get("server_mode")}:
        return [f"the server is a sentinel, no store: write {SENTINEL_EXAMPLE}"]
    cluster = info.get("cluster_enabled") == "1"
    if cluster and kind is not Kind.CLUSTER:
        return [f"the server is a cluster node: write {CLUSTER_EXAMPLE}"]
    if kind is Kind.CLUSTER and not cluster:
        return ["the server is no cluster node: write redis:// or rediss:// with its address"]
    role = info.get("role", "server of unknown role")
    if kind is Kind.SINGLE and role != "master":
        return [f"the server is a {_said(role)}: give the master's address, or write {SENTINEL_EXAMPLE}"]
    return []


def _said(role: str) -> str:
    return "replica" if role == "slave" else role


def _problems(info: dict[str, str], aof: bool, kind: Kind) -> list[str]:
    found: list[str] = []
    if _version(info) < VERSION_MIN:
        found.append(f"server version {info.get('redis_version', 'unknown')} is older than 6.2: upgrade it")
    role = info.get("role", "server of unknown role")
    if kind is not Kind.SINGLE and role != "master":
        found.append(f"the server is a {_said(role)}, which a fail-over may just have made it: try again")
    policy = info.get("maxmemory_policy", "unknown")
    if int(info.get("maxmemory", "0")) > 0 and policy != "noeviction":
        found.append(f"maxmemory-policy is {policy}, which drops credits when memory is full: set it to noeviction")
    if info.get("aof_last_write_status", "ok") != "ok":
        found.append("the server's last write to its append-only file failed: free or mend its disk")
    if not aof and int(info.get("connected_slaves", "0")) > 0:
        found.append("the server has replicas but no append-only file: a restart empties them all; set appendonly yes")
    elif not aof and kind is Kind.SENTINEL:
        found.append("sentinels watch a server without an append-only file: a restart empties it; set appendonly yes")
    return found


def _half_scripts(info: dict[str, str], aof: bool) -> list[str]:
    numbers = tuple(int(number) for number in re.findall(r"\d+", info.get("valkey_version", ""))[:3])
    if not aof or numbers >= WHOLE_SCRIPTS_VERSION_MIN:
        return []
    return [
        "when this server crashes, half a script may stay in its append-only file and be applied at the restart after: "
        "after a crash let it rewrite the file at once (BGREWRITEAOF), or run Valkey 9.1.2 or newer"
    ]


def _cannot_confirm(info: dict[str, str], aof: bool, confirm: Confirm) -> list[str]:
    replicas = int(info.get("connected_slaves", "0"))
    if replicas < confirm.replicas:
        return [
            f"store.wait_replicas is {confirm.replicas} and the server has {replicas} replicas, so no write could be "
            "confirmed: attach as many, or lower store.wait_replicas"
        ]
    if not confirm.fsync:
        return []
    if _version(info) < WAITAOF_VERSION_MIN:
        return ["store.wait_fsync needs WAITAOF, a command of servers from 7.2 on: upgrade it, or turn wait_fsync off"]
    if not aof:
        return ["store.wait_fsync needs an append-only file: set appendonly yes, or turn wait_fsync off"]
    return []


def _warnings(info: dict[str, str], aof: bool, appendfsync: str | None, confirm: Confirm) -> list[str]:
    found: list[str] = []
    if not aof:
        found.append("appendonly is no: a restart of the server loses every balance")
    elif confirm.fsync:
        pass  # each write waits for the disk, whatever the server does by itself
    elif appendfsync is None:
        found.append("the server does not tell its appendfsync setting: taken as everysec")
    elif appendfsync != "always":
        found.append(f"appendfsync is {appendfsync}: a crash may lose the last writes; always loses none")
    most = int(info.get("maxmemory", "0"))
    if most and int(info.get("used_memory", "0")) > most * MEMORY_WARN_SHARE:
        found.append("more than 70 % of maxmemory is in use: when it is full, holds are refused")
    return found


def _weak_confirmation(info: dict[str, str], appendfsync: str | None, confirm: Confirm) -> list[str]:
    replicas, found = int(info.get("connected_slaves", "0")), []
    if replicas and not confirm.replicas:
        found.append("store.wait_replicas is 0: a fail-over may lose what was acknowledged last")
    if confirm.replicas and not confirm.fsync and appendfsync != "always":
        found.append(
            "replicas confirm, but a master that crashes and comes back before one is promoted takes from them what "
            "its disk had not: set appendfsync always, or store.wait_fsync"
        )
    if confirm.replicas and confirm.fsync and appendfsync != "always":
        found.append(
            "with wait_fsync each batch waits up to a second for disks that are not written at once: set appendfsync "
            "always, on the replicas too"
        )
    return found


def _version(info: dict[str, str]) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", info.get("redis_version", ""))
    return (int(found[1]), int(found[2])) if found else (0, 0)


async def _appendfsync(client: StoreClient) -> dict[str, str | None]:
    """The setting of each node, or None: managed services do not let everyone read their configuration."""
    try:
        told = await client.each("CONFIG", "GET", "appendfsync")
    except LedgerBroken:
        return {node.name: None for node in client.masters}
    return {name: pairs(reply).get("appendfsync") for name, reply in told.items()}
