"""Export and trim on a real store: nothing is cut that is not on disk, and every verdict stays what it was."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from gatekeeper.ledger import proof
from gatekeeper.ledger.checkpoint import to_text
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import ExportBroken, LedgerBroken, LedgerConflict, LedgerInvalid, LedgerNoTeam
from gatekeeper.ledger.export import Exported, Trimmed, export_team, trim_team
from gatekeeper.ledger.exportfile import export_path, read_export
from gatekeeper.ledger.journal import Checkpoint
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import HoldOrder, OnUnknown, SettleStatus, TeamRecord
from gatekeeper.ledger.verify import Replay

Order = Callable[..., HoldOrder]
EVER_MS = 1 << 60


@pytest.fixture
async def busy(ledger: Ledger, team: TeamRecord, order: Order) -> TeamRecord:
    """A team with 14 entries: holds that were settled, released, resolved by time, kept, and one that runs."""
    settled, expired, charged, kept, running = (
        order(member="amy"), order(ttl_ms=0), order(ttl_ms=0, on_unknown=OnUnknown.CHARGE),
        order(ttl_ms=0, on_unknown=OnUnknown.KEEP), order(key_id="ci"),
    )  # fmt: skip
    for asked in (settled, expired, charged, kept):
        await ledger.hold(asked)
    await ledger.settle(settled.hold_id, team.id, 7)
    await ledger.expire_due(team.id)
    await ledger.hold(running)
    return team


async def seq_of(ledger: Ledger, team: TeamRecord) -> int:
    return (await ledger.balance(team.id)).seq


async def cut_up_to(ledger: Ledger, team_id: str, seq: int) -> None:
    """A trim of the first `seq` entries."""
    replay = Replay()
    replay.add(await ledger.journal(team_id, 0, seq))
    await ledger.cut_journal(team_id, 0, seq, to_text(replay))


async def test_an_export_has_every_entry(ledger: Ledger, busy: TeamRecord, tmp_path: Path):
    """The file has what the journal has, the store knows it, and a second export adds nothing."""
    last = await seq_of(ledger, busy)
    steps: list[tuple[int, int]] = []
    first = await export_team(ledger, busy.id, tmp_path, lambda done, of: steps.append((done, of)))
    second = await export_team(ledger, busy.id, tmp_path)
    path = export_path(tmp_path, busy.id)

    assert [Exported(busy.id, path, last, last), Exported(busy.id, path, 0, last)] == [first, second]
    assert list(await ledger.journal(busy.id)) == list(read_export(tmp_path, busy.id))
    assert (Checkpoint(last, 0, ""), [(last, last)]) == (await ledger.checkpoint(busy.id), steps)


async def test_an_export_goes_on_where_it_ended(ledger: Ledger, busy: TeamRecord, order: Order, tmp_path: Path):
    """Only what is new is written."""
    before = (await export_team(ledger, busy.id, tmp_path)).seq
    await asyncio.gather(*(ledger.hold(order(amount=0)) for _ in range(1100)))
    done = await export_team(ledger, busy.id, tmp_path)

    assert (1100, before + 1100) == (done.entries, done.seq)
    assert list(range(1, done.seq + 1)) == [entry.seq for entry in read_export(tmp_path, busy.id)]


async def test_an_export_beside_writers(ledger: Ledger, team: TeamRecord, order: Order, tmp_path: Path):
    """It ends although the journal grows meanwhile, and leaves no gap."""

    async def write() -> None:
        for _ in range(40):
            await ledger.hold(order(amount=0))

    async def export() -> None:
        for _ in range(10):
            await export_team(ledger, team.id, tmp_path)

    await asyncio.gather(write(), export())
    assert (await ledger.verify(team.id, tmp_path)).clean


async def test_an_export_of_no_team(ledger: Ledger, team_id: str, tmp_path: Path):
    """It is told, and no file is made."""
    with pytest.raises(LedgerNoTeam):
        await export_team(ledger, team_id, tmp_path)

    assert not export_path(tmp_path, team_id).exists()


async def test_a_file_of_another_store_is_not_continued(
    ledger: Ledger, client: StoreClient, busy: TeamRecord, tmp_path: Path
):
    """One that is ahead of the journal, or has another entry under its number; both stay as they are."""
    await export_team(ledger, busy.id, tmp_path)
    path = export_path(tmp_path, busy.id)
    *_, last = path.read_bytes().splitlines(keepends=True)
    for wrong in (last.replace(b'"at_ms":1', b'"at_ms":2'), last.replace(b'"seq":', b'"seq":9')):
        path.write_bytes(wrong)
        with pytest.raises(ExportBroken, match="another store's"):
            await export_team(ledger, busy.id, tmp_path)
        assert wrong == path.read_bytes()


async def test_a_journal_with_a_gap_is_not_exported(
    ledger: Ledger, client: StoreClient, busy: TeamRecord, tmp_path: Path
):
    """What was lost is not papered over, at a page's begin or inside."""
    for lost in ("4-0", "1-0"):
        await client.command("XDEL", TeamKeys(busy.id).journal, lost)
        with pytest.raises(ExportBroken, match="gap"):
            await export_team(ledger, busy.id, tmp_path)

    assert 0 == (await ledger.checkpoint(busy.id)).exported


