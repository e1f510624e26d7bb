"""`make audit`: whether anything in uv.lock is known to be vulnerable, as `uv audit` finds it in OSV's database.

Three ends, and none is taken for another: nothing is known, something is, and nobody could be asked. The last is said
plainly and fails only where nothing may be left out (GATEKEEPER_REQUIRE_ALL), as in continuous integration.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

COMMAND: Final = ("uv", "audit", "--locked", "--preview-features", "audit-command")

SERVICE: Final = "api.osv.dev"

TIMEOUT_S: Final = 120
"""Two questions about a hundred and fifty packages; after this nobody answers."""

UNREACHABLE: Final = ("Request failed", "error sending request", "dns error", "timed out", "error decoding response")
"""What uv says when the database could not be asked."""

REQUIRE_ALL: Final = "GATEKEEPER_REQUIRE_ALL"


@dataclass(frozen=True)
class Verdict:
    """The exit code, and what is said last."""

    code: int
    says: str


def verdict(code: int | None, output: str, *, require_all: bool) -> Verdict:
    """What an exit code of uv's and its output mean; None: it did not end."""
    if code == 0:
        return Verdict(0, "audit: nothing in uv.lock is known to be vulnerable")
    if code is None or (code != 1 and any(each in output for each in UNREACHABLE)):
        says = f"NOT AUDITED: {SERVICE} cannot be reached, so nothing is known about uv.lock, neither good nor bad."
        return Verdict(1 if require_all else 0, says)
    if code == 1:
        return Verdict(
            1, "audit: something in uv.lock is vulnerable; see above. `uv lock --upgrade-package NAME` mends it"
        )
    return Verdict(code, "audit: uv could not audit uv.lock; see above")


def asked(*more: str) -> tuple[int | None, str]:
    """What uv ends with, and says. None: it did not end."""
    command = (sys.executable, "-m", *COMMAND, *more)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Asks, shows what was said, and ends as it should."""
    code, output = asked()
    found = verdict(code, output, require_all=bool(os.environ.get(REQUIRE_ALL)))
    sys.stdout.write(f"{output}{found.says}\n")
    return found.code


if __name__ == "__main__":
    sys.exit(main())
