"""Setting a prompt in type: the largest size at which it fits its box, broken into lines.

Uses the one scalable font that Pillow carries, so nothing has to be installed. That font knows little more than
ASCII: accents are dropped (`é` is drawn as `e`), and other scripts come out as crossed boxes, which is good enough for
a stand-in and is not hidden.
"""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from PIL import ImageFont

LINE_HEIGHT = 1.28
"""Line to line, as a multiple of the type size: open enough to read, close enough to hold together."""

REFERENCE_PX = 100
"""Words are measured once at this size and scaled: measuring again at every trial size would be most of the work."""

MEASURING_SLACK = 0.98
"""Hinting makes small type a little wider than scaled measurements say, so lines are filled to this share."""

SHRINK_STEP = 0.9
"""Each trial size against the one before: close to the largest that fits, in about twenty trials at most."""

ELLIPSIS = "..."

_LOOKALIKES = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L", "đ": "d"}
    | {"–": "-", "—": "-", "−": "-", "„": '"', "×": "x", "•": "·"}
)
"""Characters that the font lacks and that taking off the accents does not mend."""


@dataclass(frozen=True, slots=True)
class Box:
    """The room for a text and the sizes it may be set in, all in pixels."""

    width: float
    height: float
    type_px_max: float
    type_px_min: float


@dataclass(frozen=True, slots=True)
class Setting:
    """Lines and the type size to draw them in. `whole` is False when the end of the text had to be left out."""

    lines: tuple[str, ...]
    type_px: float
    whole: bool

    @property
    def height(self) -> float:
        return len(self.lines) * self.type_px * LINE_HEIGHT


def font(type_px: float) -> ImageFont.FreeTypeFont:
    """A new font object of that size. Not shared: FreeType faces must not be used by two threads at once."""
    loaded = ImageFont.load_default(size=max(1.0, type_px))
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise RuntimeError("This Pillow was built without FreeType; the sandbox needs it to draw text.")
    return loaded


def drawable(text: str) -> str:
    """`text` in the letters the font has, as far as there is a plain counterpart for each."""
    apart = unicodedata.normalize("NFKD", text.translate(_LOOKALIKES))
    return "".join(character for character in apart if not unicodedata.combining(character))


def set_text(text: str, box: Box) -> Setting:
    """The largest setting of `text` that fits; at the smallest size the end is cut and marked with an ellipsis."""
    measure = _Measure()
    words = drawable(text).split() or [ELLIPSIS]
    type_px = box.type_px_max
    while True:
        lines = measure.wrap(words, box.width * MEASURING_SLACK, type_px)
        setting = Setting(lines=tuple(lines), type_px=type_px, whole=True)
        if setting.height <= box.height:
            return setting
        if type_px <= box.type_px_min:
            return _cut(setting, box)
        type_px = max(type_px * SHRINK_STEP, box.type_px_min)


def fit_line(text: str, width: float, type_px: float) -> str:
    """`text` on one line, its end cut when it is wider than `width`; empty when not even one letter fits."""
    measure = _Measure()
    kept = drawable(text)
    if measure.width(kept, type_px) <= width:
        return kept
    while kept and measure.width(kept + ELLIPSIS, type_px) > width:
        kept = kept[:-1]
    return kept.rstrip() + ELLIPSIS if kept else ""


def _cut(setting: Setting, box: Box) -> Setting:
    room = max(1, int(box.height / (setting.type_px * LINE_HEIGHT)))
    lines = list(setting.lines[:room])
    lines[-1] = fit_line(lines[-1] + ELLIPSIS, box.width, setting.type_px)
    return Setting(lines=tuple(lines), type_px=setting.type_px, whole=False)


class _Measure:
    """Text widths at any size, from one measurement of each word. Belongs to one call, hence to one thread."""

    def __init__(self) -> None:
        self._length = lru_cache(maxsize=None)(font(REFERENCE_PX).getlength)

    def width(self, text: str, type_px: float) -> float:
        return self._length(text) * type_px / REFERENCE_PX

    def wrap(self, words: list[str], width: float, type_px: float) -> list[str]:
        space = self.width(" ", type_px)
        lines, line, used = list[str](), "", 0.0
        for word in words:
            for piece in self._pieces(word, width, type_px):
                piece_width = self.width(piece, type_px)
                if line and used + space + piece_width > width:
                    lines.append(line)
                    line, used = "", 0.0
                line = f"{line} {piece}" if line else piece
                used += piece_width + (space if used else 0.0)
        return [*lines, line]

    def _pieces(self, word: str, width: float, type_px: float) -> list[str]:
        """A word wider than the line, in pieces that fit; anything else as it is."""
        if self.width(word, type_px) <= width:
            return [word]
        per_piece = max(1, int(len(word) * width / self.width(word, type_px)))
        return [word[start : start + per_piece] for start in range(0, len(word), per_piece)]
