"""Runs the rows and prints the table: `tests/bench/run [--trial] [ROW...]`."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from . import rows
from .rows import Bench
from .table import Line
from .tools.compose import Compose
from .tools.nself import Nself

REPETITIONS = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests/bench/run", description="nself beside its rivals, on this machine")
    parser.add_argument("rows", nargs="*", type=int, help="numbers of rows; all of them without any")
    parser.add_argument("--trial", action="store_true", help="tries the instruments: smallest projects, once each")
    parser.add_argument("--nself", type=Path, required=True)
    parser.add_argument("--compose", type=Path, required=True)
    given = parser.parse_args()
    lines: list[Line] = []
    for row in rows.every():
        if given.rows and row.NUMBER not in given.rows:
            continue
        print(f"{row.NUMBER}. {row.TITLE}", flush=True)
        scratch = Path(tempfile.mkdtemp(prefix="nself-bench-"))
        bench = Bench(
            Nself(given.nself, scratch), Compose(given.compose, scratch),
            1 if given.trial else REPETITIONS, given.trial, scratch, Path(__file__).parents[3])
        for line in row.run(bench):
            shown = "  ".join(f"{name} {figure.show(line.unit)}" for name, figure in line.figures.items())
            print(f"    {line.what}: {shown}", flush=True)
            lines.append(line)
        shutil.rmtree(scratch)


main()
