"""What can go wrong with a provider, sorted by the one question that decides over credits: did anything arrive?

`NeverSent` frees the hold at once. `OutcomeUnknown` must not: the provider may be drawing, and charging, right now.
Where the two cannot be told apart with certainty, it is `OutcomeUnknown`.

The errors carry no address, header or foreign exception: an address may hold a credential in its query, and
whatever hangs on an exception ends up in a log one day.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a request did not end in a whole answer: a short word for logs and metrics."""

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    CONNECT_TIMEOUT = "connect_timeout"
    CLOSED = "closed"
    UNSENDABLE = "unsendable"
    DISCONNECTED = "disconnected"
    BAD_ANSWER = "bad_answer"
    HEAD_TIMEOUT = "head_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    CUT = "cut"


_TIMEOUTS = frozenset({Reason.CONNECT_TIMEOUT, Reason.HEAD_TIMEOUT, Reason.IDLE_TIMEOUT, Reason.TOTAL_TIMEOUT})


class UpstreamError(Exception):
    """A provider gave no whole answer. `reason` says why, `detail` helps a person, `sent` decides over credits."""

    sent: bool

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail

    @property
    def timed_out(self) -> bool:
        """True when one of our own time limits ended it (504), false when the provider or the network did (502)."""
        return self.reason in _TIMEOUTS


class NeverSent(UpstreamError):
    """Certain: no whole request left this process, and mostly not one byte of it. Nothing was made, nothing can be
    charged."""

    sent = False


class OutcomeUnknown(UpstreamError):
    """The request may have arrived, in part or in full, and may have been carried out."""

    sent = True
