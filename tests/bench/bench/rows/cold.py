"""Row 3: bringing up services in five levels where nothing is there but the images."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

from . import Bench
from ..measure import Failed, Ran, in_words, interleaved, peaks, seconds
from ..project import Project, layered
from ..table import Budget, Figure, Line, Unit
from ..tools import Tool
from ..tools.floor import Floor

NUMBER = 3
TITLE = "cold up, five levels that wait for each other's start"

LEVELS = 5
# Terraform takes its turns with few services only.
FEW = 10


def run(bench: Bench) -> Iterator[Line]:
    for count in [LEVELS] if bench.trial else [10, 50]:
        project = layered(f"cold{count}", count, LEVELS)
        owners = [*(tool.own(project) for tool in bench.tools()), f"{project.name}-{Floor.name}"]
        try:
            yield from _lines(bench, project, count)
        finally:
            for own in owners:
                bench.engine.clear(own)


def _lines(bench: Bench, project: Project, count: int) -> Iterator[Line]:
    floor = Floor(bench.engine)
    own = bench.nself.own(project)
    _up(bench, bench.nself, project)
    recipe = floor.recipe(project, own)

    def up_floor(workers: int) -> Ran:
        bench.engine.clear(recipe.project)
        return floor.up(recipe, workers)

    bench.engine.clear(own)
    workers, note = floor.best(up_floor)
    bench.engine.clear(recipe.project)

    figures = {name: Figure(words=why) for name, why in bench.missing.items()}
    turns: dict[str, Callable[[], Ran]] = {"nself": lambda: _cold(bench, bench.nself, project)}
    for tool in bench.tools()[1:]:
        if tool is bench.terraform and count > FEW:
            figures[tool.name] = Figure(words="left out: too slow")
            continue
        try:
            # Once before it counts, as nself and the floor had it too.
            _cold(bench, tool, project)
        except Failed as error:
            figures[tool.name] = Figure(words=in_words(error))
            continue
        turns[tool.name] = lambda tool=tool: _cold(bench, tool, project)  # type: ignore[misc]

    def floor_turn() -> Ran:
        ran = up_floor(workers)
        bench.engine.clear(recipe.project)
        return ran

    turns["floor"] = floor_turn
    runs = interleaved(bench.repetitions, turns)
    times = {name: Figure(seconds(of)) for name, of in runs.items()} | figures
    line = Line(NUMBER, f"{count} services", Unit.SECONDS, times)
    over_floor, over_compose = line.ratio("floor"), line.ratio("compose")
    met = over_floor is not None and over_floor <= 1.05 and (over_compose is None or over_compose <= 0.85)
    yield Line(NUMBER, line.what, line.unit, times, Budget("≤ 1.05 × floor, ≤ 0.85 × compose", met), [note],
               headline=count == 50)
    memory = {name: Figure(peaks(of)) for name, of in runs.items() if name != "floor"} | figures
    yield Line(NUMBER, f"its peak memory, {count} services", Unit.BYTES, memory)


def _cold(bench: Bench, tool: Tool, project: Project) -> Ran:
    """Brings the project up from nothing, and takes it away again."""
    try:
        return _up(bench, tool, project)
    finally:
        bench.engine.clear(tool.own(project))


def _up(bench: Bench, tool: Tool, project: Project) -> Ran:
    """Brings the project up with nothing left of an earlier time, neither on the engine nor in its folder."""
    bench.engine.clear(tool.own(project))
    folder = tool.folder(project)
    for left in [folder / ".nself", *folder.glob("terraform.tfstate*")]:
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)
    tool.write(project)
    return tool.up(project)
