"""Who is signed in: a bounded table in memory. It is gone with the process, and everybody signs in again.

A session is found by the hash of what the cookie holds, so that how long a look takes tells nothing of it.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final, Literal

from gatekeeper.clock import Clock

IDLE_S: Final = 60 * 60
"""Who has asked for nothing in an hour has left the desk."""

LIFE_S: Final = 12 * 60 * 60
"""A working day; then the token is asked for again."""

SESSIONS_MAX: Final = 256
"""More people than ever look after one gateway; beyond it whoever was away longest is signed out."""

ID_BYTES: Final = 32
"""256 random bits."""

MESSAGES_MAX: Final = 8
"""What waits to be told at the next page."""

Tone = Literal["done", "problem"]


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence for the next page."""

    text: str
    tone: Tone = "done"


@dataclass(slots=True)
class Session:
    """One browser that is signed in. `actor` is who its actions are done by, as it said last."""

    csrf: str = field(repr=False)
    began_s: float
    seen_s: float
    actor: str = ""
    messages: list[Message] = field(default_factory=list)

    def tell(self, text: str, tone: Tone = "done") -> None:
        """Leaves a sentence for the next page."""
        self.messages = [*self.messages, Message(text, tone)][-MESSAGES_MAX:]

    def take_messages(self) -> list[Message]:
        """What is to be told; it is told once."""
        told, self.messages = self.messages, []
        return told


class Sessions:
    """All of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._found: dict[bytes, Session] = {}

    def open(self) -> tuple[str, Session]:
        """A new one, and what its cookie holds."""
        self._drop_ended()
        if len(self._found) >= SESSIONS_MAX:
            del self._found[min(self._found, key=lambda name: self._found[name].seen_s)]
        now_s, secret = self._clock.monotonic_s(), secrets.token_urlsafe(ID_BYTES)
        session = Session(secrets.token_urlsafe(ID_BYTES), now_s, now_s)
        self._found[_name(secret)] = session
        return secret, session

    def find(self, secret: str, by_itself: bool = False) -> Session | None:
        """The session of this cookie, unless it is over. Finding it is being there, unless a page asks by itself."""
        name = _name(secret)
        session = self._found.get(name)
        if session is None:
            return None
        if self._is_over(session):
            del self._found[name]
            return None
        if not by_itself:
            session.seen_s = self._clock.monotonic_s()
        return session

    def goes_on(self, session: Session) -> bool:
        """Whether it is still open; to ask is not to be there."""
        return not self._is_over(session) and any(session is each for each in self._found.values())

    def close(self, secret: str) -> None:
        """Signs out."""
        self._found.pop(_name(secret), None)

    def __len__(self) -> int:
        return len(self._found)

    def _drop_ended(self) -> None:
        self._found = {name: session for name, session in self._found.items() if not self._is_over(session)}

    def _is_over(self, session: Session) -> bool:
        now_s = self._clock.monotonic_s()
        return now_s - session.seen_s > IDLE_S or now_s - session.began_s > LIFE_S


def _name(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
