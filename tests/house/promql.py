"""What a query of Prometheus names: metrics with the labels that are asked of each, and labels that are grouped by.

It reads names, not grammar: whether a query is one, promtool says, where it is installed.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"(?<![\w$:.])([a-zA-Z_:][\w:]*)(?![\w:])\s*(\{[^}]*\})?(?!\s*\()")
LABEL = re.compile(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)")
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan", "Inf", "NaN", "by", "without", "on", "ignoring"}

ANYWHERE = frozenset({"job", "instance"})
"""Labels that every scraped sample has."""


PROMTOOL = shutil.which("promtool")
"""Debian's package `prometheus` has it. Where it is, its word counts too."""


@dataclass(slots=True)
class Named:
    """The metrics with the labels they are selected by, and the labels of groupings."""

    selected: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    grouped: set[str] = field(default_factory=set)


def names_in(query: str) -> Named:
    """All that the query names."""
    found, bare = Named(), TEXT.sub('""', query)
    for match in GROUPING.finditer(bare):
        found.grouped |= {label.strip() for label in match[1].split(",") if label.strip()}
    bare = re.sub(r"\[[^]]*\]", "", GROUPING.sub("", bare))
    for match in SELECTOR.finditer(bare):
        if match[1] not in WORDS and not re.fullmatch(r"\d+[smhdwy]", match[1]):
            found.selected.append((match[1], frozenset(LABEL.findall(match[2] or ""))))
    return found


def mistakes(query: str, labels_of: dict[str, frozenset[str]]) -> Iterator[str]:
    """What the query names that is not there. `labels_of` has the labels of each sample that there is."""
    found, all_labels = names_in(query), set(ANYWHERE)
    if not found.selected:
        yield f"no metric in {query}"
    for name, labels in found.selected:
        if name not in labels_of:
            yield f"no metric {name} in {query}"
            continue
        all_labels |= labels_of[name]
        yield from (f"no label {label} on {name}" for label in labels - labels_of[name] - ANYWHERE)
    yield from (f"no label {label} to group by in {query}" for label in found.grouped - all_labels)


def promtool(*arguments: str, given: str = "") -> str:
    """What promtool has against it; nothing where there is no promtool."""
    if PROMTOOL is None:
        return ""
    done = subprocess.run([PROMTOOL, *arguments], input=given, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
