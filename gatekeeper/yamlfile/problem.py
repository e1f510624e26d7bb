"""A mistake in a config file, and the error that carries all that were found.

Made by the reader, by schemas and by the checks that look across files, so that they all read alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

PROBLEMS_MAX = 200
"""Beyond this many nobody reads on; the last line says that there are more."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file: `where` in its structure (may be ""), `what` is wrong, how to `mend` it."""

    file: str
    line: int
    where: str
    what: str
    mend: str

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        at = f"{self.file}:{self.line}" if self.line else self.file
        return f"{at}: {where}{self.what}. {self.mend}"


class ConfigError(Exception):
    """Files that cannot be used as they are. `problems` has every mistake found, and the text one a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:PROBLEMS_MAX]]
        if len(self.problems) > PROBLEMS_MAX:
            shown.append(f"... and {len(self.problems) - PROBLEMS_MAX} more")
        super().__init__("\n".join(shown))
