"""Runs rows and prints their table: `tests/bench/run [--trial] [ROW...]`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from . import results, rows
from .engine import Engine
from .measure import TURNS, Failed, in_words
from .rows import Bench, Build, Row
from .table import Figure, Line, Unit
from .tools import Tool
from .tools.compose import Compose
from .tools.nself import Nself
from .tools.terraform import Terraform


def main() -> int:
    # What is up is taken down then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = _arguments()
    every = rows.every()
    wanted = frozenset(given.rows or (number for row in every for number in row.titles))
    if unknown := wanted - {number for row in every for number in row.titles}:
        print(f"error: there is no row {', '.join(map(str, sorted(unknown)))}", file=sys.stderr)
        return 64
    begin = time.monotonic() - given.before
    run = results.Run(Engine(), given.root, given.command, given.publish)
    run.know("nself", Nself(given.nself, Path()).version())
    run.know("compose", given.no_compose or _version(Compose(given.compose, Path())))
    run.know("terraform", given.no_terraform or _version(Terraform(given.terraform, Path())))
    lines: list[Line] = []
    titles = {number: title for row in every for number, title in row.titles.items()}
    details: dict[int, str] = {}
    broken = False
    # In the order in which they are asked for.
    asked = {number: place for place, number in enumerate(given.rows)}
    for row in sorted(every, key=lambda row: min(asked.get(number, number) for number in row.titles)):
        if not given.publish and not wanted.isdisjoint(row.titles):
            own, failed = _measure(row, given, wanted)
            lines += own
            broken |= failed
            if row.details and not failed:
                details[max(row.titles)] = row.details(given.root)
            # What is known so far is kept, whatever becomes of the rest.
            run.finish(time.monotonic() - begin, titles, details)
            if not given.trial:
                run.keep_row(own, failed)
            run.keep(lines, run.text(lines), publish=False)
    if given.publish:
        run.finish(time.monotonic() - begin, titles, details)
        lines = run.recall()
    text = run.text(lines)
    if not given.part:
        print(f"\n{text}", flush=True)
    run.keep(lines, text, publish=given.publish)
    return 1 if broken else 0


def _version(rival: Tool) -> str:
    try:
        return rival.version()
    except Failed as error:
        return in_words(error)


def _measure(row: Row, given: argparse.Namespace, wanted: frozenset[int]) -> tuple[list[Line], bool]:
    """Returns the lines of one row, and whether it came to an end before its time."""
    for number, title in row.titles.items():
        if number in wanted:
            print(f"{number}. {title}", flush=True)
    scratch = Path(tempfile.mkdtemp(prefix="nself-bench-"))
    bench = Bench(
        Nself(given.nself, scratch), Compose(given.compose, scratch),
        repetitions=1 if given.trial else given.repetitions, trial=given.trial, scratch=scratch, root=given.root,
        terraform=None if given.no_terraform else Terraform(given.terraform, scratch),
        missing={name: why for name, why in (("compose", given.no_compose), ("terraform", given.no_terraform)) if why},
        wanted=wanted,
        build=Build(*given.build) if given.build else None)
    lines = []
    begin = time.monotonic()
    try:
        for line in row.run(bench):
            if line.row in wanted:
                shown = "  ".join(f"{name} {figure.show(line.unit)}" for name, figure in line.figures.items())
                print(f"    {line.what}: {shown}", flush=True)
                lines.append(line)
    except Exception as error:  # pylint: disable=broad-except
        traceback.print_exc()
        number = min(number for number in row.titles if number in wanted)
        lines.append(Line(number, "the row itself", Unit.COUNT, {"nself": Figure(words=in_words(error))}))
        return lines, True
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        print(f"    ({time.monotonic() - begin:.0f} s)", flush=True)
    return lines, False


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/bench/run", description="nself beside its rivals, on this machine")
    parser.add_argument("rows", nargs="*", type=int, help="numbers of rows; all of them without any")
    parser.add_argument("--trial", action="store_true", help="tries the instruments: smallest projects, once each")
    parser.add_argument("--publish", action="store_true",
                        help="measures nothing: writes both tables from what was last measured of each row")
    internal = parser.add_argument_group("given by tests/bench/run")
    internal.add_argument("--nself", type=Path, required=True)
    internal.add_argument("--compose", type=Path, required=True)
    internal.add_argument("--terraform", type=Path)
    internal.add_argument("--no-compose", default="", help="why there is none")
    internal.add_argument("--no-terraform", default="", help="why there is none")
    internal.add_argument("--build", type=float, nargs=2, metavar=("SECONDS", "BYTES"), help="of the whole build")
    internal.add_argument("--before", type=float, default=0, help="seconds that the run took before this")
    internal.add_argument("--repetitions", type=int, default=TURNS, help="fewer publish nothing")
    internal.add_argument("--part", action="store_true", help="prints no table: other rows follow")
    internal.add_argument("--command", default="tests/bench/run", help="as it was typed")
    internal.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[3])
    given = parser.parse_args()
    if not given.terraform and not given.no_terraform:
        given.no_terraform = "not asked"
    return given


sys.exit(main())
