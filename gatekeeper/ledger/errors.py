"""The errors a caller of the ledger can meet: few, and each says whose fault it is and whether to try again.

A refusal for money is no error (`records.Refused`), and neither is a repeat. Exceptions of the Redis client never
leave this package.
"""


class LedgerError(Exception):
    """Something is wrong with the ledger or with how it was called."""

    retryable = False


class LedgerUnavailable(LedgerError):
    """The store could not be reached in time. Fails closed: forward nothing, answer 503 with Retry-After.

    `maybe_executed` is False when it is certain that nothing was written.
    """

    retryable = True

    def __init__(self, message: str, *, maybe_executed: bool) -> None:
        super().__init__(message)
        self.maybe_executed = maybe_executed


class LedgerHistoryLost(LedgerUnavailable):
    """The store has lost some of the team's journal, which is being told again. Admit nothing for it meanwhile."""

    def __init__(self, message: str, *, maybe_executed: bool = False) -> None:
        super().__init__(message, maybe_executed=maybe_executed)


class LedgerInvalid(LedgerError, ValueError):
    """The caller passed something that no ledger can book. Nothing was written."""


class LedgerNoTeam(LedgerError, LookupError):
    """The ledger does not know this team. Nothing was written."""


class LedgerConflict(LedgerError):
    """The team's record has another revision than the caller expected. Nothing was written: read it again."""


class LedgerBroken(LedgerError):
    """The store holds something the ledger did not write, or refuses our scripts. An operator has to look."""


class OutboxFull(LedgerError):
    """The outbox has reached its size (`store.outbox_max_mb`); what was to be kept in it was not."""


class OutboxFailed(LedgerError):
    """The outbox's file could not be written (full disk, failing disk, closed); what was to be kept in it was not."""


class ExportBroken(LedgerError):
    """An exported journal cannot be read or continued; the message says where and what to do. Nothing was written."""


class StoreRefused(LedgerError):
    """The store cannot be used as it is set up (version, role, eviction, address); the message says what to change."""
