"""What is on the engine of a project, whoever made it, as pictures that can be compared."""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from .engine import Engine

ENGINE = Engine()
# Long enough for whatever an engine needs a moment for.
PATIENCE = 120.0


class Refused(Exception):
    """The engine did not do it."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(f"{status}: {told}")
        self.status = status


def call(method: str, path: str, body: bytes | None = None, /, **query: str) -> bytes:
    """Makes one call and returns the answer's body. Raises `Refused` where the status says so."""
    status, told = ENGINE.ask(method, f"{path}?{urlencode(query)}" if query else path, body)
    if status >= 400:
        raise Refused(status, told.decode(errors="replace").strip())
    return told


def ask(path: str, /, **query: str) -> Any:
    return json.loads(call("GET", path, **query))


def put_file(container: str, path: str, text: str) -> None:
    """Writes a file inside a container, whether or not it runs."""
    folder, name = path.rsplit("/", 1)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    call("PUT", f"/containers/{container}/archive", packed.getvalue(), path=folder or "/")


def read_file(container: str, path: str) -> str | None:
    """Reads a file inside a container; nothing where there is none."""
    try:
        packed = call("GET", f"/containers/{container}/archive", path=path)
    except Refused as refused:
        if refused.status == 404:
            return None
        raise
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        entry = tar.extractfile(tar.getmembers()[0])
        return entry.read().decode() if entry else None


@dataclass(frozen=True)
class Found:
    """The ids of everything on the engine that is of a project, by label or by name."""

    containers: list[str]
    networks: list[str]
    volumes: list[str]


def found(project: str) -> Found:
    def of(path: str, key: str, name_key: str, items: Any) -> list[str]:
        ids = []
        for one in items:
            labels = one.get("Labels") or {}
            names = one["Names"] if name_key == "Names" else [one[name_key]]
            if project in (labels.get("dev.nself.project"), labels.get("com.docker.compose.project")) or any(
                    re.search(rf"(^|[/_]){re.escape(project)}([-._]|$)", name) for name in names):
                ids.append(str(one[key]))
        return ids

    return Found(
        of("containers", "Id", "Names", ask("/containers/json", all="1")),
        of("networks", "Id", "Name", ask("/networks")),
        of("volumes", "Name", "Name", ask("/volumes")["Volumes"] or []))


def _delete(path: str) -> str:
    """Removes something, and returns why it could not."""
    try:
        call("DELETE", path)
    except Refused as refused:
        return str(refused)
    return ""


def sweep(project: str) -> None:
    """Takes away everything of a project, data too, whoever made it."""
    begin = time.monotonic()
    while True:
        there = found(project)
        if not (there.containers or there.networks or there.volumes):
            return
        with ThreadPoolExecutor(8) as waiting:
            told = [*waiting.map(_delete, [f"/containers/{one}?force=1&v=1" for one in there.containers])]
        told += [_delete(f"/networks/{one}") for one in there.networks]
        told += [_delete(f"/volumes/{quote(one)}") for one in there.volumes]
        if time.monotonic() - begin > PATIENCE:
            raise RuntimeError(f"{project} cannot be taken away: {' '.join(told)}")


@dataclass(frozen=True)
class Picture:
    """What counts of a project on the engine."""

    # `container NAME`, `network NAME`, `volume NAME` and so on -> what it is like, by path. What differs from one
    # undisturbed run to the next is not in it: ids, times, addresses.
    objects: dict[str, dict[str, str]]
    # The same names -> what tells one life of it from another.
    lives: dict[str, str] = field(default_factory=dict)

    def against(self, good: Picture) -> list[str]:
        """Says in words what is wrong with it, when `good` is right."""
        wrong = [f"missing: {name}" for name in good.objects if name not in self.objects]
        wrong += [f"left over: {name}" for name in self.objects if name not in good.objects]
        for name in self.objects.keys() & good.objects.keys():
            here, there = self.objects[name], good.objects[name]
            wrong += [f"{name}: {path} is {here.get(path)}, not {there.get(path)}"
                      for path in sorted(here.keys() | there.keys()) if here.get(path) != there.get(path)]
        return wrong


