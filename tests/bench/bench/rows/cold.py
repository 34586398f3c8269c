"""Row 3: bringing up services in five levels where nothing is there but the images."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

from . import Bench
from ..measure import Ran, interleaved, peaks, seconds
from ..project import Project, layered
from ..table import Budget, Figure, Line, Unit
from ..tools import Tool
from ..tools.floor import WORKERS, Floor, Recipe

NUMBER = 3
TITLE = "cold up, five levels that wait for each other's start"

LEVELS = 5
# What nself does that the floor does not, and is not to be had for nothing.
WHY = ("it looks twice, locks and writes down what it does, and ends half a second after the last start: without a "
       "health check that is how it sees that what it started goes on running")
# And what it does that is not understood.
WHY_MANY = "beside what it does more than the floor, as with few services, there is a share that is not explained yet"
# Terraform takes its turns with few services only.
FEW = 10


def run(bench: Bench) -> Iterator[Line]:
    for count in [2] if bench.trial else [10, 50]:
        yield from _Cold(bench, layered(f"bench-cold{count}", count, min(count, LEVELS))).lines()


class _Cold:
    """Brings the same services up again and again, each time as a project that never was."""

    def __init__(self, bench: Bench, project: Project) -> None:
        self.bench = bench
        self.project = project
        self.turn = itertools.count(1)
        # With many services a turn is long, and what is best shows with few tries.
        tries = (4,) if bench.trial else WORKERS if len(project.services) <= FEW else WORKERS[1:4]
        self.floor = Floor(bench.engine, tries)

    def lines(self) -> Iterator[Line]:
        bench, count = self.bench, len(self.project.services)
        # Once before it counts, all of them.
        asked = [tool for tool in bench.tools() if tool is not bench.terraform or count <= FEW]
        able, figures = bench.prepared(self.up, asked)
        if bench.terraform and bench.terraform not in asked:
            figures[bench.terraform.name] = Figure(words="left out, too slow")
        recipe = self.recipe()
        workers, note = self.floor.best(lambda workers: self.up_floor(recipe, workers))
        turns: dict[str, Callable[[], Ran]] = {
            tool.name: lambda tool=tool: self.up(tool) for tool in able}  # type: ignore[misc]
        turns["floor"] = lambda: self.up_floor(recipe, workers)
        bench.say(f"{count} services; taking turns")
        runs = interleaved(bench.repetitions, turns, {"terraform": 3}, within=60 if count <= FEW else 120)
        times = {name: Figure(seconds(of)) for name, of in runs.items()} | figures
        line = Line(NUMBER, f"cold up, {count} services", Unit.SECONDS, times)
        over_floor, over_compose = line.ratio("floor"), line.ratio("compose")
        met = over_floor is not None and over_floor <= 1.05 and (over_compose is None or over_compose <= 0.85)
        yield Line(NUMBER, line.what, line.unit, times,
                   Budget("≤ 1.05 × floor, ≤ 0.85 × compose", met, "" if met else WHY if count <= FEW else WHY_MANY), [note], headline=count == 50)
        memory = {name: Figure(peaks(of)) for name, of in runs.items() if name != "floor"} | figures
        yield Line(NUMBER, f"peak memory of a cold up, {count} services", Unit.BYTES, memory)

    def up(self, tool: Tool) -> Ran:
        project = self.unseen()
        tool.write(project)
        try:
            return tool.up(project)
        finally:
            self.bench.engine.clear(tool.own(project))

    def up_floor(self, recipe: Recipe, workers: int) -> Ran:
        recipe = recipe.named(self.floor.own(self.unseen()))
        try:
            return self.floor.up(recipe, workers)
        finally:
            self.bench.engine.clear(recipe.project)

    def recipe(self) -> Recipe:
        """Reads off nself's containers what the floor is to make."""
        project, nself = self.unseen(), self.bench.nself
        nself.write(project)
        try:
            nself.up(project)
            return self.floor.recipe(project, nself.own(project))
        finally:
            self.bench.engine.clear(nself.own(project))

    def unseen(self) -> Project:
        """The project under a name that was not there before, so that nothing is left of it from another turn."""
        return replace(self.project, name=f"{self.project.name}-{next(self.turn)}")
