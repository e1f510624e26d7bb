"""The machine that is measured on: which cores whom, and what it is. Linux alone: affinity and /proc."""

import os
import platform
import resource
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gatekeeper.ledger.binary import find_server

ROOT = Path(__file__).parents[1]
"""The tree that is measured: the one this file is in, whatever is installed."""

PACKAGES = (
    "aiohttp",
    "uvloop",
    "httptools",
    "redis",
    "hiredis",
    "orjson",
    "structlog",
    "pydantic",
    "prometheus-client",
)


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where. What is measured has its core to itself wherever there are two."""

    measured: int
    load: int
    provider: int
    store: int

    @property
    def note(self) -> str:
        """What a reader has to know about it."""
        match len({self.measured, self.load, self.provider, self.store}):
            case 1:
                return "one core for everything: what is measured competes with what measures it"
            case 2:
                return "two cores: what is measured on one; load, provider and store share the other"
            case 3:
                return "three cores: what is measured on one, load on one; provider and store share one"
            case _:
                return "four cores: what is measured, load, provider and store on one each"


def plan_cores(available: Sequence[int]) -> Cores:
    """The first core is for what is measured; the others have what there is left."""
    first, *others = available
    if not others:
        return Cores(first, first, first, first)
    return Cores(first, others[0], others[min(1, len(others) - 1)], others[min(2, len(others) - 1)])


def own_cores() -> Cores:
    """The plan for the cores that this process may use."""
    return plan_cores(sorted(os.sched_getaffinity(0)))


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started within inherits the core, threads of libraries included."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_open_files(wanted: int) -> int:
    """Ask for so many open files, for this process and those it starts; gives how many there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limits in ((max(soft, wanted), max(hard, wanted)), (min(max(soft, wanted), hard), hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        except (ValueError, OSError):
            continue
        break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def describe() -> dict[str, object]:
    """Processor, system, versions, commit: what has to stand beside figures."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "store": _told(str(find_server()), "--version"),
        "commit": _told("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"),
        "changed": bool(_told("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no")),
        "load_before": os.getloadavg()[0],
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _told(*command: str) -> str:
    """What a program says; nothing if it is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except OSError:
        return ""