def picture(project: str, markers: dict[str, str] | None = None) -> Picture:
    """Looks at everything of a project. `markers`: name of a container -> a file in it whose content counts."""
    there = found(project)
    objects: dict[str, dict[str, str]] = {}
    lives: dict[str, str] = {}

    def put(name: str, facts: dict[str, str], life: str) -> None:
        # Two of one name are two things.
        key = next(key for key in [name, *(f"{name} ({number})" for number in range(2, 99))] if key not in objects)
        objects[key], lives[key] = facts, life

    network_names = {}
    for one in there.networks:
        seen = ask(f"/networks/{one}")
        network_names[seen["Id"]] = seen["Name"]
        attached = sorted(each["Name"] for each in seen["Containers"].values())
        facts = {key: _text(seen[key]) for key in ("Driver", "Internal", "Attachable", "EnableIPv6", "Options", "Labels")}
        put(f"network {seen['Name']}", {**facts, "attached": _text(attached)}, seen["Id"])
    for one in there.containers:
        seen = _settled(one)
        name = seen["Name"].lstrip("/")
        facts = _container(seen, network_names)
        if markers and name in markers:
            facts["data"] = read_file(one, markers[name]) or "none"
        put(f"container {name}", facts, f"{seen['Id']} {seen['State']['StartedAt']}")
    for one in there.volumes:
        seen = ask(f"/volumes/{quote(one)}")
        labels = dict(seen["Labels"] or {})
        # nself's record of what it did is replaced whole, under another name each time.
        kept = json.loads(labels.pop("dev.nself.record", "null"))
        if kept:
            # Which apply it was, and when.
            kept = {key: value for key, value in kept.items() if key not in ("generation", "at")}
        name = "record" if kept else f"volume {seen['Name']}"
        put(name, {"Driver": seen["Driver"], "Options": _text(seen["Options"] or {}), "Labels": _text(labels),
                   "record": _text(kept)}, f"{seen['Name']} {seen['CreatedAt']}")
    return Picture(objects, lives)


def _settled(container: str) -> Any:
    """Inspects a container, when its health check has come to a result."""
    begin = time.monotonic()
    while True:
        seen = ask(f"/containers/{container}/json")
        is_open = seen["State"].get("Health", {}).get("Status") == "starting" and seen["State"]["Running"]
        if not is_open or time.monotonic() - begin > PATIENCE:
            return seen
        time.sleep(0.05)


# Set anew each time a container is made, and of no consequence: whose place it took.
PASSING_LABELS = ("com.docker.compose.replace",)


def _container(seen: dict[str, Any], network_names: dict[str, str]) -> dict[str, str]:
    short = seen["Id"][:12]
    config = dict(seen["Config"])
    if config.get("Hostname") == short:
        del config["Hostname"]
    config["Labels"] = {key: value for key, value in (config["Labels"] or {}).items() if key not in PASSING_LABELS}
    config["Env"] = sorted(config["Env"] or [])
    facts = {f"Config.{key}": _text(value) for key, value in config.items()}
    facts |= {f"HostConfig.{key}": _text(value) for key, value in seen["HostConfig"].items()}
    facts["Image"] = seen["Image"]
    facts["Mounts"] = _text(sorted(seen["Mounts"], key=_text))
    state = seen["State"]
    facts["State"] = state["Status"]
    facts["Health"] = state.get("Health", {}).get("Status", "none")
    for name, endpoint in seen["NetworkSettings"]["Networks"].items():
        aliases = sorted({alias for alias in endpoint["Aliases"] or [] if alias != short})
        facts[f"Networks.{name}.aliases"] = _text(aliases)
        # That of the project's networks which has this name, and not one that is gone.
        facts[f"Networks.{name}.is"] = network_names.get(endpoint["NetworkID"], "another network")
    return facts


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
