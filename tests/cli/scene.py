"""What the commands' tests work on: a small catalog, a config, a teams file; and commands in processes of their own."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from typer.testing import Result

from gatekeeper.ledger.holdid import RANDOM_BITS, new_hold_id
from gatekeeper.ledger.opening import OpenStore

CATALOG = """\
price_list:
  name: test-list
  effective_at: 2026-01-01T00:00:00Z
  source: made up
models:
  - id: a-model
    name: A Model
    aliases: [an-alias]
    offers:
      - {provider: acme, upstream_id: acme-1, status: active}
      - {provider: acme, upstream_id: acme-0, status: retired, sunset: 2026-02-01, replacement: b-model}
    capabilities:
      - operations: [image.generate, image.edit]
        resolutions: [1K, 2K]
        resolution_default: 1K
        aspect_ratios: [1:1, 16:9]
        outputs_max: 4
        price: {kind: per_tier, credits: {1K: 49, 2K: 73.5}}
  - id: b-model
    name: B Model
    capabilities:
      - operations: [image.upscale]
        scales: [2x, 4x]
        price: {kind: per_scale, credits: {2x: 10, 4x: 40}}
"""

CONFIG = "catalog: [catalog.yaml]\nstore: {data_dir: ./data}\n"

TEAMS = """\
teams:
  - id: studio
    timezone: Europe/Berlin
    grants: [{id: opening, credits: 1000}]
    limits:
      - {scope: team, per: month, credits: 5000}
    keys: [{id: ci, secret: {env: CI_KEY}, project: spring}]
"""

CI_KEY = "gk_0123456789abcdefghij"

START_TIMEOUT_S = 120
"""A busy machine takes its time to import everything."""

Run = Callable[..., Result]
Work = Callable[[OpenStore], Awaitable[object]]
InStore = Callable[[Work], None]


def hold_id() -> str:
    """A new hold id."""
    return new_hold_id(time.time_ns() // 1_000_000, secrets.randbits(RANDOM_BITS))


@contextmanager
def running(home: Path, *args: str, until: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A command in a process of its own, once `until` is in its output; the file has what it prints."""
    output = home / f"{args[0]}.out"
    command = [sys.executable, "-m", "gatekeeper", *args]
    with output.open("w") as stream:
        process = subprocess.Popen(command, cwd=home, stdout=stream, stderr=stream, text=True, env=os.environ | env)
    try:
        wait_for(lambda: until in output.read_text() or process.poll() is not None)
        assert until in output.read_text(), output.read_text()
        yield process, output
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def wait_for(is_so: Callable[[], bool]) -> None:
    """Looks again and again, for `START_TIMEOUT_S` at most."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
