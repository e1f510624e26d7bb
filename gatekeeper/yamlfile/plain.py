"""Reads the plain kind of YAML that config files are written in, thirty times as quickly as the full parser.

Block mappings and lists, flow ones, words, and quoted texts without escapes, each on one line: nothing else. Whatever
is not plainly that (a tab, an anchor, a text over several lines, a key that is there twice, any mistake) is `Unfit`,
and then the full parser reads the whole text and says what is wrong with it. So nothing here has a message, and no
file means another thing for having been read here. Lines are not counted: they are asked for where something is wrong.
"""

import re
from typing import Any

from gatekeeper.yamlfile.scalar import read_scalar

DEPTH_MAX = 20
"""Below that of the full parser, which refuses what is nested more deeply than any file."""

KEY_LENGTH_MAX = 200
"""Below that of the YAML specification, beyond which a word is no key."""

_ODD = re.compile(r"[^\n\x20-\x7e\xa1-\u1fff\u2030-\ud7ff]")
"""Characters that are no text, or that end a line though nobody sees it."""

_GAP = re.compile(r"(?:[ ]*(?:#[^\n]*)?\n)*[ ]*(?:#[^\n]*\Z)?")
"""From the beginning of a line: empty lines, comments, and the indent of the line that has something on it."""

_LINE_END = re.compile(r"[ ]*(?:(?<=[ ])#[^\n]*)?(?:\n|\Z)")
_KEY = re.compile(
    r"""(?:([A-Za-z0-9_](?:[\w./+-]|:(?![ \n]|\Z))*)|"([^"\\\n]*)"|'([^'\n]*)'):(?=[ \n]|\Z)[ ]*""", re.ASCII
)
_QUOTED = re.compile(r""""([^"\\\n]*)"|'([^'\n]*)'(?!')""")
_WORD = re.compile(r"(?:[A-Za-z0-9_/$(+~;^]|[-.](?=[0-9])|\.\.?/)(?:[^\s#:]|:(?!\s|\Z)|(?<=[^ ])#|[ ](?=[^ #\n]))*")
_FLOW_GAP = re.compile(r"(?:[ \n]|(?<=[ \n])#[^\n]*)*")
_FLOW_WORD = re.compile(
    r"(?:[A-Za-z0-9_/$(+~;^]|[-.](?=[0-9]))(?:[^\s,\[\]{}#:]|:(?![\s,\[\]{}]|\Z)|[ ](?=[^\s,\[\]{}#:]))*"
)
_COLON = re.compile(r":(?=[ \n])")


class Unfit(Exception):
    """The text is not plain enough for this reader."""


def read_plain(text: str) -> dict[str, Any]:
    """The data of a text that is a plain mapping. Raises `Unfit` for any other."""
    if _ODD.search(text):
        raise Unfit
    return _Reader(text).read()


