"""A form as it was read: short texts, measured files, and typed access to them.

The same getters as for JSON, so that a dialect reads a body without caring which of the two it is. In a form numbers
and flags are texts. A name that stands for a text and a file, or for a list, could be read either way and is refused.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction

from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.complaints import Complaints, shown
from gatekeeper.dialects.fields import TEXT_LENGTH_MAX, digest_of, lookalikes, read_quantity

_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file as far as it is known: its name in the form, its own name, its type, its size, a picture's pixels."""

    name: str
    filename: str
    content_type: str
    size_bytes: int
    pixels: Pixels | None = None


@dataclass(frozen=True, slots=True)
class TextPart:
    """A text field: its length in characters, and itself when it is short."""

    length: int
    text: str | None


@dataclass(slots=True)
class Form:
    """A form's text parts by name and its files in order."""

    texts: dict[str, TextPart] = field(default_factory=dict)
    files: list[FilePart] = field(default_factory=list)


class FormFields:
    """Typed access to a form. Numbers and flags are texts here, so "2" is 2."""

    __slots__ = ("_form", "_read", "complaints")

    def __init__(self, form: Form) -> None:
        self._form = form
        self._read: set[str] = set()
        self.complaints = Complaints()

    def given(self, name: str) -> bool:
        return name in self._form.texts or bool(self.file_sizes_bytes(name))

    def file_sizes_bytes(self, name: str) -> tuple[int, ...]:
        """The size of every file under that name, bare or as a list (`name[]`, `name[0]`)."""
        return tuple(file.size_bytes for file in self._files(name))

    def file_pixels(self, name: str) -> Pixels | None:
        """The size of the picture under that name; None without one, with several, or if its head does not tell."""
        self._read.add(name)
        files = self._files(name)
        return files[0].pixels if len(files) == 1 else None

    def _files(self, name: str) -> list[FilePart]:
        listed = re.compile(rf"{re.escape(name)}(?:\[[0-9]*\])?")
        return [file for file in self._form.files if listed.fullmatch(file.name)]

    def text(self, name: str) -> str | None:
        part = self._text_part(name)
        if part is None:
            return None
        if part.text is None or part.length > TEXT_LENGTH_MAX:
            self._note(name, "a longer one", f"a text of at most {TEXT_LENGTH_MAX} characters")
        elif not part.text.isprintable():
            self._note(name, "one with such characters", "a text without control characters")
        else:
            return part.text
        return None

    def text_length(self, name: str) -> int | None:
        part = self._text_part(name)
        return None if part is None else part.length

    def text_digest(self, name: str) -> bytes | None:
        part = self._text_part(name)
        return None if part is None or part.text is None else digest_of(part.text)

    def whole(self, name: str) -> int | None:
        text = self.text(name)
        number = None if text is None else _read_whole(text)
        if text is not None and number is None:
            self._note(name, f'"{shown(text)}"', "a whole number")
        return number

    def quantity(self, name: str, unit: str) -> Fraction | None:
        """A number at or above 0, with its unit or without: "8", "8s"."""
        text = self.text(name)
        quantity = None if text is None else read_quantity(text, unit)
        if text is not None and quantity is None:
            self._note(name, f'"{shown(text)}"', f'a number such as "2" or "2{unit}"')
        return quantity

    def flag(self, name: str) -> bool | None:
        text = self.text(name)
        flag = None if text is None else _FLAGS.get(text.lower())
        if text is not None and flag is None:
            self._note(name, f'"{shown(text)}"', "true or false")
        return flag

    def missing(self, name: str, wanted: str) -> None:
        self.complaints.missing(name, wanted)

    def finish(self) -> None:
        names = {*self._form.texts, *(file.name for file in self._form.files)}
        for name, known in lookalikes(sorted(names), self._read):
            self.complaints.misspelled(name, known)
        self.complaints.raise_any()

    def _text_part(self, name: str) -> TextPart | None:
        """The part of that name, unless a file or a list of the same name leaves open which one counts."""
        self._read.add(name)
        if self.file_sizes_bytes(name):
            self._note(name, "a file", "a text")
        elif any(other.startswith(f"{name}[") for other in self._form.texts):
            self._note(name, "a list", "a text")
        else:
            return self._form.texts.get(name)
        return None

    def _note(self, name: str, given: str, wanted: str) -> None:
        self.complaints.wrong(name, given, wanted)


def _read_whole(text: str) -> int | None:
    """A whole number as a form spells it: digits only, so that no reader takes "010" or "1e1" for something else."""
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else None
