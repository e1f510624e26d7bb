"""Draws the ratios of a run: a bar for each row with the range of its rounds, and a mark where it shall be."""

from collections import Counter
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report import reached

WIDTH_IN: Final = 9.0
ROW_IN: Final = 0.34
HEAD_IN: Final = 0.9
COLOURS: Final = {True: "#3a7d44", False: "#c8553d", None: "#7a8ca3"}
"""Reached, not reached, nothing set."""


def draw(document: dict[str, Any], path: Path) -> None:
    """Write the picture of a results document; its kind is the file's ending."""
    drawn = [section for section in document["sections"] if any(row["ratio"] for row in section["rows"])]
    heights = [HEAD_IN + ROW_IN * sum(bool(row["ratio"]) for row in section["rows"]) for section in drawn]
    figure = Figure(figsize=(WIDTH_IN, sum(heights)), layout="constrained")
    axes = figure.subplots(len(drawn), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for section, ax in zip(drawn, axes, strict=True):
        _bars(ax, section)
    machine = document["machine"]
    told = f"{document['at'][:10]}, {machine['processor']}, commit {machine['commit']}"
    figure.suptitle(f"{told}: ratios, median and range of the rounds; a mark is what to reach", fontsize=9)
    figure.savefig(path)


def _bars(ax: Axes, section: dict[str, Any]) -> None:
    rows = [row for row in section["rows"] if row["ratio"]][::-1]
    middles = [row["ratio"]["median"] for row in rows]
    ranges = [
        [max(0.0, row["ratio"]["median"] - row["ratio"]["min"]) for row in rows],
        [max(0.0, row["ratio"]["max"] - row["ratio"]["median"]) for row in rows],
    ]
    colours = [COLOURS[reached(row)] for row in rows]
    ax.barh(range(len(rows)), middles, xerr=ranges, color=colours, height=0.6, ecolor="#333333")
    for place, row in enumerate(rows):
        if row["reach"] is not None:
            ax.plot([row["reach"]] * 2, [place - 0.42, place + 0.42], color="black", linewidth=2)
    usual, times = Counter(row["base"] for row in rows[::-1]).most_common(1)[0]
    known = {usual} if times > 1 else set()
    names = [row["name"] if row["base"] in {*known, row["name"]} else _to(row) for row in rows]
    ax.set_yticks(range(len(rows)), names, fontsize=8)
    ax.axvline(1, color="#999999", linewidth=0.8, linestyle="--")
    ax.set_title(f"{section['title']}, ratio{f' to {usual}' if known else ''}", fontsize=9, loc="right")
    ax.tick_params(axis="x", labelsize=8)


def _to(row: dict[str, Any]) -> str:
    return row["name"] if row["base"] in row["name"] else f"{row['name']} (to {row['base']})"
