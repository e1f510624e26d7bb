"""The many spellings of a size: `1024x1536`, `1664*928`, `16x9`, `1280:720`, `landscape_16_9`, `2K`, `768P`, `auto`.

Reads a spelling into one of four meanings: pixels, a tier, an aspect ratio, or "auto". It decides by form alone and
knows no model: whether a model makes that size is `validate`'s question. Pixels are never reduced to a ratio by
arithmetic here, because vendors' labels are not arithmetic (an Imagen 3:4 is 896x1280).
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

AUTO = "auto"
"""The caller leaves the choice to the model: the dearest possible outcome is held and the fact is charged."""

PIXELS_PER_SIDE_FROM = 64
"""From here up, two numbers are pixels; below, an aspect ratio. No model makes a side under 64 (Flux 2: 64)."""

TEXT_LENGTH_MAX = 40
"""No spelling in use is longer; a longer one is not read at all."""

SPELLINGS_REMEMBERED = 1024
"""Callers write the same few spellings again and again; strange ones push each other out."""

_NUMBER = r"\d{1,6}(?:\.\d{1,3})?"
_PAIR = re.compile(rf"({_NUMBER})\s*([xX*×:/])\s*({_NUMBER})", re.ASCII)
_TIER = re.compile(r"\d{1,2}(?:\.\d)?K|\d{3,4}P?", re.ASCII)
_PRESET = re.compile(
    r"(landscape|portrait|square|classic|traditional|widescreen|social_story|standard|wide|tall)_(\d{1,2})_(\d{1,2})",
    re.ASCII,
)
_SQUARES = ("square", "square_hd")


@dataclass(frozen=True, slots=True, order=True)
class Pixels:
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def area(self) -> int:
        return self.width * self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Tier:
    """A resolution by name: `2K`, `768P`, `512`. Upper case."""

    name: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """An aspect ratio as a label: `16:9`, `9:19.5`."""

    label: str


@dataclass(frozen=True, slots=True)
class Auto:
    """The model chooses."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No known spelling. Kept as written so that the refusal can quote it."""

    text: str


SizeMeaning = Pixels | Tier | Ratio | Auto | Unreadable


def read_size(text: str) -> SizeMeaning:
    """What a size spelling means. Never raises: what cannot be read is `Unreadable`."""
    text = text.strip()
    return Unreadable(text[:TEXT_LENGTH_MAX]) if len(text) > TEXT_LENGTH_MAX else _read(text)


@lru_cache(SPELLINGS_REMEMBERED)
def _read(text: str) -> SizeMeaning:
    if text.lower() == AUTO:
        return Auto()
    if (pair := _PAIR.fullmatch(text)) is not None:
        return _read_pair(pair[1], pair[2], pair[3]) or Unreadable(text)
    if _TIER.fullmatch(text.upper()):
        return Tier(text.upper())
    return _read_preset(text.lower()) or Unreadable(text)


def _read_pair(left: str, separator: str, right: str) -> Pixels | Ratio | None:
    if separator == "*" or min(float(left), float(right)) >= PIXELS_PER_SIDE_FROM:
        whole = left.isdecimal() and right.isdecimal() and int(left) and int(right)
        return Pixels(int(left), int(right)) if whole else None
    return _ratio(_plain(left), _plain(right))


def _ratio(width: str, height: str) -> Ratio | None:
    return None if "0" in {width, height} else Ratio(f"{width}:{height}")


def _plain(number: str) -> str:
    """`016` and `16.0` are `16`."""
    whole, _, decimals = number.partition(".")
    decimals = decimals.rstrip("0")
    return f"{int(whole)}.{decimals}" if decimals else str(int(whole))


def _read_preset(text: str) -> Ratio | None:
    """Named presets: fal's `portrait_16_9` is upright (9:16), Freepik's `social_story_9_16` says so itself."""
    if text in _SQUARES:
        return Ratio("1:1")
    if (preset := _PRESET.match(text)) is None:
        return None
    first, second = int(preset[2]), int(preset[3])
    if preset[1] == "portrait" and first > second:
        first, second = second, first
    return _ratio(str(first), str(second))


@lru_cache(SPELLINGS_REMEMBERED)
def ratio_value(label: str) -> Fraction:
    """Width over height of a label, for finding the nearest one. Raises `ValueError` for what is no ratio."""
    pair = _PAIR.fullmatch(label)
    if pair is None or pair[2] != ":" or Fraction(pair[1]) * Fraction(pair[3]) == 0:
        raise ValueError(f"{label!r} is not an aspect ratio")
    return Fraction(pair[1]) / Fraction(pair[3])


def tier_rank(name: str) -> Fraction:
    """How large a tier is, in lines of picture: `2K` after `1080P` after `1K`. Raises `ValueError` for no tier."""
    meaning = read_size(name)
    if not isinstance(meaning, Tier):
        raise ValueError(f"{name!r} is not a resolution tier")
    if meaning.name.endswith("K"):
        return Fraction(meaning.name[:-1]) * 1024
    return Fraction(meaning.name.removesuffix("P"))
