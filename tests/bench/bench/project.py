"""What is to run, in nobody's words. Each tool writes it down in its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

# The benchmark's own image: one static program, see tests/bench/service.
SERVICE_IMAGE = "nself-bench/service:1"
# The same program under another tag and with another id.
OTHER_IMAGE = "nself-bench/service:2"
# A real service, see tests/bench/redis.
REDIS_IMAGE = "nself-bench/redis:7"


@dataclass(frozen=True)
class Health:
    """A health check that runs inside the container."""

    command: tuple[str, ...]
    # Seconds between two checks.
    interval: int


@dataclass(frozen=True)
class Service:
    """One container."""

    name: str
    image: str = SERVICE_IMAGE
    # Arguments to the image's entrypoint.
    command: tuple[str, ...] = ("sleep",)
    env: dict[str, str] = field(default_factory=dict)
    # Names of services that are started before this one, and are healthy before where they have a health check.
    needs: tuple[str, ...] = ()
    health: Health | None = None
    # Port on 127.0.0.1 -> port inside.
    ports: dict[int, int] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    # Name of a volume of the project -> path inside.
    volumes: dict[str, str] = field(default_factory=dict)
    # Bytes.
    memory: int | None = None
    cpus: float | None = None
    # Processes and threads.
    pids: int | None = None
    restart: str | None = None
    # Whether it runs to its end, once, instead of for ever.
    job: bool = False
    # Path on the host -> path inside, read-only.
    binds: dict[str, str] = field(default_factory=dict)
    # Path inside -> mount options.
    tmpfs: dict[str, str] = field(default_factory=dict)
    # Whether a small init is its first process.
    init: bool = False
    cap_drop: tuple[str, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)
    # Options of the log driver, which is json-file.
    log_options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Project:
    """Services on one network of their own."""

    name: str
    services: tuple[Service, ...]

    def changed(self, name: str, **fields: object) -> Project:
        """Returns the project with one service changed."""
        return replace(self, services=tuple(
            replace(one, **fields) if one.name == name else one for one in self.services))  # type: ignore[arg-type]

    def levels(self) -> list[list[Service]]:
        """The services by the length of the longest way to one that needs nothing."""
        by_name = {one.name: one for one in self.services}

        def depth(service: Service) -> int:
            return max((1 + depth(by_name[need]) for need in service.needs), default=0)

        levels: dict[int, list[Service]] = {}
        for service in self.services:
            levels.setdefault(depth(service), []).append(service)
        return [levels[level] for level in sorted(levels)]


def layered(name: str, count: int, depth: int, **fields: object) -> Project:
    """Makes `count` services in `depth` levels; each needs two of the level above, if there are so many."""
    services: list[Service] = []
    above: list[str] = []
    for level in range(depth):
        here = [f"s{level}x{number}" for number in range(count // depth + (level < count % depth))]
        for number, own in enumerate(here):
            needs = tuple(dict.fromkeys(above[(number + step) % len(above)] for step in range(2))) if above else ()
            services.append(Service(own, needs=needs, **fields))  # type: ignore[arg-type]
        above = here
    return Project(name, tuple(services))
