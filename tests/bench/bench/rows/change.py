"""Row 5: services that changed, and how long each of them was away."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from . import Bench
from .chain import contending, repeated
from ..measure import Samples, run as run_command
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
    count, levels = (3, 2) if bench.trial else (25, 5)
    tools = contending(bench)
    plain: dict[str, Samples] = {tool.name: Samples() for tool in tools}
    seen: dict[tuple[str, str], list[Seen]] = {}
    with ExitStack() as after:
        stacks = {tool.name: stack(f"change{count}", count, levels, FIRST_PORT + 100 * number)
                  for number, tool in enumerate(tools)}
        for tool in tools:
            project = stacks[tool.name]
            tool.write(project)
            after.callback(take_away, tool, project)
            tool.up(project)
            pause(tool, project)
        for turn in range(bench.repetitions):
            for tool in tools[turn % len(tools):] + tools[:turn % len(tools)]:
                project = stacks[tool.name]
                unpause(tool, project)
                one = project.services[count // 2].name
                project = answering(project, f"one{turn}", one)
                seen.setdefault((tool.name, "one"), []).append(watched(tool, project, [one]))
                project = answering(project, f"all{turn}", *names(project))
                seen.setdefault((tool.name, "all"), []).append(watched(tool, project, names(project)))
                project = answering(project, f"plain{turn}", one)
                tool.write(project)
                plain[tool.name].add(tool.up(project).seconds)
                stacks[tool.name] = project
                pause(tool, project)
    yield from lines(f"one of {count} changed", "one", seen, plain)
    yield from lines(f"all {count} changed", "all", seen, None)


def lines(what: str, which: str, seen: dict[tuple[str, str], list[Seen]], plain: dict[str, Samples] | None
          ) -> Iterator[Line]:
    of = {tool: runs for (tool, kind), runs in seen.items() if kind == which}
    notes = [f"{tool}: each service asked {min(one.rate for one in runs):.0f} times a second or more, which took "
             f"{max(one.load for one in runs):.0%} of a core" for tool, runs in of.items()]
    notes.append("published ports are fixed, so that whoever replaces a container has to stop the old one first")
    times = Line(NUMBER, what, Unit.SECONDS,
                 {tool: Figure(Samples([one.seconds for one in runs])) for tool, runs in of.items()}, notes=notes)
    if plain is None:
        yield times
    else:
        unasked = ", ".join(f"{tool} {of.median * 1000:.0f} ms" for tool, of in plain.items())
        ratio = times.ratio("compose") or 0
        yield replace(times, budget=Budget("≤ 0.8 × compose", ratio <= 0.8),
                      notes=[*notes, f"without anybody asking: {unasked}"])
    yield Line(NUMBER, f"{what}: how long a service was away", Unit.SECONDS, {
        tool: Figure(Samples([value for one in runs for value in one.away] or [0.0])) for tool, runs in of.items()})
    at_once = Line(NUMBER, f"{what}: away at once, at most", Unit.COUNT, {
        tool: Figure(Samples([float(one.at_once) for one in runs])) for tool, runs in of.items()})
    most = {tool: figure.samples.spread[1] for tool, figure in at_once.figures.items() if figure.samples}
    yield replace(at_once, budget=Budget("never more than compose", most["nself"] <= most["compose"]))
    yield Line(NUMBER, f"{what}: requests that failed", Unit.COUNT, {
        tool: Figure(Samples([float(one.failed) for one in runs])) for tool, runs in of.items()})


def stack(name: str, count: int, levels: int, first_port: int) -> Project:
    """Makes services that each take a moment to answer, and are asked inside whether they do."""
    project = layered(name, count, levels, command=("serve", str(INSIDE), str(READY_AFTER)),
                      health=Health(("/service", "probe", str(INSIDE)), INTERVAL))
    return replace(project, services=tuple(
        replace(one, ports={first_port + number: INSIDE}) for number, one in enumerate(project.services)))


def names(project: Project) -> list[str]:
    return [one.name for one in project.services]


def answering(project: Project, answer: str, *changed: str) -> Project:
    """Lets some services answer something else."""
    return replace(project, services=tuple(
        replace(one, env={"ANSWER": answer}) if one.name in changed else one for one in project.services))


def watched(tool: Tool, project: Project, changed: list[str]) -> Seen:
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


def pause(tool: Tool, project: Project) -> None:
    """Halts whoever's turn it is not, so that its health checks take nothing from whose it is."""
    run_command(["docker", "pause", *(tool.container(project, one.name) for one in project.services)]).ensure()


def take_away(tool: Tool, project: Project) -> None:
    # Where a turn failed half-way some of them are not paused, or not there.
    with suppress(RuntimeError):
        unpause(tool, project)
    repeated(lambda: tool.down(project))


def unpause(tool: Tool, project: Project) -> None:
    run_command(["docker", "unpause", *(tool.container(project, one.name) for one in project.services)]).ensure()
