"""Row 7: `kill -9` at every boundary between two steps, and at random moments; then the same command once more.

A boundary is a call to the engine that can change something. Between the tool and the engine sits a socket that
counts them (`..trap`), and the tool is killed at each: before the engine hears of it, and after the engine has done
it but before the answer is heard. The next run goes to the engine directly and has no help. What is there then is
compared with what an undisturbed run leaves (`..picture`): names, configuration, networks, mounts, states,
health, the data in the volume. It has to succeed, nothing may be left over, and a third run must not touch anything.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from . import Bench
from ..picture import Picture, picture, put_file, sweep
from ..measure import Samples
from ..project import OTHER_IMAGE, Health, Project, Service
from ..siege import end, in_words, kind, start, up_words
from ..table import Budget, Figure, Line, Unit
from ..tools import Tool
from ..trap import Side, Trap, kill

NUMBER = 7
TITLE = "crash safety"
# Over the three plans. Docker Compose takes several times as long for each, and needs fewer to be seen through.
RANDOM_MOMENTS = {"nself": 50, "compose": 20}
# For the same reason it is killed at every second call only.
EVERY = {"nself": 1, "compose": 2}
# Projects that are worked on at once. Nothing is timed here.
LANES = 3
# Draws the same fractions of the undisturbed time on every machine.
SEED = 7
MARKER = "/data/marker"


def _database(**fields: object) -> Service:
    return Service("db", command=("serve", "8000", "100"), health=Health(("/service", "probe", "8000"), 1),
                   volumes={"data": "/data"}, **fields)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Shape:
    """A plan, as the two states between which it leads. It is gone both ways, unless one of them is nothing."""

    name: str
    before: Project | None
    after: Project

    def state(self, side: int) -> Project | None:
        return self.after if side else self.before


def shapes(trial: bool = False) -> list[Shape]:
    """The three plans that are killed."""
    if trial:
        return [Shape("create", None, Project("crash-trial", (_database(),)))]
    five = (
        _database(env={"VERSION": "1"}),
        Service("api", needs=("db",), env={"VERSION": "1"}),
        Service("web", needs=("api",)),
        Service("worker", needs=("db",)),
        Service("cron"))
    create = Project("crash-create", five)
    # The owner of the volume stops first; the two others can be made beside their predecessors.
    replace = Project("crash-replace", five)
    replaced = (replace.changed("db", env={"VERSION": "2"}).changed("api", env={"VERSION": "2"})
                .changed("web", image=OTHER_IMAGE))
    common = (Service("api", needs=("db",)),)
    mixed = Project("crash-mixed", (
        _database(env={"VERSION": "1"}), *common, Service("web", memory=32 * 2**20), Service("old")))
    turned = Project("crash-mixed", (
        _database(env={"VERSION": "2"}), *common, Service("web", memory=48 * 2**20), Service("extra", needs=("api",))))
    return [Shape("create", None, create), Shape("replace", replace, replaced), Shape("mixed", mixed, turned)]


@dataclass
class Tally:
    """What came of the kills of one kind."""

    identical: int = 0
    kills: int = 0
    # Why the others were not identical.
    reasons: list[str] = field(default_factory=list)

    def add(self, reason: str) -> None:
        self.kills += 1
        if reason:
            self.reasons.append(reason)
        else:
            self.identical += 1

    def figure(self) -> Figure:
        if not self.kills:
            return Figure(words="not tried")
        return Figure(Samples([self.identical / self.kills]), f"({self.identical} of {self.kills})")


class Siege:
    """One tool on one plan: a project of its own that goes to and fro, and is killed on the way."""

    def __init__(self, tool: Tool, shape: Shape, scratch: Path) -> None:
        self.tool = tool
        self.shape = shape
        self.folder = scratch / f"{tool.name}-{shape.name}"
        self.folder.mkdir()
        self.own = tool.own(shape.after)
        self.at = 0
        self.boundaries, self.moments = Tally(), Tally()
        # By where it leads.
        self.good: dict[int, Picture] = {}
        self.calls: dict[int, int] = {}
        self.seconds: dict[int, float] = {}

    def run(self, trial: bool, moments: int, sides: tuple[Side, ...]) -> Siege:
        try:
            self._undisturbed()
            ways = [1] if self.shape.before is None else [1, 0]
            every = EVERY[self.tool.name]
            boundaries = [(way, nth, side) for way in ways for nth in range(1, self.calls[way] + 1, every)
                          for side in sides]
            if len(ways) == 2:
                # There and back again: half of the boundaries on each way, so that nothing has to be set up between.
                there = [one for one in boundaries if one[0] == 1]
                boundaries = [(position % 2 ^ 1, nth, side) for position, (_, nth, side) in enumerate(there)]
            if trial:
                boundaries, moments = boundaries[2:4], 1
            for way, nth, side in boundaries:
                self._boundary(way, nth, side)
            generator = random.Random(f"{SEED} {self.shape.name}")
            for moment in range(moments):
                self._moment(generator)
        finally:
            sweep(self.own)
        return self

    def _undisturbed(self) -> None:
        """Sees how it is when nobody disturbs it, how many calls that takes, and how long."""
        sweep(self.own)
        self._set_up()
        for way in [1] if self.shape.before is None else [1, 0]:
            self._write(way)
            begin = time.monotonic()
            with Trap(self.folder) as trap:
                done = end(start(up_words(self.tool, self._project(way)), trap.path))
            self.seconds[way] = time.monotonic() - begin
            if done.code != 0:
                raise RuntimeError(f"{self.own} cannot be brought up: {done.said[-2000:]}")
            self.calls[way] = len(trap.calls)
            self.good[way] = self._picture()
            self.at = way

    def _set_up(self) -> None:
        """Comes to what is there before, from nothing."""
        sweep(self.own)
        self.at = 0
        if self.shape.before is None:
            return
        self._write(0)
        self.tool.up(self.shape.before)
        put_file(self._database(), MARKER, self.own)

    def _go_back(self, way: int) -> None:
        """Is where the way begins."""
        if self.shape.before is None:
            self._set_up()
        elif self.at == way:
            self._write(1 - way)
            self.tool.up(self._project(1 - way))
            self.at = 1 - way

    def _boundary(self, way: int, nth: int, side: Side) -> None:
        self._go_back(way)
        self._write(way)
        with Trap(self.folder, nth, side) as trap:
            process = start(up_words(self.tool, self._project(way)), trap.path)
            trap.watch(process)
            end(process)
        if trap.sprung:
            call = re.sub(r"/v[\d.]+(?=/)|\?.*", "", re.sub(r"[0-9a-f]{12,}", "ID", trap.calls[nth - 1]))
            self._judge(way, self.boundaries, f"{side.value} call {nth}, {call}")
        else:
            # It came to its end with fewer calls this time.
            self.at = way

    def _moment(self, generator: random.Random) -> None:
        while True:
            way = 1 - self.at
            if self.shape.before is None:
                way = 1
            self._go_back(way)
            self._write(way)
            moment = self.seconds[way] * generator.random()
            process = start(up_words(self.tool, self._project(way)))
            time.sleep(moment)
            kill(process)
            killed = end(process).code == -9
            if killed:
                return self._judge(way, self.moments, f"after {moment:.3f} s")
            self.at = way

    def _judge(self, way: int, tally: Tally, when: str) -> None:
        """Runs it again without disturbance, and says what is wrong then."""
        project = self._project(way)
        second = end(start(up_words(self.tool, project)))
        there = self._picture()
        wrong = [f"the next run failed: {second.error}"] if second.code else []
        wrong += there.against(self.good[way])
        if not wrong:
            third = end(start(up_words(self.tool, project)))
            if third.code:
                wrong.append(f"the third run failed: {third.error}")
            elif self._picture().lives != there.lives:
                wrong.append("the third run still had something to do")
        tally.add(kind(wrong, self.own) if wrong else "")
        self.at = way
        if wrong:
            with (self.folder / "wrong.txt").open("a") as told:
                told.write(f"{self.own} towards {way}, {when}: " + "\n    ".join(wrong) + "\n" + second.said[-1500:] + "\n")
            print(f"    {self.own}, killed {when}: {wrong[0][:300]}", flush=True)
            self._set_up()
            if way == 0:
                self._go_back(0)

    def _project(self, way: int) -> Project:
        project = self.shape.state(way)
        assert project
        return project

    def _write(self, way: int) -> None:
        self.tool.write(self._project(way))

    def _database(self) -> str:
        return self.tool.container(self.shape.after, "db")

    def _picture(self) -> Picture:
        return picture(self.own, {self._database(): MARKER})


def run(bench: Bench) -> Iterator[Line]:
    kinds = shapes(bench.trial)
    tools: list[Tool] = [bench.nself, bench.compose]
    sides = (Side.BEFORE, Side.AFTER)
    with ThreadPoolExecutor(LANES) as lanes:
        waiting = {
            (tool.name, shape.name): lanes.submit(
                Siege(tool, shape, bench.scratch).run, bench.trial, _moments(tool, position, len(kinds)), sides)
            for tool in tools for position, shape in enumerate(kinds)}
        sieges = {key: one.result() for key, one in waiting.items()}
    for shape in kinds:
        yield _line(f"the next apply reaches the identical end state, killed at every step boundary of a "
                    f"{shape.name} plan", {tool.name: [sieges[tool.name, shape.name].boundaries] for tool in tools})
    yield _line("the same, killed at random moments of the three plans", {
        tool.name: [sieges[tool.name, shape.name].moments for shape in kinds] for tool in tools})


def _moments(tool: Tool, position: int, kinds: int) -> int:
    """How many of a tool's random moments one of several plans gets."""
    return len(range(position, RANDOM_MOMENTS[tool.name], kinds))


def _line(what: str, tallies: dict[str, list[Tally]]) -> Line:
    sums = {name: Tally(sum(one.identical for one in of), sum(one.kills for one in of),
                        [reason for one in of for reason in one.reasons]) for name, of in tallies.items()}
    ours = sums["nself"]
    notes = [f"{name} is killed at every second call" for name, every in EVERY.items()
             if every == 2 and "boundary" in what]
    notes += [f"{name}: {in_words(tally.reasons)}" for name, tally in sums.items() if tally.reasons]
    met = ours.identical == ours.kills
    return Line(NUMBER, what, Unit.SHARE, {name: tally.figure() for name, tally in sums.items()},
                Budget("100 %", met, "" if met else in_words(ours.reasons)), notes)
