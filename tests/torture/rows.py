"""The table at the end: one row for each part, its zeros, and what else was counted."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

NAME_WIDTH = 52


@dataclass(eq=False)
class Row:
    """What one part did. Every zero must be one, and each of `wanted` must be above zero."""

    part: str
    seed: int
    rounds: int = 0
    holds: int = 0
    kills: int = 0
    zeros: dict[str, int] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def is_good(self) -> bool:
        """Whether everything is as promised."""
        return not self.error and not any(self.zeros.values()) and all(self.wanted.values())

    def add(self, other: "Row") -> None:
        """One more row of the same part."""
        self.rounds += other.rounds
        self.holds += other.holds
        self.kills += other.kills
        for mine, more in ((self.zeros, other.zeros), (self.wanted, other.wanted), (self.figures, other.figures)):
            for name, count in more.items():
                mine[name] = mine.get(name, 0) + count
        self.samples += other.samples
        self.error = self.error or other.error

    def text(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self))


def row_from(text: str) -> Row:
    """The row in a line of JSON."""
    return Row(**json.loads(text))


def table(rows: Iterable[Row]) -> str:
    """All rows with their verdicts, then what was counted in each."""
    rows = list(rows)
    lines = [f"{'part':<12}{'rounds':>8}{'holds':>12}{'kills':>8}{'not zero':>10}{'not seen':>10}  verdict"]
    for row in rows:
        broken, unseen = sum(map(bool, row.zeros.values())), sum(not count for count in row.wanted.values())
        verdict = "good" if row.is_good else f"BAD {row.error}".rstrip()
        lines.append(f"{row.part:<12}{row.rounds:>8}{row.holds:>12,}{row.kills:>8}{broken:>10}{unseen:>10}  {verdict}")
    total = Counter({"holds": sum(row.holds for row in rows), "kills": sum(row.kills for row in rows)})
    lines.append(f"{'all':<12}{'':>8}{total['holds']:>12,}{total['kills']:>8}")
    for row in rows:
        lines += _details(row)
    return "\n".join(lines)


def _details(row: Row) -> list[str]:
    lines = [f"\n{row.part}, seed {row.seed}"]
    for title, counts in (("must be zero", row.zeros), ("must have happened", row.wanted), ("counted", row.figures)):
        if counts:
            lines.append(f"  {title}")
            lines += [f"    {name:<{NAME_WIDTH}}{count:>22,}" for name, count in counts.items()]
    return [*lines, *(f"  !! {sample}" for sample in row.samples)]
