"""How a team, a hold, a job or a model stands, as every page says it: a word, with a shape and a colour beside it."""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "warn", "bad", "off"]
"""A class of the style sheet: all is well, somebody should look, something is stopped, it is of no concern."""


@dataclass(frozen=True, slots=True)
class State:
    """The word, which says it all by itself, and its tone."""

    word: str
    tone: Tone