class _Reader:
    """Stands at the first character of a line's content, `column` being how far it is indented."""

    __slots__ = ("_at", "_column", "_depth", "_names", "_text", "_words")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = self._column = self._depth = 0
        self._words: dict[str, Any] = {}
        self._names: dict[str, str] = {}

    def read(self) -> dict[str, Any]:
        self._to_content(0)
        if self._column:
            raise Unfit
        found = self._mapping()
        if self._at != len(self._text):
            raise Unfit
        return found

    def _to_content(self, at: int) -> None:
        """Goes from the beginning of a line to the next content. At the end of the text the column is -1."""
        text = self._text
        gap = _GAP.match(text, at)
        assert gap is not None, "the pattern may match nothing"
        self._at = gap.end()
        self._column = -1 if self._at == len(text) else self._at - (text.rfind("\n", 0, self._at) + 1)

    def _ends_line(self, at: int) -> bool:
        """Whether nothing but a comment follows; then it goes on to the next content."""
        end = _LINE_END.match(self._text, at)
        if end is not None:
            self._to_content(end.end())
        return end is not None

    def _is_entry(self) -> bool:
        """Whether an entry of a list begins here."""
        return self._text[self._at] == "-" and self._text[self._at + 1 : self._at + 2] in {" ", "\n", ""}

    def _mapping(self) -> dict[str, Any]:
        found, column = dict[str, Any](), self._column
        self._deeper()
        while self._column == column:
            key = _KEY.match(self._text, self._at)
            if key is None:
                raise Unfit
            self._add(found, key, self._value(key.end(), column, column))
        self._depth -= 1
        if self._column > column:
            raise Unfit
        return found

    def _list(self) -> list[Any]:
        found, column = list[Any](), self._column
        self._deeper()
        while self._column == column and self._is_entry():
            start = self._at + 1
            while self._text[start : start + 1] == " ":
                start += 1
            if _KEY.match(self._text, start) is None:
                found.append(self._value(start, column, column + 1))
            else:
                self._column += start - self._at
                self._at = start
                found.append(self._mapping())
        self._depth -= 1
        if self._column > column:
            raise Unfit
        return found

    def _value(self, at: int, column: int, list_from: int) -> Any:
        """What stands behind a key or a dash: on its line, or below and further in; a list may begin at `list_from`."""
        if self._ends_line(at):
            if self._column > column or (self._column == list_from and self._is_entry()):
                return self._list() if self._is_entry() else self._mapping()
            return None
        first = self._text[at]
        if first in "[{":
            found, end = self._flow(at)
        elif first in "\"'":
            found, end = self._quoted(at)
        else:
            found, end = self._word(_WORD, at)
        if not self._ends_line(end) or self._column > column:
            raise Unfit
        return found

    def _flow(self, at: int) -> tuple[Any, int]:
        """A collection in brackets, which may go over several lines, and where it ends."""
        self._deeper()
        is_mapping = self._text[at] == "{"
        mapping, entries, closing = dict[str, Any](), list[Any](), "}" if is_mapping else "]"
        at = self._past_gap(at + 1)
        while self._text[at : at + 1] != closing:
            if is_mapping:
                key, at = self._flow_key(at)
                if key in mapping:
                    raise Unfit
                mapping[key], at = self._flow_value(self._past_gap(at))
            else:
                entry, at = self._flow_value(at)
                entries.append(entry)
            at = self._past_gap(at)
            if self._text[at : at + 1] == ",":
                at = self._past_gap(at + 1)
                if self._text[at : at + 1] == closing:
                    raise Unfit
            elif self._text[at : at + 1] != closing:
                raise Unfit
        self._depth -= 1
        return (mapping if is_mapping else entries), at + 1

    def _flow_key(self, at: int) -> tuple[str, int]:
        key = _QUOTED.match(self._text, at) or _FLOW_WORD.match(self._text, at)
        colon = None if key is None else _COLON.match(self._text, key.end())
        if key is None or colon is None or key.end() - at > KEY_LENGTH_MAX:
            raise Unfit
        name = next((group for group in key.groups() if group is not None), key[0])
        return self._names.setdefault(name, name), colon.end()

    def _flow_value(self, at: int) -> tuple[Any, int]:
        first = self._text[at : at + 1]
        if first in {"[", "{"}:
            return self._flow(at)
        return self._quoted(at) if first in {'"', "'"} else self._word(_FLOW_WORD, at)

    def _quoted(self, at: int) -> tuple[str, int]:
        found = _QUOTED.match(self._text, at)
        if found is None:
            raise Unfit
        return found[1] if found[1] is not None else found[2], found.end()

    def _word(self, pattern: re.Pattern[str], at: int) -> tuple[Any, int]:
        """What an unquoted word is. The same few stand in a file again and again."""
        found = pattern.match(self._text, at)
        if found is None:
            raise Unfit
        word = found[0]
        if word not in self._words:
            try:
                self._words[word] = read_scalar(word)
            except ValueError:
                raise Unfit from None
        return self._words[word], found.end()

    def _past_gap(self, at: int) -> int:
        gap = _FLOW_GAP.match(self._text, at)
        assert gap is not None, "the pattern may match nothing"
        return gap.end()

    def _add(self, found: dict[str, Any], key: re.Match[str], value: Any) -> None:
        name = next(group for group in key.groups() if group is not None)
        if name in found or len(name) > KEY_LENGTH_MAX:
            raise Unfit
        found[self._names.setdefault(name, name)] = value

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise Unfit
