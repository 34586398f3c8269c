"""What is kept of a run: the text that is printed and published, and the samples behind it."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .engine import Engine
from .measure import Samples
from .table import Budget, Figure, Line, Unit, notes, row_table, summary

# Where the rows are kept, below the root.
ROWS = "target/bench/rows"

# What README quotes stands between these, here and there.
BEGIN, END = "<!-- benchmark: tests/bench/run writes this -->", "<!-- benchmark ends -->"


class Run:
    """One run: on what machine, of what, when."""

    def __init__(self, engine: Engine, root: Path, command: str, publish: bool = False) -> None:
        self.root = root
        self.begun = datetime.datetime.now(datetime.timezone.utc)
        self.titles: dict[int, str] = {}
        self.details: dict[int, str] = {}
        # When, of what and by which command a row was measured that is of an earlier run; by its number.
        self.origins: dict[int, str] = {}
        self.took = 0.0
        self.facts = _facts(engine, root, command)
        self.before = f"load before {os.getloadavg()[0]:.1f}, {_others(engine)}"
        if not publish:
            self.facts["before"] = self.before

    def finish(self, took: float, titles: dict[int, str], details: dict[int, str]) -> None:
        """`details` are beneath the lines of a row, by its number."""
        self.took = took
        self.titles = titles
        self.details = details

    def know(self, name: str, value: str) -> None:
        """Adds a fact to those above the table."""
        self.facts[name] = value

    def text(self, lines: Sequence[Line]) -> str:
        """The whole result, in Markdown that reads in a terminal."""
        minutes, rest = divmod(round(self.took), 60)
        facts = {**self.facts, "when": f"{self.begun:%Y-%m-%d %H:%M} UTC, for {minutes} min {rest} s"}
        parts = ["# nself beside its rivals", PREAMBLE, BEGIN, summary(lines), END, "## The machine and the programs",
                 "\n".join(f"- {name}: {value}" for name, value in facts.items() if value)]
        for number in sorted({line.row for line in lines}):
            own = [line for line in lines if line.row == number]
            parts += [f"## {number}. {self.titles.get(number, '')}", *filter(None, [self.origins.get(number)]),
                      row_table(own)]
            if told := notes(own):
                parts.append("\n".join(f"- {note}" for note in told))
            if number in self.details:
                parts.append(self.details[number])
        return "\n\n".join(parts) + "\n"

    def keep_row(self, lines: Sequence[Line], failed: bool) -> None:
        """Keeps what one row came to below target/, for a table that is put together of several runs. One that came
        to an early end says so, unless there is an earlier one that did not."""
        now = datetime.datetime.now(datetime.timezone.utc)
        origin = (f"Measured {now:%Y-%m-%d %H:%M} UTC, commit {self.facts['commit']}, {self.facts['command']}, "
                  f"{self.before}.")
        for number in {line.row for line in lines}:
            own = {"origin": origin, "details": self.details.get(number, ""),
                   "lines": [_raw(line) for line in lines if line.row == number]}
            place = self.root / ROWS / f"{number}.json"
            if failed and place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(own, indent=1) + "\n")

    def recall(self) -> list[Line]:
        """Returns the rows as they were last measured, each of whatever run."""
        lines = []
        for place in (self.root / ROWS).glob("*.json"):
            kept = json.loads(place.read_text())
            number = int(place.stem)
            self.origins[number] = kept["origin"]
            if kept["details"]:
                self.details[number] = kept["details"]
            lines += [_line(raw) for raw in kept["lines"]]
        return sorted(lines, key=lambda line: line.row)

    def keep(self, lines: Sequence[Line], text: str, publish: bool) -> None:
        """Keeps the samples below target/, and publishes the text where the whole table was measured."""
        folder = self.root / "target" / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        measured = {"facts": self.facts, "seconds": self.took, "lines": [_raw(line) for line in lines]}
        (folder / "results.json").write_text(json.dumps(measured, indent=1) + "\n")
        (folder / "RESULTS.md").write_text(text)
        if publish:
            (self.root / "tests" / "bench" / "RESULTS.md").write_text(text)
            readme = self.root / "README.md"
            readme.write_text(quoted(readme.read_text(), lines))


PREAMBLE = """\
Written by `tests/bench/run`, which installs the rivals, measures everybody in turn on the same engine with the same
images, and prints this. Figures are medians of 10 turns, where no other number is said, with the smallest and the
largest behind them; memory is the largest resident set of a single process. "The floor" is a bare client that makes
only the calls that have to be made. No timer fails anything: a budget that is not met says so."""


def quoted(readme: str, lines: Sequence[Line]) -> str:
    """README with the summary of these lines between its marks."""
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    if not between.search(readme):
        raise ValueError(f"README.md has no place for the summary: {BEGIN}")
    return between.sub(lambda _: f"{BEGIN}\n\n{summary(lines)}\n\n{END}", readme)


def _facts(engine: Engine, root: Path, command: str) -> dict[str, str]:
    info, version = engine.get("/info"), engine.get("/version")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GB of memory",
        "system": f"{info['OperatingSystem']}, Linux {platform.release()}",
        "engine": f"Docker {version['Version']}, storage {info['Driver']}, "
                  f"cgroup version {info.get('CgroupVersion', 1)}, {_others(engine)}",
        "commit": _commit(root),
        "command": f"`{command}`",
    }


def _others(engine: Engine) -> str:
    """How many containers run beside those of the benchmark; its own are gone between two rows."""
    return f"{engine.get('/info')['ContainersRunning']} other containers running"


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _commit(root: Path) -> str:
    """The commit that is measured, and whether its files are as committed."""
    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=False).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--", "src", "Cargo.toml", "Cargo.lock") else ""
    return git("rev-parse", "--short=12", "HEAD") + changed


def _line(raw: dict[str, Any]) -> Line:
    """Reads what `_raw` wrote."""
    def figure(one: dict[str, Any]) -> Figure:
        samples = None if one["samples"] is None else Samples(one["samples"], one["failure"])
        return Figure(samples, one["words"])

    budget = Budget(**raw["budget"]) if raw["budget"] else None
    return Line(raw["row"], raw["what"], Unit(raw["unit"]), {name: figure(one) for name, one in raw["figures"].items()},
                budget, raw["notes"], headline=raw["headline"])


def _raw(line: Line) -> dict[str, object]:
    return {
        "row": line.row, "what": line.what, "unit": line.unit.value,
        "figures": {name: {"samples": figure.samples.values if figure.samples else None,
                           "words": figure.words, "failure": figure.samples.failure if figure.samples else ""}
                    for name, figure in line.figures.items()},
        "budget": dataclasses.asdict(line.budget) if line.budget else None, "notes": line.notes,
        "headline": line.headline,
    }