async def test_only_what_was_exported_is_cut(ledger: Ledger, busy: TeamRecord, order: Order, tmp_path: Path):
    """What came after the export stays, and the books are as clean as before."""
    done = await export_team(ledger, busy.id, tmp_path)
    await ledger.hold(order())
    trimmed = await trim_team(ledger, busy.id, before_ms=EVER_MS)
    report = await ledger.verify(busy.id)

    assert Trimmed(busy.id, done.seq, done.seq, done.seq) == trimmed
    assert [done.seq + 1] == [entry.seq for entry in await ledger.journal(busy.id)]
    assert (True, done.seq, 1) == (report.clean, report.trusted_seq, report.entries)


async def test_nothing_is_cut_that_was_not_exported(ledger: Ledger, busy: TeamRecord):
    """A trim before any export does nothing, and the store refuses one that would."""
    trimmed = await trim_team(ledger, busy.id, before_ms=EVER_MS)
    with pytest.raises(LedgerInvalid, match="export it first"):
        await ledger.cut_journal(busy.id, 0, 3, "{}")

    assert (0, 0) == (trimmed.entries, trimmed.exported)
    assert 1 == (await ledger.journal(busy.id))[0].seq


async def test_what_is_younger_stays(ledger: Ledger, busy: TeamRecord, tmp_path: Path):
    """Entries of the last days are kept, exported or not."""
    await export_team(ledger, busy.id, tmp_path)
    first = (await ledger.journal(busy.id))[0]

    assert 0 == (await trim_team(ledger, busy.id, before_ms=first.at_ms)).entries


async def test_a_dry_run_cuts_nothing(ledger: Ledger, busy: TeamRecord, tmp_path: Path):
    """It says what would be cut."""
    done = await export_team(ledger, busy.id, tmp_path)
    trimmed = await trim_team(ledger, busy.id, before_ms=EVER_MS, dry_run=True)

    assert (done.seq, 0) == (trimmed.entries, (await ledger.checkpoint(busy.id)).seq)


async def test_of_two_trims_one_is_made(ledger: Ledger, busy: TeamRecord, tmp_path: Path):
    """The second one built on a checkpoint that is no longer there: it changes nothing."""
    await export_team(ledger, busy.id, tmp_path)
    await ledger.cut_journal(busy.id, 0, 3, "{}")
    with pytest.raises(LedgerConflict, match="somebody else"):
        await ledger.cut_journal(busy.id, 0, 4, "{}")
    with pytest.raises(LedgerInvalid, match="moves on"):
        await ledger.cut_journal(busy.id, 3, 3, "{}")

    assert 3 == (await ledger.checkpoint(busy.id)).seq


async def test_a_journal_that_does_not_add_up_is_not_cut(
    ledger: Ledger, client: StoreClient, busy: TeamRecord, tmp_path: Path
):
    """It is the evidence."""
    await export_team(ledger, busy.id, tmp_path)
    await client.command("XDEL", TeamKeys(busy.id).journal, "4-0")
    with pytest.raises(LedgerBroken, match="does not add up"):
        await trim_team(ledger, busy.id, before_ms=EVER_MS)

    assert 0 == (await ledger.checkpoint(busy.id)).seq


