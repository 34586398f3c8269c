"""Row 5: services that changed, and how long each of them was away."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from . import Bench
from ..measure import Failed, Samples, in_words, interleaved, run as run_command
from ..project import Health, Project, Service, layered
from ..table import Budget, Figure, Line, Unit
from ..tools import Tool

NUMBER = 5
TITLE = "changed services, and how long they are away"

INSIDE = 8080
# Milliseconds from the start of a service until it answers.
READY_AFTER = 300
# Seconds between two health checks. Short, to the good of those who wait for them.
INTERVAL = 2
FIRST_PORT = 23000


@dataclass(frozen=True)
class Seen:
    """What one change took, and what the sampler saw meanwhile."""

    # Wall clock of the command, in seconds.
    seconds: float
    # How long each service was away that was away at all, in seconds.
    away: list[float]
    # How many were away at once, at most.
    at_once: int
    failed: int
    # Requests a second to each service, and the share of one core that asking took.
    rate: float
    load: float


def run(bench: Bench) -> Iterator[Line]:
    count, levels, interval = (2, 2, 1) if bench.trial else (25, 5, INTERVAL)
    tools = [tool for tool in bench.tools() if tool is not bench.terraform]
    stacks = [Stack(tool, stack(f"change{count}", count, levels, FIRST_PORT + 100 * number, interval))
              for number, tool in enumerate(tools)]
    absent = {name: Figure(words=why) for name, why in bench.missing.items()}
    if bench.terraform:
        absent["terraform"] = Figure(words="left out, too slow")
    try:
        ready: dict[str, Stack] = {}
        for own in stacks:
            try:
                own.up()
                ready[own.tool.name] = own
            except Failed as error:
                if own.tool is bench.nself:
                    raise
                absent[own.tool.name] = Figure(words=in_words(error))
        rounds = interleaved(bench.repetitions, {name: own.turn for name, own in ready.items()}, within=240)
        failures = {name: of.failure for name, of in rounds.items()}
        yield from lines(f"one of {count} changed", {name: [turn.one for turn in of] for name, of in rounds.items()},
                         {name: Samples([turn.unasked for turn in of]) for name, of in rounds.items()}, absent, failures)
        yield from lines(f"all {count} changed", {name: [turn.all for turn in of] for name, of in rounds.items()},
                         {}, absent, failures)
    finally:
        for own in stacks:
            bench.engine.clear(own.tool.own(own.project))


@dataclass(frozen=True)
class Turn:
    """What one turn of one contender came to."""

    one: Seen
    all: Seen
    # Seconds that changing one takes while nobody asks the services.
    unasked: float


class Stack:
    """The services of one contender. They are paused while it is somebody else's turn, so that their health checks
    take nothing from the others."""

    def __init__(self, tool: Tool, project: Project) -> None:
        self.tool = tool
        self.project = project
        self.turns = 0

    def up(self) -> None:
        self.tool.write(self.project)
        self.tool.up(self.project)
        self.docker("pause")

    def turn(self) -> Turn:
        """Changes one service, then all, then one again."""
        self.turns += 1
        every = [one.name for one in self.project.services]
        middle = every[len(every) // 2]
        self.docker("unpause")
        one = self.changed(f"one{self.turns}", middle)
        everything = self.changed(f"all{self.turns}", *every)
        self.project = answering(self.project, f"unasked{self.turns}", middle)
        self.tool.write(self.project)
        unasked = self.tool.up(self.project).seconds
        self.docker("pause")
        return Turn(one, everything, unasked)

    def changed(self, answer: str, *names: str) -> Seen:
        self.project = answering(self.project, answer, *names)
        return watched(self.tool, self.project)

    def docker(self, verb: str) -> None:
        """Pauses all containers, or lets them go on."""
        names = [self.tool.container(self.project, one.name) for one in self.project.services]
        run_command(["docker", verb, *names]).ensure()


def lines(what: str, seen: dict[str, list[Seen]], unasked: dict[str, Samples], absent: dict[str, Figure],
          failures: dict[str, str]) -> Iterator[Line]:
    def line(words: str, unit: Unit, of: Callable[[Seen], list[float]], notes: list[str] | None = None) -> Line:
        figures = {name: Figure(Samples([value for one in runs for value in of(one)], failures.get(name, "")))
                   for name, runs in seen.items()}
        return Line(NUMBER, what + words, unit, figures | absent, notes=notes or [])

    notes = [f"{name}: each service was asked {median(one.rate for one in runs):.0f} times a second, which took "
             f"{median(one.load for one in runs):.0%} of a core" for name, runs in seen.items() if runs]
    notes.append("published ports are fixed, so everybody has to stop the old container before the other one starts")
    if unasked:
        told = ", ".join(f"{name} {Unit.SECONDS.show_all(of)}" for name, of in unasked.items() if of.values)
        notes.append(f"while nobody asks: {told}")
    times = line("", Unit.SECONDS, lambda one: [one.seconds], notes)
    ratio = times.ratio("compose")
    yield replace(times, budget=Budget("≤ 0.8 × compose", ratio is None or ratio <= 0.8) if unasked else None)
    yield line(": how long a service was away", Unit.SECONDS, lambda one: one.away)
    at_once = line(": away at once", Unit.COUNT, lambda one: [float(one.at_once)])
    most = {name: max((one.at_once for one in runs), default=0) for name, runs in seen.items()}
    met = most["nself"] <= most.get("compose", most["nself"])
    yield replace(at_once, budget=Budget("never more than compose", met))
    yield line(": requests that failed", Unit.COUNT, lambda one: [float(one.failed)])


def stack(name: str, count: int, levels: int, first_port: int, interval: int) -> Project:
    """Makes services that each take a moment to answer, and are asked inside whether they do."""
    project = layered(name, count, levels, command=("serve", str(INSIDE), str(READY_AFTER)),
                      health=Health(("/service", "probe", str(INSIDE)), interval))
    return replace(project, services=tuple(
        replace(one, ports={first_port + number: INSIDE}) for number, one in enumerate(project.services)))


def answering(project: Project, answer: str, *changed: str) -> Project:
    """Lets some services answer something else."""
    return replace(project, services=tuple(
        replace(one, env={"ANSWER": answer}) if one.name in changed else one for one in project.services))


def watched(tool: Tool, project: Project) -> Seen:
    """Brings a change about while the sampler asks every service, and makes sure that it came about."""
    tool.write(project)
    ports = [port for one in project.services for port in one.ports]
    sampler = subprocess.Popen(
        [sys.executable, "-m", "bench.sampler", *map(str, ports)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, cwd=Path(__file__).parents[2])
    with sampler:
        assert sampler.stdin and sampler.stdout
        try:
            sampler.stdout.readline()
            done = tool.up(project)
            for one in project.services:
                await_answer(one)
            # One more look at each.
            time.sleep(0.1)
        except BaseException:
            sampler.kill()
            raise
        sampler.stdin.close()
        told = json.loads(sampler.stdout.read())
    spans = [span for spans in told["away"].values() for span in spans]
    return Seen(done.seconds, [sum(end - begin for begin, end in spans) for spans in told["away"].values() if spans],
                most_at_once(spans), told["failed"], told["rate"], told["load"])


def most_at_once(spans: list[list[float]]) -> int:
    """How many of the spans overlap, at most."""
    moments = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    most = now = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most


def await_answer(service: Service) -> None:
    """Waits until a service answers, and raises when it is not what it shall answer."""
    deadline = time.monotonic() + 30
    for port in service.ports:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as response:
                    answer = response.read().decode()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        if answer != service.env.get("ANSWER", "ok"):
            raise RuntimeError(f"{service.name} answers {answer}, not {service.env}")
