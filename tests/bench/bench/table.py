"""Lines of the table: what was measured, who did how well, and whether the budget is met."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from .measure import Samples


class Unit(enum.Enum):
    """What a figure counts, and how it is shown."""

    SECONDS = "s"
    BYTES = "MB"
    SHARE = "share"
    COUNT = "count"

    def show(self, value: float) -> str:
        match self:
            case Unit.SECONDS:
                return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
            case Unit.BYTES:
                return f"{value / 1e6:.1f} MB"
            case Unit.SHARE:
                return f"{value:.0%}"
            case Unit.COUNT:
                return f"{value:g}"


@dataclass(frozen=True)
class Figure:
    """What one contender came out with: samples, or in words that it cannot do the job."""

    samples: Samples | None = None
    words: str = ""

    def show(self, unit: Unit) -> str:
        """The median, with the smallest and the largest behind it where they differ."""
        if self.samples is None:
            return self.words
        shown = unit.show(self.samples.median)
        low, high = (unit.show(value) for value in self.samples.spread)
        spread = f" ({low} – {high})" if low != high else ""
        return f"{shown}{spread}{' ' + self.words if self.words else ''}"


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

    def ratio(self, over: str) -> float | None:
        """nself's median over that of another contender, where both have one."""
        ours, theirs = self.figures.get("nself"), self.figures.get(over)
        if ours is None or theirs is None or ours.samples is None or theirs.samples is None:
            return None
        return ours.samples.median / theirs.samples.median if theirs.samples.median else None
