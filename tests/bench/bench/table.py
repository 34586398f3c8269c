"""Lines of the table: what was measured, who did how well, and whether the budget is met."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .measure import TURNS, Samples


class Unit(enum.Enum):
    """What a figure counts, and how it is shown."""

    SECONDS = "s"
    BYTES = "MB"
    SHARE = "share"
    COUNT = "count"

    def show(self, value: float) -> str:
        number, suffix = self._parts(value, value)
        return number + suffix

    def show_all(self, samples: Samples) -> str:
        """The median, with the smallest and the largest behind it where they differ, in one unit: `12 ms (11–15)`."""
        median, suffix = self._parts(samples.median, samples.median)
        low, high = (self._parts(value, samples.median)[0] for value in samples.spread)
        return f"{median}{suffix}" + (f" ({low}–{high})" if low != high else "")

    def _parts(self, value: float, like: float) -> tuple[str, str]:
        """A number and its unit, in the unit that suits `like`."""
        match self:
            case Unit.SECONDS if like < 1:
                return _digits(value * 1000), " ms"
            case Unit.SECONDS:
                return _digits(value), " s"
            case Unit.BYTES:
                return _digits(value / 1e6), " MB"
            case Unit.SHARE:
                return f"{value * 100:.0f}", " %"
            case Unit.COUNT:
                return f"{value:g}", ""


def _digits(value: float) -> str:
    """Three digits are all that a measurement is good for."""
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{places}f}"


@dataclass(frozen=True)
class Figure:
    """What one contender came out with: samples, or in words that it cannot do the job."""

    samples: Samples | None = None
    words: str = ""

    def show(self, unit: Unit) -> str:
        """The median with its spread, then of how many turns where they are less than usual, then the words."""
        if self.samples is None:
            return self.words
        count = len(self.samples.values)
        shown = unit.show_all(self.samples) if count else ""
        turns = f"of {count}" if 1 < count < TURNS else ""
        return " ".join(part for part in (shown, turns, self.words, self.samples.failure) if part)

    def brief(self, unit: Unit) -> str:
        """The median alone, or the words."""
        return unit.show(self.samples.median) if self.samples and self.samples.values else self.show(unit)


@dataclass(frozen=True)
class Budget:
    """What nself's figure is held against. Nothing fails when it is not met: it is shown, and explained."""

    # As design §15 or the issue says it.
    words: str
    met: bool
    # Why it is not met, in one sentence. Empty where it is.
    why: str = ""


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    row: int
    what: str
    unit: Unit
    # By contender; nself's first.
    figures: dict[str, Figure]
    budget: Budget | None = None
    # What a reader has to know beside the figures.
    notes: list[str] = field(default_factory=list)
    # Whether README quotes it. Of a row without such a line it quotes the first.
    headline: bool = False

    def ratio(self, over: str) -> float | None:
        """nself's median over that of another contender, where both have one and ours is not below nothing."""
        ours, theirs = self.figures.get("nself"), self.figures.get(over)
        if ours is None or theirs is None or ours.samples is None or theirs.samples is None:
            return None
        if not ours.samples.values or not theirs.samples.values or not theirs.samples.median:
            return None
        if ours.samples.median < 0:
            return None
        return ours.samples.median / theirs.samples.median

    def ratios(self) -> str:
        """All ratios in words: `0.42 × compose, 1.03 × floor`."""
        if self.unit not in (Unit.SECONDS, Unit.BYTES):
            return ""
        known = {name: self.ratio(name) for name in _in_order(self.figures) if name != "nself"}
        return ", ".join(f"{ratio:.2f} × {name}" for name, ratio in known.items() if ratio is not None)


# The order of contenders in a table; whoever is not among them comes last.
ORDER = ("nself", "compose", "compose dry run", "compose up", "terraform", "floor")


def _in_order(names: Iterable[str]) -> list[str]:
    """Each name once."""
    return sorted(dict.fromkeys(names), key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


def render(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown whose columns stand in line, so that it reads in a terminal too."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def row_table(lines: Sequence[Line]) -> str:
    """The table of one row: a line for each of its lines, a column for each contender that says something."""
    contenders = _in_order(name for line in lines for name in line.figures)
    ratios, budgets = any(line.ratios() for line in lines), any(line.budget for line in lines)
    head = ["", *contenders, *["nself is"] * ratios, *["budget"] * budgets]
    rows = []
    for line in lines:
        shown = [line.figures[name].show(line.unit) if name in line.figures else "" for name in contenders]
        budget = [_budget(line.budget)] if budgets else []
        rows.append([line.what, *shown, *([line.ratios()] if ratios else []), *budget])
    return render(head, rows)


def notes(lines: Sequence[Line]) -> list[str]:
    """What a reader has to know beside the figures, and why budgets are not met."""
    told = [f"{line.what}: {note}" for line in lines for note in line.notes]
    told += [f"{line.what}: not met because {line.budget.why}" for line in lines
             if line.budget and not line.budget.met and line.budget.why]
    return told


def summary(lines: Sequence[Line]) -> str:
    """One line for each row, the headline figures."""
    rows = []
    for number in sorted({line.row for line in lines}):
        own = [line for line in lines if line.row == number]
        for line in [one for one in own if one.headline] or own[:1]:
            others = " · ".join(f"{name} {line.figures[name].brief(line.unit)}" for name in _in_order(line.figures)
                                if name != "nself")
            ours = line.figures["nself"].brief(line.unit) if "nself" in line.figures else ""
            rows.append([line.what, ours, others, _budget(line.budget)])
    return render(["", "nself", "others", "budget"], rows)


def _budget(budget: Budget | None) -> str:
    if budget is None:
        return ""
    return f"{budget.words}: {'met' if budget.met else 'not met'}"
