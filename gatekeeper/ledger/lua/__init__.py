"""The scripts as loaded: each file with the prelude in front, and the SHA-1 the store knows it by."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Final

NAMES: Final = (
    "balance", "expire", "exported", "extend", "grant", "hold", "job", "key", "refund", "settle", "snapshot", "team",
    "transfer", "trim", "unknown",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Script:
    """One script, ready to be sent."""

    name: str
    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script of this name, read once."""
    here = files(__package__)
    text = here.joinpath("prelude.lua").read_text("utf-8") + here.joinpath(f"{name}.lua").read_text("utf-8")
    # SHA-1 is what EVALSHA is defined by; nothing is protected by it.
    return Script(name, text, sha1(text.encode(), usedforsecurity=False).hexdigest())
