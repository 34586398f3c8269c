"""Row 2: applying where nothing is to do."""

from __future__ import annotations

from collections.abc import Iterator

from . import Bench
from ..measure import interleaved, peaks, seconds
from ..project import layered
from ..table import Budget, Figure, Line, Unit

NUMBER = 2
TITLE = "no-op apply"


def run(bench: Bench) -> Iterator[Line]:
    for count in [2] if bench.trial else [25, 100]:
        project = layered(f"idle{count}", count, min(count, 5))
        tools = [bench.nself, bench.compose]
        for tool in tools:
            tool.write(project)
            tool.up(project)
        runs = interleaved(bench.repetitions, {tool.name: lambda tool=tool: tool.up(project) for tool in tools})
        for tool in tools:
            tool.down(project)
        times = Line(NUMBER, f"no-op apply, {count} containers", Unit.SECONDS,
                     {name: Figure(seconds(of)) for name, of in runs.items()})
        ratio = times.ratio("compose") or 0
        yield Line(times.row, times.what, times.unit, times.figures, Budget("≤ 0.5 × compose", ratio <= 0.5))
        memory = {name: peaks(of) for name, of in runs.items()}
        yield Line(NUMBER, f"peak memory of it, {count} containers", Unit.BYTES,
                   {name: Figure(of) for name, of in memory.items()},
                   Budget("≤ 15 MB", memory["nself"].median <= 15e6))
