"""Export and trim on a real store: nothing is cut that is not on disk, and every verdict stays what it was."""

import asyncio
import errno
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from gatekeeper.ledger import export as module
from gatekeeper.ledger import proof
from gatekeeper.ledger.checkpoint import to_text
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import ExportBroken, LedgerBroken, LedgerConflict, LedgerInvalid, LedgerNoTeam
from gatekeeper.ledger.export import Exported, Trimmed, export_team, trim_team
from gatekeeper.ledger.exportfile import ExportFile, export_path, read_export
from gatekeeper.ledger.journal import Checkpoint
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import HoldContext, HoldOrder, OnUnknown, SettleStatus
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.verify import Replay
from tests.ledger.lots_scene import Clock

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


async def test_an_export_goes_on_where_it_ended(
    ledger: Ledger, busy: TeamRecord, order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Only what is new is written, however many pages of the journal it is."""
    monkeypatch.setattr(module, "JOURNAL_PAGE_MAX", 50)
    before = (await export_team(ledger, busy.id, tmp_path)).seq
    await asyncio.gather(*(ledger.hold(order(amount=0)) for _ in range(120)))
    done = await export_team(ledger, busy.id, tmp_path)

    assert (120, before + 120) == (done.entries, done.seq)
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


async def test_what_is_not_on_disk_is_not_confirmed(
    ledger: Ledger, busy: TeamRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A disk that fails ends the export before the store hears of it; the next one finishes the work."""

    def fail(_: ExportFile) -> None:
        raise OSError(errno.EIO, "the disk failed")

    with monkeypatch.context() as patch:
        patch.setattr(ExportFile, "sync", fail)
        with pytest.raises(OSError, match="disk failed"):
            await export_team(ledger, busy.id, tmp_path)
    before = await ledger.checkpoint(busy.id)
    done = await export_team(ledger, busy.id, tmp_path)

    assert (0, done.seq) == (before.exported, (await ledger.checkpoint(busy.id)).exported)
    assert (await ledger.verify(busy.id, tmp_path)).clean


async def test_long_exports_are_confirmed_on_the_way(
    ledger: Ledger, team: TeamRecord, order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What is on disk is known to be, long before the end."""
    told: list[int] = []

    async def confirm(_: str, seq: int) -> int:
        told.append(seq)
        return seq

    await asyncio.gather(*(ledger.hold(order(amount=0)) for _ in range(250)))
    monkeypatch.setattr(module, "JOURNAL_PAGE_MAX", 100)
    monkeypatch.setattr(module, "SYNC_ENTRIES", 100)
    monkeypatch.setattr(ledger, "confirm_exported", confirm)
    await export_team(ledger, team.id, tmp_path)

    assert [100, 200, 252] == told


async def test_long_trims_go_in_steps(
    ledger: Ledger, team: TeamRecord, order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each step is a whole one: whoever comes in between finds a checkpoint and the journal behind it."""
    cuts: list[tuple[int, int]] = []
    cut_journal = ledger.cut_journal

    async def cut(team_id: str, before: int, seq: int, state: str) -> int:
        cuts.append((before, seq))
        done = await cut_journal(team_id, before, seq, state)
        assert (await ledger.verify(team_id)).clean
        return done

    await asyncio.gather(*(ledger.hold(order(amount=0)) for _ in range(250)))
    await export_team(ledger, team.id, tmp_path)
    monkeypatch.setattr(module, "JOURNAL_PAGE_MAX", 100)
    monkeypatch.setattr(module, "CUT_ENTRIES", 100)
    monkeypatch.setattr(ledger, "cut_journal", cut)
    trimmed = await trim_team(ledger, team.id, before_ms=EVER_MS)

    assert ([(0, 100), (100, 200), (200, 252)], 252) == (cuts, trimmed.entries)


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

    async def trimmed_after(client: StoreClient, team_id: str, months: list[str]) -> object:
        taken = await snapshot(client, team_id, months)
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


async def test_a_checkpoint_that_says_nothing(ledger: Ledger, client: StoreClient, busy: TeamRecord):
    """Neither an empty one nor one beyond the journal's end is taken, whatever is noted as exported."""
    await client.command("HSET", TeamKeys(busy.id).base, "exported", 1000)
    for seq, state, what in ((3, "", "state"), (999, "{}", "the journal ends"), (-1, "{}", "sequence")):
        with pytest.raises(LedgerInvalid, match=what):
            await ledger.cut_journal(busy.id, 0, seq, state)

    assert (await ledger.verify(busy.id)).clean


@pytest.mark.parametrize("seq", [99, -1])
async def test_what_cannot_be_exported_yet(ledger: Ledger, busy: TeamRecord, seq: int):
    """The store takes no word for entries that it does not have."""
    with pytest.raises(LedgerInvalid, match="sequence"):
        await ledger.confirm_exported(busy.id, seq)


async def test_what_was_exported_stays_exported(ledger: Ledger, busy: TeamRecord, tmp_path: Path):
    """An older export, or one to a second directory, does not turn it back."""
    done = await export_team(ledger, busy.id, tmp_path)

    assert done.seq == await ledger.confirm_exported(busy.id, 1)


async def use(ledger: Ledger, team: TeamRecord, order: Order, made: list[HoldOrder], dice: Random) -> None:
    """Something that a gateway does, to a new hold or to any that was made before."""
    any_id = dice.choice(made).hold_id
    match dice.choice(
        ["hold", "hold", "hold", "settle", "settle", "refund", "transfer", "unknown", "job", "undo", "lost"]
    ):
        case "hold":
            policy, ttl_ms = dice.choice(list(OnUnknown)), dice.choice([0, 0, 60_000])
            named = {"member": dice.choice("ab"), "usage": dice.choice(["", "m|||||", "n|||||"])}
            made.append(order(amount=dice.randrange(9), ttl_ms=ttl_ms, on_unknown=policy, **named))
            await ledger.hold(made[-1])
        case "settle":
            await ledger.settle(any_id, team.id, dice.randrange(9), outputs=dice.randrange(3))
        case "refund":
            with suppress(LedgerInvalid):  # nothing was charged, or its entries were cut
                await ledger.wallet.refund(team.id, f"r{dice.randrange(99)}", dice.choice([None, 1, 2]), hold_id=any_id)
        case "transfer":
            with suppress(LedgerInvalid):
                other = replace(team, id=f"{team.id}-too", organisation="o")
                await asyncio.gather(ledger.put_team(other), ledger.put_team(replace(team, organisation="o")))
                await ledger.wallet.transfer(team.id, f"t{dice.randrange(99)}", other.id, dice.randrange(1, 50))
        case "unknown":
            await ledger.mark_unknown(any_id, team.id)
        case "job":
            await ledger.attach_job(any_id, team.id, "job", ttl_ms=dice.choice([0, 60_000]))
        case "undo":
            await ledger.undo(order().hold_id, team.id)
        case _:
            lost = HoldContext(5, member="amy", windows="0:0:0:0", usage="o|||||")
            await ledger.settle(order().hold_id, team.id, dice.randrange(5), context=lost)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_between_trims(
    ledger: Ledger, team: TeamRecord, order: Order, clock: Clock, tmp_path: Path, seed: int
):
    """Anything done in any order, while grants expire, with exports and trims in between: the books are clean from the
    checkpoint, and the files and the journal together prove them from the first entry on."""
    dice, made = Random(seed), [order()]
    for second in range(120):
        match dice.randrange(10):
            case 0:
                expires_at_ms = dice.choice([None, clock.ms(second + dice.randrange(1, 20))])
                await ledger.grant(team.id, f"g{second}", dice.randrange(1, 9), expires_at_ms=expires_at_ms)
            case 1:
                await clock.at(second)
            case 2:
                await export_team(ledger, team.id, tmp_path)
            case 3:
                await trim_team(ledger, team.id, before_ms=EVER_MS)
            case _:
                await use(ledger, team, order, made, dice)
    reports = [await ledger.verify(team.id), await ledger.verify(team.id, tmp_path)]

    assert [(), ()] == [report.differences for report in reports]
    assert (await seq_of(ledger, team), 0) == (reports[1].entries, reports[1].trusted_seq)
