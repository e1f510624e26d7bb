"""What is remembered of keys and teams is gone by for a second, and what a key looks like in a header."""

from datetime import UTC, datetime

import pytest

from gatekeeper.core.rejection import Rejected
from gatekeeper.ledger.teamrecord import KeyRecord, TeamRecord
from gatekeeper.web.auth import REMEMBER_S, Authenticator, Caller, find_key, key_sha256

OWNERS = {key_sha256("gk_one"): "one", key_sha256("gk_other"): "other"}


class World:
    """A store that notes what is asked for, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.at_s = 1000.0
        self.asked: list[str] = []
        self.callers = Authenticator(self._key, self._team, self)

    def monotonic_s(self) -> float:
        return self.at_s

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def now_ms(self) -> int:
        return 0

    async def _key(self, sha256: str) -> KeyRecord:
        self.asked.append(OWNERS[sha256])
        return KeyRecord(sha256=sha256, team="team", key_id=OWNERS[sha256])

    async def _team(self, name: str) -> TeamRecord:
        self.asked.append(name)
        return TeamRecord(name)

    async def enter(self, key: str) -> list[str]:
        """What was looked up for it."""
        self.asked = []
        found = self.callers.caller([(b"Authorization", f"Bearer {key}".encode())])
        assert isinstance(found if isinstance(found, Caller) else await found, Caller)
        return self.asked


async def test_a_team_is_read_again_after_a_second_whoever_asks() -> None:
    """Also where a key of it was read later than the team was."""
    world = World()
    first = await world.enter("gk_one")
    world.at_s += REMEMBER_S * 0.6
    second = [await world.enter("gk_other"), await world.enter("gk_other")]
    world.at_s += REMEMBER_S * 0.6

    assert (["one", "team"], [["other"], []]) == (first, second)
    assert [["team"], []] == [await world.enter("gk_other"), await world.enter("gk_other")]


@pytest.mark.parametrize("value", [b"gk_a-B_9", b"Bearer gk_a-B_9", b" Key\tgk_a-B_9 "])
def test_a_key_stands_alone_or_behind_a_word(value: bytes) -> None:
    """Whatever the word, and however they are set apart."""
    assert b"gk_a-B_9" == find_key([(b"Authorization", value)])


@pytest.mark.parametrize(
    "value", [b"", b"Bearer", b"gk_", b"Bearer gk_a!", b"a b gk_a", b"Bearergk_a", b"gk_a b", b"gk_" + b"a" * 129]
)
def test_a_text_with_a_key_in_it_is_none(value: bytes) -> None:
    """Nor is one that only begins like it."""
    with pytest.raises(Rejected, match="Send your gatekeeper key"):
        find_key([(b"Authorization", value)])
