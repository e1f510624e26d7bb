"""A team's usage kept by hand from its journal, as the scripts keep it in the store: row by row, in monthly buckets.

Pure. The counterpart of `count_end` in `lua/prelude.lua`: the same rows, the same bounds.
"""

from dataclasses import dataclass, field

from gatekeeper.ledger.holdid import DAY_MS, hold_id_day, hold_id_month
from gatekeeper.ledger.records import Entry
from gatekeeper.ledger.usagebook import OTHER, ROWS_MAX, bucket_ends_ms


def row_of(entry: Entry, usage: str) -> str:
    """The row that a hold is counted in: of the day that its windows say, or, where those are not known, of the UTC day
    in its id."""
    day = entry.fields["windows"].split(":")[1]
    if day == "0":
        day = str(hold_id_day(entry.hold_id) * DAY_MS)
    return "\t".join((day, usage, entry.fields["project"], entry.fields["member"]))


@dataclass(slots=True)
class BookedUsage:
    """Rows by month: credits, generations, released, outputs of each."""

    months: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    def end(self, hold_id: str, row: str, charged: int, outputs: int, at_ms: int, sign: int = 1) -> None:
        """Count the end of a hold, or with sign -1 take it back."""
        if charged > 0 or outputs > 0:
            self.move(hold_id, row, (sign * charged, sign, 0, sign * outputs), at_ms)
        else:
            self.move(hold_id, row, (0, 0, sign, 0), at_ms)

    def move(self, hold_id: str, row: str, by: tuple[int, int, int, int], at_ms: int) -> None:
        """Move what is counted in the row of a hold; nothing in a month that is forgotten."""
        month = hold_id_month(hold_id)
        bucket = self.months.setdefault(month, {})
        if row not in bucket:
            if bucket_ends_ms(month) <= at_ms:
                return
            if len(bucket) >= ROWS_MAX:
                row = f"{row.partition(chr(9))[0]}\t{OTHER}"
        counted = bucket.setdefault(row, [0, 0, 0, 0])
        for place in range(4):
            counted[place] = max(0, counted[place] + by[place])

    def forget(self, at_ms: int) -> None:
        """Drop what the store has forgotten by now."""
        self.months = {
            month: bucket for month, bucket in self.months.items() if bucket and bucket_ends_ms(month) > at_ms
        }

    def texts(self, month: str) -> dict[str, str]:
        """A month's rows as the scripts write them."""
        return {row: ":".join(map(str, counted)) for row, counted in self.months.get(month, {}).items()}
