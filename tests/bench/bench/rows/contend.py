"""Row 8: the same project applied by several at once, and what is there when all have ended.

A round is undamaged when the project is then as one of them alone would have left it: nothing doubled, missing, left
over or half of one and half of the other, and a run afterwards has nothing to do. How each of them ended is told beside
it. Every third round nself's wait for each other (`--wait`); in the others whoever comes second says who applies, and
ends with 6.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import Bench
from ..picture import Picture, picture, put_file, sweep
from ..measure import Samples
from ..project import Health, Project, Service
from ..siege import End, end, in_words, kind, start, up_words
from ..table import Budget, Figure, Line, Unit
from ..tools import Tool

NUMBER = 8
TITLE = "concurrent applies"
ROUNDS = 10
# Projects that are fought over at once. Nothing is timed here.
LANES = 3
MARKER = "/data/marker"
# nself's, for "somebody else is applying".
LOCKED = 6


@dataclass(frozen=True)
class Scene:
    """What is done at once."""

    # For the project's name, and for people.
    slug: str
    name: str
    # How many do it.
    many: int
    # Whether the project is there before.
    is_running: bool
    # Whether each has a folder of its own with an edit of its own, instead of all the same.
    is_each_own: bool = False

    @property
    def key(self) -> str:
        return f"crash-{self.slug}{self.many}"


SCENES = (
    Scene("new", "a project that is new", 2, is_running=False),
    Scene("new", "a project that is new", 8, is_running=False),
    Scene("changed", "a running project, changed", 2, is_running=True),
    Scene("changed", "a running project, changed", 8, is_running=True),
    Scene("edits", "a running project, each with an edit of its own", 8, is_running=True, is_each_own=True),
)


@dataclass
class Tally:
    """What came of the rounds of one tool in one scene."""

    rounds: int = 0
    undamaged: int = 0
    # What was wrong afterwards, the first reason of each damaged round.
    damage: list[str] = field(default_factory=list)
    # Damaged rounds after which one more run did not come to the wanted state.
    unrepaired: int = 0
    ends: Counter[str] = field(default_factory=Counter)

    def figure(self) -> Figure:
        return Figure(Samples([self.undamaged / self.rounds]), f"({self.undamaged} of {self.rounds} rounds)")

    def words(self) -> str:
        said = f"{sum(self.ends.values())} runs: {in_words(self.ends.elements())}"
        if self.damage:
            said += f". Damage: {in_words(self.damage)}"
            said += f"; {self.unrepaired} of {len(self.damage)} still there after one more run" if self.unrepaired \
                else "; gone after one more run"
        return said


class Contest:
    """One tool in one scene, round after round."""

    def __init__(self, tool: Tool, scene: Scene, scratch: Path) -> None:
        self.tool = tool
        self.scene = scene
        self.project = _project(scene.key, "0")
        self.own = tool.own(self.project)
        self.database = tool.container(self.project, "db")
        self.scratch = scratch / f"contend-{tool.name}-{scene.key}"
        self.tally = Tally()
        # What an edit leads to, and the folder that says it.
        self.good: dict[str, Picture] = {}
        self.folders: dict[str, Path] = {}

    def run(self, rounds: int) -> Contest:
        try:
            self._undisturbed()
            for number in range(rounds):
                self._round(number)
        finally:
            sweep(self.own)
        return self

    def _undisturbed(self) -> None:
        """Makes the folders, and sees what each leads to when nobody else is there."""
        count = self.scene.many if self.scene.is_each_own else 2
        edits = [str(number) for number in range(count)] if self.scene.is_running else ["0"]
        sweep(self.own)
        self.tool.write(self.project)
        self.tool.up(self.project)
        if self.scene.is_running:
            put_file(self.database, MARKER, self.own)
        else:
            sweep(self.own)
        for edit in reversed(edits):
            self.tool.write(_project(self.scene.key, edit))
            # With what the tool keeps beside the file, as a copy of the whole folder has it.
            self.folders[edit] = self.scratch / edit
            shutil.copytree(self.tool.folder(self.project), self.folders[edit])
            self._alone(edit)
            self.good[edit] = self._picture()

    def _alone(self, edit: str) -> End:
        return end(start(up_words(self.tool, self.project, self.folders[edit])))

    def _round(self, number: int) -> None:
        if not self.scene.is_running:
            sweep(self.own)
            edits = ["0"] * self.scene.many
        elif self.scene.is_each_own:
            edits = list(self.folders)
        else:
            edits = [str((number + 1) % 2)] * self.scene.many
        wait = ["--wait", "2m"] if self.tool.name == "nself" and number % 3 == 2 else []
        started = [start([*up_words(self.tool, self.project, self.folders[edit]), *wait]) for edit in edits]
        with ThreadPoolExecutor(len(started)) as waiting:
            ends = list(waiting.map(end, started))
        self.tally.ends.update(_said(one) for one in ends)
        self.tally.rounds += 1
        wrong, edit = self._judge(set(edits))
        if not wrong:
            self.tally.undamaged += 1
            return
        self.tally.damage.append(kind(wrong, self.own))
        print(f"    {self.own}, round {number}: {'; '.join(wrong)[:300]}", flush=True)
        if self._alone(edit).code or self._judge({edit})[0]:
            self.tally.unrepaired += 1
            sweep(self.own)
        if self.scene.is_running:
            # The next round begins from what is whole, with its data.
            self._alone(edit)
            put_file(self.database, MARKER, self.own)

    def _judge(self, edits: set[str]) -> tuple[list[str], str]:
        """Says what is wrong, and which edit what is there comes nearest to."""
        there = self._picture()
        candidates = [(there.against(self.good[edit]), edit) for edit in sorted(edits)]
        wrong, edit = min(candidates, key=lambda one: len(one[0]))
        if not wrong:
            afterwards = self._alone(edit)
            if afterwards.code:
                wrong = [f"the next run failed: {afterwards.error}"]
            elif self._picture().lives != there.lives:
                wrong = ["the next run still had something to do"]
        return wrong, edit

    def _picture(self) -> Picture:
        return picture(self.own, {self.database: MARKER})


def _project(key: str, edit: str) -> Project:
    env = {"EDIT": edit}
    return Project(key, (
        Service("db", command=("serve", "8000", "100"), health=Health(("/service", "probe", "8000"), 1),
                volumes={"data": "/data"}, env=env),
        Service("api", needs=("db",), env=env),
        Service("web", needs=("api",), env=env)))


def _said(one: End) -> str:
    match one.code:
        case 0:
            return "ended well"
        case code if code == LOCKED and "is being applied by" in one.said:
            return "said who applies"
        case _:
            return f"failed ({_kind(one.error)})"


def _kind(error: str) -> str:
    """What an error is about, without whom it hit."""
    error = re.sub(r'"[^"]*"|\S*crash-\S*', "…", error)
    return error[:110]


def run(bench: Bench) -> Iterator[Line]:
    tools: list[Tool] = [bench.nself, bench.compose]
    scenes = (replace(SCENES[0], slug="trial"),) if bench.trial else SCENES
    rounds = 1 if bench.trial else ROUNDS
    with ThreadPoolExecutor(LANES) as lanes:
        # The longest first.
        waiting = {(tool.name, scene.key): lanes.submit(Contest(tool, scene, bench.scratch).run, rounds)
                   for scene in reversed(scenes) for tool in tools}
        tallies = {key: one.result().tally for key, one in waiting.items()}
    for scene in scenes:
        of = {tool.name: tallies[tool.name, scene.key] for tool in tools}
        ours = of["nself"]
        met = ours.undamaged == ours.rounds
        yield Line(NUMBER, f"undamaged after {scene.many} applies at once of {scene.name}", Unit.SHARE,
                   {name: tally.figure() for name, tally in of.items()},
                   Budget("100 %", met, "" if met else ours.words()),
                   [f"{name}: {tally.words()}" for name, tally in of.items()])
