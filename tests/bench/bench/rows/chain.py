"""Row 4: a chain of services, each of which needs the one before it healthy."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from . import Bench
from ..engine import Engine
from ..measure import Samples, Turns, interleaved
from ..project import REDIS_IMAGE, Health, Project, Service
from ..table import Budget, Figure, Line, Unit
from ..tools import Tool

NUMBER = 4
TITLE = "chain of Redis servers, each of which waits until the one before it is healthy"

REDIS = ("redis-server", "--protected-mode", "no", "--appendonly", "yes")
# Seconds between two health checks.
INTERVAL = 5
# Chains that come up at the same time, by their length: whoever waits for the engine's health check does nothing nearly
# all the time.
LANES = {2: 1, 4: 3, 10: 5}
# Seconds a level may take over the service's own start.
BUDGET = 0.3
FLOOR = "own start"


def run(bench: Bench) -> Iterator[Line]:
    for count in [2] if bench.trial else [4, 10]:
        lanes = LANES[count]
        chains = [chain(f"chain{count}{lane}", count, 1 if bench.trial else INTERVAL) for lane in "abcde"[:lanes]]
        tools = [tool for tool in bench.tools() if tool is not bench.terraform]
        turns: dict[str, Callable[[], list[float]]] = {
            tool.name: lambda tool=tool: abreast(  # type: ignore[misc]
                chains, lambda one, tool=tool: cold_up(bench, tool, one))  # type: ignore[misc]
            for tool in tools}
        turns[FLOOR] = lambda: abreast(chains, lambda one: own_start(bench.engine, one))
        rounds = interleaved(-(-bench.repetitions // lanes), turns)
        absent = {name: Figure(words=why) for name, why in bench.missing.items()}
        if bench.terraform:
            absent["terraform"] = Figure(words="left out: it waits for the same ticks")
        yield from lines(count, lanes, rounds, absent)


def lines(count: int, lanes: int, rounds: dict[str, Turns[list[float]]], absent: dict[str, Figure]) -> Iterator[Line]:
    times = {name: Figure(Samples([value for values in of for value in values], of.failure))
             for name, of in rounds.items()}
    together = [f"{lanes} chains come up at the same time, for everybody alike"] if lanes > 1 else []
    yield Line(NUMBER, f"chain of {count}", Unit.SECONDS, times | absent, notes=together)
    # Each round against its own floor, so that what the machine did meanwhile hits both.
    over = {name: Samples([(value - own) / count for values, floors in zip(of, rounds[FLOOR])
                           for value, own in zip(values, floors)], of.failure)
            for name, of in rounds.items() if name != FLOOR}
    met = over["nself"].median <= BUDGET
    yield Line(NUMBER, f"chain of {count}: a level, over the service's own start", Unit.SECONDS,
               {name: Figure(of) for name, of in over.items()} | absent,
               Budget(f"≤ {BUDGET * 1000:.0f} ms", met, "" if met or lanes == 1 else
                      f"{lanes} chains at a time share the processors, and each question is a process in a container"),
               ["own start: a bare client makes and starts one server after the other, each as soon as the one before "
                "answers PING, and sees that without a process in the container; whoever makes containers ahead of "
                "their turn can be below it"], headline=True)


def chain(name: str, count: int, interval: int) -> Project:
    """Makes a chain in which each but the first needs the one before it."""
    health = Health(("redis-cli", "ping"), interval)
    return Project(name, tuple(
        Service(f"r{number}", REDIS_IMAGE, REDIS, needs=(f"r{number - 1}",) if number else (), health=health)
        for number in range(count)))


def clear(engine: Engine, own: str) -> None:
    """Takes away what is left of a chain. An engine that lost count of a network's containers keeps the empty network,
    in which the next chain comes up as well."""
    with suppress(RuntimeError):
        engine.clear(own)


def abreast(chains: list[Project], measure: Callable[[Project], float]) -> list[float]:
    """Lets all the chains come up at the same time, and returns how long each took."""
    with ThreadPoolExecutor(len(chains)) as pool:
        return list(pool.map(measure, chains))


def cold_up(bench: Bench, tool: Tool, project: Project) -> float:
    """Brings a chain up where nothing of it is, neither on the engine nor in its folder, and takes it away again."""
    folder = tool.folder(project)
    shutil.rmtree(folder / ".nself", ignore_errors=True)
    for state in folder.glob("terraform.tfstate*"):
        state.unlink()
    clear(bench.engine, tool.own(project))
    tool.write(project)
    try:
        return tool.up(project).seconds
    finally:
        clear(bench.engine, tool.own(project))


def own_start(engine: Engine, project: Project) -> float:
    """Brings a chain up with nothing but the calls it takes, and the sight of each answer the moment it comes."""
    own = f"{project.name}-floor"
    clear(engine, own)
    try:
        begin = time.monotonic()
        # It may be there, see `clear`.
        engine.do("POST", "/networks/create", {"Name": own, "CheckDuplicate": True}, fine=[409])
        for service in project.services:
            container = f"{own}-{service.name}"
            engine.do("POST", f"/containers/create?name={container}", {
                "Image": service.image, "Cmd": service.command, "HostConfig": {"NetworkMode": own}})
            engine.do("POST", f"/containers/{container}/start")
            seen = engine.get(f"/containers/{container}/json")
            await_pong(seen["NetworkSettings"]["Networks"][own]["IPAddress"])
        return time.monotonic() - begin
    finally:
        clear(engine, own)


def await_pong(host: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((host, 6379), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(16).startswith(b"+PONG"):
                    return
        except OSError:
            pass
        time.sleep(0.002)
    raise RuntimeError(f"no Redis answers at {host}")
