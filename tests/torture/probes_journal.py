"""Probes of how a journal leaves the store: each a short scene with its expected end."""

from tests.torture.bench import Bench


async def a_note_of_an_export(bench: Bench) -> None:
    """It is of entries that are there, and never goes back."""
    ledger, team = bench.ledger, bench.team
    assert "refuses its sequence" in await bench.bent("exported", 0, "1e0", ledger.confirm_exported(team, 1))
    assert "the journal ends at 2" in await bench.refused_as(ledger.confirm_exported(team, 3))
    assert [2, 2] == [await ledger.confirm_exported(team, seq) for seq in (2, 1)]
    assert 2 == (await ledger.checkpoint(team)).exported


async def a_trim_is_of_what_was_exported(bench: Bench) -> None:
    """Neither of more than that, nor of more than there is."""
    ledger, team = bench.ledger, bench.team
    await ledger.confirm_exported(team, 1)
    assert "export it first" in await bench.refused_as(ledger.cut_journal(team, 0, 2, "{}"))
    await bench.client.command("HSET", bench.keys.base, "exported", 9)
    assert "the journal ends at 2" in await bench.refused_as(ledger.cut_journal(team, 0, 3, "{}"))
    assert 2 == len(await ledger.journal(team))


async def a_trim_goes_on_from_its_checkpoint(bench: Bench) -> None:
    """From the one that is there, forwards, with numbers and a state; and the entries go with it."""
    ledger, team = bench.ledger, bench.team
    await ledger.confirm_exported(team, 2)
    assert "refuses its sequence" in await bench.bent("trim", 0, "1e0", ledger.cut_journal(team, 0, 1, "{}"))
    assert "refuses its sequence" in await bench.bent("trim", 1, "1e0", ledger.cut_journal(team, 0, 1, "{}"))
    assert "refuses its state" in await bench.refused_as(ledger.cut_journal(team, 0, 1, ""))
    assert "by somebody else" in await bench.refused_as(ledger.cut_journal(team, 1, 2, "{}"))
    assert "only moves on" in await bench.refused_as(ledger.cut_journal(team, 0, 0, "{}"))
    assert 1 == await ledger.cut_journal(team, 0, 1, "one")
    found = await ledger.checkpoint(team)
    assert (1, "one", [2]) == (found.seq, found.state, [entry.seq for entry in await ledger.journal(team)])


async def a_trim_of_a_wrong_type(bench: Bench) -> None:
    """A journal that is no stream stops a trim before it has written anything."""
    ledger, team = bench.ledger, bench.team
    await ledger.confirm_exported(team, 2)
    await bench.client.command("DEL", bench.keys.journal)
    await bench.client.command("SET", bench.keys.journal, "no stream")
    assert "WRONGTYPE" in await bench.refused_as(ledger.cut_journal(team, 0, 1, "one"))
    assert 0 == (await ledger.checkpoint(team)).seq


JOURNAL_PROBES = (
    a_note_of_an_export, a_trim_is_of_what_was_exported, a_trim_goes_on_from_its_checkpoint, a_trim_of_a_wrong_type,
)  # fmt: skip
