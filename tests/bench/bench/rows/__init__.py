"""The rows of the table, a file each.

A row is a module with `NUMBER`, `TITLE` and `run(bench)`, which yields its lines; a module that measures several rows
on the same containers has `TITLES` by number instead. One that knows more than its lines has `details(root)`, which
returns it in Markdown. It is found by being here.
"""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..engine import Engine
from ..measure import Failed, in_words
from ..table import Figure, Line
from ..tools import Tool
from ..tools.compose import Compose
from ..tools.nself import Nself
from ..tools.terraform import Terraform


@dataclass(frozen=True)
class Bench:
    """What a row has at hand."""

    nself: Nself
    compose: Compose
    # How often what is timed is repeated.
    repetitions: int
    # Whether only the instruments are tried, on the smallest projects: no figure of it means anything.
    trial: bool
    # A folder that is the row's alone and empty.
    scratch: Path
    # The root of the checkout.
    root: Path
    # `None` where it cannot be had, or is not asked.
    terraform: Terraform | None = None
    # Why somebody has no figures at all, in words, by the contender's name.
    missing: dict[str, str] = field(default_factory=dict)
    engine: Engine = field(default_factory=Engine)
    # Numbers of the rows that are asked for.
    wanted: frozenset[int] = frozenset(range(1, 100))
    # What building the program from nothing took, where it was done in this run.
    build: Build | None = None

    def tools(self) -> list[Tool]:
        """Everybody who can be had, nself first."""
        all_of_them = [self.nself, self.compose, *([self.terraform] if self.terraform else [])]
        return [tool for tool in all_of_them if tool.name not in self.missing]

    def prepared(self, prepare: Callable[[Tool], object],
                 tools: Sequence[Tool] | None = None) -> tuple[list[Tool], dict[str, Figure]]:
        """Prepares everybody, or `tools`. Returns those who came through, and in words why the others have no figures.

        A failure of nself is raised.
        """
        able: list[Tool] = []
        words = {name: Figure(words=why) for name, why in self.missing.items()}
        for tool in self.tools() if tools is None else tools:
            try:
                prepare(tool)
                able.append(tool)
            except (Failed, subprocess.TimeoutExpired) as error:
                if tool is self.nself:
                    raise
                words[tool.name] = Figure(words=in_words(error))
        return able, words

    def say(self, text: str) -> None:
        """Tells whoever waits what is going on."""
        print(f"    {text}", flush=True)


@dataclass(frozen=True)
class Build:
    """A build of the release program from nothing, with its sources already there."""

    seconds: float
    # The largest resident set of one of the compiler's processes, in bytes.
    peak: int


@dataclass(frozen=True)
class Row:
    """One file of rows."""

    # By number.
    titles: dict[int, str]
    run: Callable[[Bench], Iterator[Line]]
    # What is to be said beneath the lines, in Markdown; given the root of the checkout.
    details: Callable[[Path], str] | None


def every() -> list[Row]:
    """All rows, in the order of their numbers."""
    names = sorted(one.name for one in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found = [Row(getattr(module, "TITLES", None) or {module.NUMBER: module.TITLE}, module.run,
                 getattr(module, "details", None)) for module in modules]
    return sorted(found, key=lambda row: min(row.titles))
