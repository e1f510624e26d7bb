"""What a provider made of a request, read from its answer by a dialect.

The status line alone is never an outcome: failure inside a 200 is common, and so are three images where four were
asked for.
"""

from dataclasses import dataclass

from gatekeeper.core.sizes import Pixels


@dataclass(frozen=True, slots=True)
class Made:
    """It made something. `pixels` has one entry an output, None where the answer does not tell."""

    outputs: int
    pixels: tuple[Pixels | None, ...] = ()
    quality: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """It made nothing. `billable`: the provider charges for it all the same."""

    reason: str
    billable: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """It took the work and will tell later, under this id."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It answered, or began to, and what it made cannot be told from that."""

    reason: str


Outcome = Made | Failed | Pending | Unknown
