"""exported.lua and trim.lua: nothing is noted that is not there, and nothing is cut that is not noted."""

from typing import Any

import pytest

Raw = Any


@pytest.fixture
async def exported(funded: Raw) -> Raw:
    """A team with two entries, both of them on disk."""
    await funded.exported(2)
    return funded


async def test_the_note_never_goes_back(exported: Raw):
    """An older export says nothing new."""
    assert [["EXPORTED", "2"]] * 2 == [await exported.exported(seq) for seq in (1, 2)]


@pytest.mark.parametrize("seq", ["x", "-1", "3", "1e0", ""])
async def test_nothing_is_noted_that_is_not_there(funded: Raw, seq: str):
    """Entries that the journal does not have cannot be on disk."""
    before = await funded.dump()

    assert "INVALID" == (await funded.exported(seq))[0]
    assert before == await funded.dump()


async def test_cut_and_kept_in_one_step(exported: Raw):
    """The entries are gone, and what they come to is there."""
    assert ["TRIMMED", "1"] == await exported.trim(0, 1, "one")
    assert ["TRIMMED", "1"] == await exported.trim(1, 2, "two")
    assert [] == await exported.client.command("XRANGE", exported.keys.journal, "-", "+")
    assert ["exported", "2", "seq", "2", "state", "two"] == await exported.client.command("HGETALL", exported.keys.base)


async def test_the_journal_goes_on_after_a_cut(exported: Raw):
    """The next entry follows the last one, also where all of them were cut off."""
    await exported.trim(0, 2)
    reply = await exported.hold()

    assert ("HELD", "3") == (reply[0], reply[4])
    assert ["3-0"] == [row[0] for row in await exported.client.command("XRANGE", exported.keys.journal, "-", "+")]


@pytest.mark.parametrize(
    ("arguments", "reply"),
    [
        ((1, 2), ["MOVED", "0"]),
        ((0, 2), ["NOT_EXPORTED", "1"]),
        ((0, 0), ["INVALID", "sequence: a checkpoint only moves on"]),
        (("x", 1), ["INVALID", "sequence"]),
        ((0, "x"), ["INVALID", "sequence"]),
        ((0, 1, ""), ["INVALID", "state"]),
    ],
)
async def test_nothing_is_cut_that_may_not_be(funded: Raw, arguments: tuple[str | int, ...], reply: list[str]):
    """The answer says why, and nothing is changed."""
    await funded.exported(1)
    before = await funded.dump()

    assert reply == await funded.trim(*arguments)
    assert before == await funded.dump()


async def test_nothing_is_cut_beyond_a_journal_that_was_lost(funded: Raw):
    """A store that knows of an export and lost the entries keeps what it has."""
    await funded.client.command("HSET", funded.keys.base, "exported", 9)

    assert ["INVALID", "sequence: the journal ends at 2"] == await funded.trim(0, 9)


@pytest.mark.parametrize("key", ["base", "journal"])
async def test_a_key_of_another_type(exported: Raw, key: str):
    """A script that cannot read what it needs has written nothing."""
    name = getattr(exported.keys, key)
    await exported.client.command("DEL", name)
    await exported.client.command("SET", name, "text")
    before = await exported.dump()
    with pytest.raises(Exception, match="WRONGTYPE"):
        await exported.trim(0, 1)

    assert before == await exported.dump()
    await exported.client.command("DEL", name)