async def test_holds_end_as_ever_after_a_trim(ledger: Ledger, busy: TeamRecord, order: Order, tmp_path: Path):
    """Open ones, kept ones and late ones are booked, and verify follows them from the checkpoint on, and on."""
    holds = [entry.hold_id for entry in await ledger.journal(busy.id) if entry.kind == "hold"]
    statuses: list[SettleStatus] = []
    for number, hold_id in enumerate(holds):
        await export_team(ledger, busy.id, tmp_path)
        await trim_team(ledger, busy.id, before_ms=EVER_MS)
        statuses.append((await ledger.settle(hold_id, busy.id, 7 + (number > 0))).status)
        assert (await ledger.verify(busy.id)).clean
        assert (await ledger.verify(busy.id, tmp_path)).clean

    wanted = [SettleStatus.DUPLICATE, SettleStatus.LATE, SettleStatus.LATE, SettleStatus.SETTLED, SettleStatus.SETTLED]
    assert wanted == statuses


async def test_an_export_to_an_empty_directory_after_a_trim(ledger: Ledger, busy: TeamRecord, tmp_path: Path):
    """What was cut off is elsewhere: it says where to export to."""
    await export_team(ledger, busy.id, tmp_path / "a")
    await trim_team(ledger, busy.id, before_ms=EVER_MS)

    with pytest.raises(ExportBroken, match="export to that directory"):
        await export_team(ledger, busy.id, tmp_path / "b")


async def test_the_files_prove_the_checkpoint(
    ledger: Ledger, client: StoreClient, busy: TeamRecord, order: Order, tmp_path: Path
):
    """With the exported files the whole history is replayed; a checkpoint that says something else is named."""
    done = await export_team(ledger, busy.id, tmp_path)
    await trim_team(ledger, busy.id, before_ms=EVER_MS)
    await ledger.hold(order())
    proven = await ledger.verify(busy.id, tmp_path)
    state = (await ledger.checkpoint(busy.id)).state
    await client.command("HSET", TeamKeys(busy.id).base, "state", state.replace('"expired":0', '"expired":1'))
    found = await ledger.verify(busy.id, tmp_path)

    assert (True, 0, done.seq + 1) == (proven.clean, proven.trusted_seq, proven.entries)
    assert [("checkpoint: expired", "1", "0")] == [(d.what, d.stored, d.derived) for d in found.differences]
    assert ["expired"] == [d.what for d in (await ledger.verify(busy.id)).differences]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda lines: lines[:3], "exported journal"),
        (lambda lines: lines[:3] + lines[4:], "exported journal"),
        (lambda lines: [*lines[:3], b"garbage\n", *lines[4:]], "exported journal"),
        (lambda lines: [lines[0], lines[1].replace(b"490000000", b"490000001"), *lines[2:]], "checkpoint: granted"),
        (lambda lines: [*lines[:-1], lines[-1].replace(b'"at_ms":1', b'"at_ms":2')], "exported entry "),
    ],
)
async def test_files_that_differ_are_named(
    ledger: Ledger, busy: TeamRecord, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], what: str
):
    """Cut off, damaged, or another history: the first place is told."""
    done = await export_team(ledger, busy.id, tmp_path)
    await cut_up_to(ledger, busy.id, done.seq - 1)
    path = export_path(tmp_path, busy.id)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    report = await ledger.verify(busy.id, tmp_path)

    assert report.differences[0].what.startswith(what)


async def test_a_file_that_is_ahead_of_the_store_is_named(ledger: Ledger, busy: TeamRecord, tmp_path: Path):
    """Entries that were exported and are no longer there are lost history."""
    done = await export_team(ledger, busy.id, tmp_path)
    path = export_path(tmp_path, busy.id)
    *_, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(path.read_bytes() + last.replace(f'"seq":{done.seq}'.encode(), f'"seq":{done.seq + 1}'.encode()))
    report = await ledger.verify(busy.id, tmp_path)

    assert [(f"exported entry {done.seq + 1}", "none")] == [(d.what, d.stored) for d in report.differences]


