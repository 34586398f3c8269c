"""The rows of the table, a file each.

A row is a module with `NUMBER`, `TITLE` and `run(bench)`, which yields its lines. It is found by being here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..table import Line
from ..tools.compose import Compose
from ..tools.nself import Nself


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

    def say(self, text: str) -> None:
        """Tells whoever waits what is going on."""
        print(f"    {text}", flush=True)


class Row(Protocol):
    NUMBER: int
    TITLE: str

    def run(self, bench: Bench) -> Iterator[Line]: ...


def every() -> list[Row]:
    """All rows, in the order of their numbers."""
    names = sorted(one.name for one in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return sorted(modules, key=lambda row: row.NUMBER)  # type: ignore[arg-type, return-value]
