"""Row 4: a chain of services, each of which needs the one before it healthy."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from . import Bench
from ..measure import Samples, interleaved
from ..project import Health, Project, Service
from ..table import Budget, Figure, Line, Unit
from ..tools import Tool

NUMBER = 4
TITLE = "health-gated chain of Redis servers"

REDIS_IMAGE = "nself-bench/redis:7"
REDIS = ("redis-server", "--protected-mode", "no", "--appendonly", "yes")
# Chains that come up at the same time: a contender that waits for ticks of the engine's health check does nothing
# nearly all the time.
LANES = 3
# Seconds a level may take over the service's own start.
BUDGET = 0.3
FLOOR = "own start"


def run(bench: Bench) -> Iterator[Line]:
    lanes = 1 if bench.trial else LANES
    for count in [2] if bench.trial else [4, 10]:
        chains = [chain(f"chain{count}{lane}", count, 1 if bench.trial else 5) for lane in "abc"[:lanes]]
        contenders: dict[str, Callable[[], list[float]]] = {
            tool.name: lambda tool=tool: abreast(chains, lambda one, tool=tool: timed(tool, one))  # type: ignore[misc]
            for tool in contending(bench)}
        contenders[FLOOR] = lambda: abreast(chains, own_start)
        rounds = interleaved(-(-bench.repetitions // lanes), contenders)
        times = {name: Samples([value for values in of for value in values]) for name, of in rounds.items()}
        note = f"{lanes} chains at once, for every contender alike" if lanes > 1 else ""
        yield Line(NUMBER, f"chain of {count}, to all healthy", Unit.SECONDS,
                   {name: Figure(of) for name, of in times.items()}, notes=[note] if note else [])
        # Of one round each with its own floor, so that what the machine did meanwhile falls out.
        own = [value for values in rounds[FLOOR] for value in values]
        over = {name: Samples([(value - floor) / count for value, floor in zip(of.values, own, strict=True)])
                for name, of in times.items() if name != FLOOR}
        met = over["nself"].median <= BUDGET
        why = "" if met else "asking inside a container costs the engine a process in it, and the machine was full"
        yield Line(NUMBER, f"a level of it, over the service's own start, chain of {count}", Unit.SECONDS,
                   {name: Figure(of) for name, of in over.items()},
                   Budget("≤ 300 ms a level over the service's own start", met, why),
                   ["own start: created, started and answering PING, by a bare client on its own connection"])


def contending(bench: Bench) -> list[Tool]:
    """Those who can wait for health, by what they are told of it: Terraform's provider too, where it is there."""
    terraform: Tool | None = getattr(bench, "terraform", None)
    return [bench.nself, bench.compose, *([terraform] if terraform else [])]


def chain(name: str, count: int, interval: int) -> Project:
    """Makes a chain in which each but the first needs the one before it."""
    health = Health(("redis-cli", "ping"), interval)
    return Project(name, tuple(
        Service(f"r{number}", REDIS_IMAGE, REDIS, needs=(f"r{number - 1}",) if number else (), health=health)
        for number in range(count)))


def abreast(chains: list[Project], measure: Callable[[Project], float]) -> list[float]:
    """Lets all the chains come up at the same time, and returns how long each took."""
    with ThreadPoolExecutor(len(chains)) as pool:
        return list(pool.map(measure, chains))


def timed(tool: Tool, project: Project) -> float:
    tool.write(project)
    with ExitStack() as after:
        after.callback(repeated, lambda: tool.down(project))
        return tool.up(project).seconds


def repeated(down: Callable[[], object]) -> None:
    """Takes down what was brought up; the engine may refuse a network for a moment after its containers went."""
    for attempt in range(5):
        try:
            down()
            return
        except RuntimeError:
            if attempt == 4:
                raise
            time.sleep(0.5)


def own_start(project: Project) -> float:
    """Brings the chain up with nothing but the calls it takes, and the sight of each answer the moment it comes."""
    name = f"{project.name}-floor"
    with ExitStack() as after:
        begin = time.monotonic()
        network = ask("POST", "/networks/create", {"Name": name, "CheckDuplicate": True})["Id"]
        after.callback(repeated, lambda: ask("DELETE", f"/networks/{network}"))
        for service in project.services:
            container = ask("POST", f"/containers/create?name={name}-{service.name}", {
                "Image": service.image, "Cmd": service.command, "HostConfig": {"NetworkMode": name},
                "Healthcheck": {"Test": ["CMD", *service.health.command], "Interval": service.health.interval * 10**9}
                if service.health else None})["Id"]
            after.callback(ask, "DELETE", f"/containers/{container}?force=1&v=1")
            ask("POST", f"/containers/{container}/start")
            await_pong(ask("GET", f"/containers/{container}/json")["NetworkSettings"]["Networks"][name]["IPAddress"])
        return time.monotonic() - begin


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


class Engine(http.client.HTTPConnection):
    """A connection to the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/run/docker.sock")


def ask(method: str, path: str, body: object = None) -> dict[str, Any]:
    """Makes one call of the engine, and raises what it refuses."""
    connection = Engine("localhost")
    with ExitStack() as after:
        after.callback(connection.close)
        text = None if body is None else json.dumps(body)
        connection.request(method, f"/v1.41{path}", text, {"Content-Type": "application/json"} if text else {})
        response = connection.getresponse()
        told = response.read()
    if response.status >= 400:
        raise RuntimeError(f"{method} {path}: {response.status} {told.decode(errors='replace')}")
    answer: dict[str, Any] = json.loads(told) if told else {}
    return answer
