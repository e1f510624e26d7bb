"""As much of the store's wire format (RESP 2) as it takes to know where a command or a reply ends.

It gives places in a buffer and understands nothing else, but for which script a command runs.
"""

import re

from gatekeeper.ledger.lua import NAMES, script

_LINE_END = b"\r\n"
_EVALSHA = re.compile(rb"\*\d+\r\n\$7\r\nEVALSHA\r\n\$40\r\n([0-9a-f]{40})\r\n")


def whole_end(buffer: bytes | bytearray, at: int) -> int | None:
    """Where the value that begins here ends (commands are values too), or None if it is not all there."""
    missing = 1
    while missing:
        line_end = buffer.find(_LINE_END, at)
        if line_end < 0:
            return None
        kind, after = buffer[at], line_end + 2
        if kind == ord("*"):
            missing += max(0, int(buffer[at + 1 : line_end]))
        elif kind == ord("$") and (length := int(buffer[at + 1 : line_end])) >= 0:
            after += length + 2
            if after > len(buffer):
                return None
        at = after
        missing -= 1
    return at


def script_name(buffer: bytes | bytearray, at: int) -> str:
    """The name of the script that the command here runs; empty if it runs none of ours."""
    found = _EVALSHA.match(buffer, at)
    return _names().get(bytes(found[1]), "") if found else ""


def _names() -> dict[bytes, str]:
    if not _NAMES:
        _NAMES.update({script(name).sha.encode(): name for name in NAMES})
    return _NAMES


_NAMES: dict[bytes, str] = {}
