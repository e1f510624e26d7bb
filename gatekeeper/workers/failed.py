"""What a gateway of several processes ends with when it cannot go on. A module of its own: every command tells it, and
only one of them has the rest of this package to import."""


class WorkersFailed(Exception):
    """The workers cannot serve; the message has the reason of the last that died."""