async def test_a_checkpoint_that_cannot_be_read_is_named(
    ledger: Ledger, client: StoreClient, busy: TeamRecord, tmp_path: Path
):
    """As one more figure that is off."""
    await export_team(ledger, busy.id, tmp_path)
    await trim_team(ledger, busy.id, before_ms=EVER_MS)
    await client.command("HSET", TeamKeys(busy.id).base, "state", "x")

    assert "checkpoint" == (await ledger.verify(busy.id)).differences[0].what


async def test_a_trim_while_verify_reads(
    ledger: Ledger, busy: TeamRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Entries that went away under it are no difference: it begins again, from the new checkpoint."""
    done = await export_team(ledger, busy.id, tmp_path)
    snapshot = proof.scripts.snapshot

    async def trimmed_after(client: StoreClient, team_id: str) -> object:
        taken = await snapshot(client, team_id)
        await trim_team(ledger, team_id, before_ms=EVER_MS)
        return taken

    monkeypatch.setattr(proof.scripts, "snapshot", trimmed_after)
    report = await ledger.verify(busy.id)

    assert (True, done.seq) == (report.clean, report.trusted_seq)


async def test_trims_that_never_end(ledger: Ledger, busy: TeamRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Verify gives up in bounded time and says so."""
    await export_team(ledger, busy.id, tmp_path)
    await trim_team(ledger, busy.id, before_ms=EVER_MS)

    async def moved(*_: object) -> Checkpoint:
        return Checkpoint(99, 99, "")

    await ledger._client.command("DEL", TeamKeys(busy.id).base)
    monkeypatch.setattr(proof, "read_checkpoint", moved)
    with pytest.raises(LedgerConflict, match="being cut"):
        await ledger.verify(busy.id)


@pytest.mark.parametrize("seq", [99, -1])
async def test_what_cannot_be_exported_yet(ledger: Ledger, busy: TeamRecord, seq: int):
    """The store takes no word for entries that it does not have."""
    with pytest.raises(LedgerInvalid, match="sequence"):
        await ledger.confirm_exported(busy.id, seq)


async def test_what_was_exported_stays_exported(ledger: Ledger, busy: TeamRecord, tmp_path: Path):
    """An older export, or one to a second directory, does not turn it back."""
    done = await export_team(ledger, busy.id, tmp_path)

    assert done.seq == await ledger.confirm_exported(busy.id, 1)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_between_trims(
    ledger: Ledger, team: TeamRecord, order: Order, tmp_path: Path, seed: int
):
    """Anything done in any order, with exports and trims in between: the books are clean from the checkpoint, and the
    files and the journal together prove them from the first entry on."""
    dice, made = Random(seed), [order()]  # each order has its own id
    for _ in range(120):
        any_id = dice.choice(made).hold_id
        match dice.randrange(10):
            case 0 | 1 | 2:
                policy, ttl_ms = dice.choice(list(OnUnknown)), dice.choice([0, 0, 60_000])
                made.append(order(amount=dice.randrange(9), ttl_ms=ttl_ms, on_unknown=policy, member=dice.choice("ab")))
                await ledger.hold(made[-1])
            case 3 | 4:
                await ledger.settle(any_id, team.id, dice.randrange(9))
            case 5:
                await ledger.mark_unknown(any_id, team.id)
            case 6:
                await ledger.expire_due(team.id, dice.randrange(1, 4))
            case 7:
                await ledger.grant(team.id, f"g{dice.randrange(99)}", dice.randrange(1, 9))
            case 8:
                await export_team(ledger, team.id, tmp_path)
            case _:
                await trim_team(ledger, team.id, before_ms=EVER_MS)
    reports = [await ledger.verify(team.id), await ledger.verify(team.id, tmp_path)]

    assert [(), ()] == [report.differences for report in reports]
    assert (await seq_of(ledger, team), 0) == (reports[1].entries, reports[1].trusted_seq)
