"""Rows 1 and 2: a plan and an apply where nothing is to do, on the same containers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import Bench
from ..measure import Ran, Samples, Turns, interleaved, peaks, seconds
from ..project import Project, layered
from ..table import Budget, Figure, Line, Unit
from ..tools import Tool
from ..tools.floor import WORKERS, Floor

PLAN, APPLY = 1, 2
TITLES = {PLAN: "plan with full inspection, nothing to do", APPLY: "no-op apply"}

# Milliseconds for a plan, by the number of containers.
BUDGETS = {2: 30, 25: 30, 100: 90, 500: 400}
# So many containers are brought up by nself alone, because the others take too long for it.
ALONE = 500
# As many are too many for Terraform, which takes 80 ms for each.
MANY = 100


def run(bench: Bench) -> Iterator[Line]:
    for count in [2] if bench.trial else [25, 100, 500]:
        if count == ALONE and PLAN not in bench.wanted:
            continue
        project = layered(f"bench-settled{count}", count, min(count, 5))
        try:
            yield from _lines(bench, project, count)
        finally:
            for tool in bench.tools():
                bench.engine.clear(tool.own(project))


def _lines(bench: Bench, project: Project, count: int) -> Iterator[Line]:
    floor = Floor(bench.engine, (4,) if bench.trial else WORKERS)

    def prepare(tool: Tool) -> None:
        bench.engine.clear(tool.own(project))
        tool.write(project)
        tool.up(project)

    able, figures = bench.prepared(prepare, [bench.nself] if count >= ALONE else [
        tool for tool in bench.tools() if tool is not bench.terraform or count < MANY])
    if bench.terraform and MANY <= count < ALONE:
        figures["terraform"] = Figure(words="left out, too slow")
    if count >= ALONE:
        figures |= {tool.name: Figure(words="left out, too slow to bring up") for tool in bench.tools()[1:]}
    turns: dict[str, Callable[[], Ran]] = {}
    for tool in able:
        if PLAN in bench.wanted:
            turns[f"{tool.name} plan"] = lambda tool=tool: tool.plan(project)  # type: ignore[misc]
        if count < ALONE:
            turns[f"{tool.name} apply"] = lambda tool=tool: tool.up(project)  # type: ignore[misc]
    own = bench.nself.own(project)
    told: list[str] = []
    workers, note = floor.best(lambda workers: min(
        (floor.look(own, workers) for _ in range(3)), key=lambda ran: ran.seconds))
    turns["floor"] = lambda: floor.look(own, workers)
    if count < MANY:
        told = [f"{tool.name} finds something to do each time" for tool in able if tool.differs(project)]
    bench.say(f"{count} containers each are up; taking turns")
    runs = interleaved(bench.repetitions, turns, within=120)

    def of(verb: str, names: dict[str, str], show: Callable[[Turns[Ran]], Figure]) -> dict[str, Figure]:
        """The figures of one verb by contender, with the names under which they are shown."""
        measured = {shown: show(runs[f"{name} {verb}"]) for name, shown in names.items() if f"{name} {verb}" in runs}
        return {**measured, **{name: figure for name, figure in figures.items() if name not in measured}}

    everybody = {name: name for name in ("nself", "compose", "terraform")}
    if PLAN in bench.wanted:
        plans = of("plan", {**everybody, "compose": "compose dry run"}, _times)
        if "compose apply" in runs:
            plans["compose up"] = _times(runs["compose apply"])
        plans["floor"] = _times(runs["floor"])
        line = Line(PLAN, f"plan, {count} containers", Unit.SECONDS, plans)
        budget = _plan_budget(line, count)
        yield Line(PLAN, line.what, line.unit, plans, budget, [note, *told], headline=count == MANY)
        memory = of("plan", {**everybody, "compose": "compose dry run"}, _peaks)
        yield Line(PLAN, f"peak memory of a plan, {count} containers", Unit.BYTES, memory)
    if APPLY in bench.wanted and count < ALONE:
        applies = of("apply", everybody, _times)
        line = Line(APPLY, f"no-op apply, {count} containers", Unit.SECONDS, applies)
        ratio = line.ratio("compose")
        budget = Budget("≤ 0.5 × compose", ratio is not None and ratio <= 0.5)
        yield Line(APPLY, line.what, line.unit, applies, budget, headline=count == 25)
        memory = of("apply", everybody, _peaks)
        used = memory["nself"].samples
        yield Line(APPLY, f"peak memory of a no-op apply, {count} containers", Unit.BYTES, memory,
                   _memory_budget(used), headline=count == 25)


def _memory_budget(used: Samples | None) -> Budget:
    met = used is not None and used.median <= 15e6
    why = "the program itself takes 9 MB, and what is wanted and seen of each container is held at once, some 50 kB"
    return Budget("≤ 15 MB", met, "" if met else why)


def _plan_budget(line: Line, count: int) -> Budget:
    ours, floor = line.figures["nself"].samples, line.figures["floor"].samples
    assert ours and floor
    allowed = BUDGETS[count]
    words = f"≤ {allowed} ms"
    met = ours.median * 1000 <= allowed
    ratio = line.ratio("compose up")
    if count < ALONE:
        words += " and < compose up"
        met = met and ratio is not None and ratio < 1
    # Only a floor near the budget explains anything.
    why = f"a bare client that only reads the same takes {Unit.SECONDS.show(floor.median)} on this engine"
    return Budget(words, met, why if not met and floor.median * 2000 >= allowed else "")


def _times(runs: Turns[Ran]) -> Figure:
    return Figure(seconds(runs))


def _peaks(runs: Turns[Ran]) -> Figure:
    return Figure(peaks(runs))
