"""The engine's own floor: the calls that have to be made, by a client that does nothing else.

It reads off what nself made, so that it asks the engine for the same containers, and it looks at nothing, waits for
nothing and writes nothing down. How many calls at once the engine takes best differs between machines, so that is
tried in the run.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..engine import Engine, each
from ..measure import Ran
from ..project import Project
from ..table import Unit

# How many calls at once are tried.
WORKERS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Recipe:
    """What to ask the engine for."""

    project: str
    network: dict[str, Any]
    # The body that makes each service's container.
    bodies: dict[str, dict[str, Any]]
    # What each needs to be started before it.
    needs: dict[str, tuple[str, ...]]

    def named(self, project: str) -> Recipe:
        """The same for a project of another name."""
        bodies = {
            service: {**body, "HostConfig": {**body["HostConfig"], "NetworkMode": project},
                      "NetworkingConfig": {"EndpointsConfig": {project: {"Aliases": [service]}}}}
            for service, body in self.bodies.items()}
        return Recipe(project, {**self.network, "Name": project}, bodies, self.needs)


@dataclass
class _Work:
    """What can be done now, and what waits. All under one lock."""

    recipe: Recipe
    ready: deque[tuple[str, str]] = field(default_factory=deque)
    created: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)
    failure: BaseException | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self) -> tuple[str, str] | None:
        """The next call, as soon as there is one; `None` when all are made."""
        with self.changed:
            while not self.ready and not self.over():
                self.changed.wait()
            return None if self.over() else self.ready.popleft()

    def over(self) -> bool:
        return self.failure is not None or len(self.started) == len(self.recipe.bodies)

    def done(self, verb: str, service: str) -> None:
        with self.changed:
            (self.created if verb == "create" else self.started).add(service)
            touched = [service] if verb == "create" else [
                one for one, needs in self.recipe.needs.items() if service in needs]
            # Starts go first: others wait for them.
            self.ready.extendleft(("start", one) for one in touched if one in self.created and self.released(one))
            self.changed.notify_all()

    def released(self, service: str) -> bool:
        return all(need in self.started for need in self.recipe.needs[service])

    def failed(self, error: BaseException) -> None:
        with self.changed:
            self.failure = error
            self.changed.notify_all()


class Floor:
    """A bare client that makes what nself made."""

    name = "floor"

    def __init__(self, engine: Engine, workers: tuple[int, ...] = WORKERS) -> None:
        self.engine = engine
        self.workers = workers

    def own(self, project: Project) -> str:
        """The project's name on the engine."""
        return f"{project.name}-{self.name}"

    def recipe(self, project: Project, made_by_nself: str) -> Recipe:
        """Reads off the containers of a project of nself what they were made with."""
        own = self.own(project)
        bodies = {}
        for service in project.services:
            seen = self.engine.get(f"/containers/{made_by_nself}-{service.name}/json")
            config = {key: value for key, value in seen["Config"].items() if key != "Hostname"}
            # Labels as large as nself's, that make nobody take these for nself's.
            config["Labels"] = {key.replace("nself", "floor"): value for key, value in (config["Labels"] or {}).items()}
            bodies[service.name] = {**config, "HostConfig": seen["HostConfig"]}
        network = self.engine.get(f"/networks/{made_by_nself}")
        network = {"Name": own, "CheckDuplicate": True,
                   **{key: network[key] for key in ("Driver", "Internal", "Options")}}
        return Recipe(own, network, bodies, {one.name: one.needs for one in project.services}).named(own)

    def up(self, recipe: Recipe, workers: int) -> Ran:
        """Makes and starts everything with so many calls at once."""
        work = _Work(recipe)
        work.ready.extend(("create", service) for service in recipe.bodies)
        begin = time.monotonic()
        self.engine.do("POST", "/networks/create", recipe.network)
        threads = [threading.Thread(target=self._labour, args=(work,)) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if work.failure is not None:
            raise work.failure
        return _ran(begin)

    def _labour(self, work: _Work) -> None:
        project = work.recipe.project
        try:
            while call := work.take():
                verb, service = call
                if verb == "create":
                    self.engine.do("POST", f"/containers/create?name={project}-{service}", work.recipe.bodies[service])
                else:
                    self.engine.do("POST", f"/containers/{project}-{service}/start")
                work.done(verb, service)
        except BaseException as error:  # pylint: disable=broad-except
            work.failed(error)

    def best(self, tries: Callable[[int], Ran]) -> tuple[int, str]:
        """How many calls at once are fastest, and what was tried, in words."""
        took = {workers: tries(workers).seconds for workers in self.workers}
        told = ", ".join(f"{workers}: {Unit.SECONDS.show(seconds)}" for workers, seconds in took.items())
        workers = min(took, key=lambda one: took[one])
        return workers, f"the floor makes {workers} calls at once, the best of those tried ({told})"

    def look(self, project: str, workers: int) -> Ran:
        """Lists the containers of a project and inspects each, its network and its images: what a plan has to read.

        The answers are not even decoded.
        """
        begin = time.monotonic()
        listed = self.engine.containers(project)
        paths = [f"/containers/{one['Id']}/json" for one in listed]
        paths += [f"/images/{image}/json" for image in {one["ImageID"] for one in listed}] + [f"/networks/{project}"]
        each(workers, [paths[number::workers] for number in range(workers)],
             lambda own: [self.engine.do("GET", path) for path in own])
        return _ran(begin)


def _ran(begin: float) -> Ran:
    """What has just ended, which is no process of its own."""
    return Ran(("floor",), time.monotonic() - begin, 0, 0, 0, "", "")
