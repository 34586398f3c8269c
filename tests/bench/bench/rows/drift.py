"""Row 6: what each tool finds of what somebody did behind its back, what it puts right, and what it only imagines.

The kinds of tampering and their harmless look-alikes are in tests/bench/drift/kinds.toml.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from . import Bench
from ..project import SERVICE_IMAGE, Health, Project, Service
from ..remake import Direct, remake
from ..table import Budget, Figure, Line, Unit
from ..tools import Tool

NUMBER = 6
TITLE = "drift: what is found, put right, and imagined"

# Projects that are tampered with at once. Nothing here is timed.
LANES = 3
# How many kinds one project is used for; small enough that the lanes end at about the same time.
SHARE = 25
# Below the root of the checkout: what each tool made of each kind.
DETAIL = "target/bench/drift.json"
# The image of those services that need a shell.
SHELL_IMAGE = "debian:bookworm-slim"
# Labels by which a tool knows what it made; what else it writes into labels is its own business.
OWNERSHIP = ("dev.nself.project", "dev.nself.resource", "com.docker.compose.project", "com.docker.compose.service")
OWN = ("dev.nself.", "com.docker.compose.", "desktop.docker.io")


@dataclass(frozen=True)
class Kind:
    """One table of kinds.toml, which explains the keys."""

    name: str
    tampering: bool
    on: str = "web"
    do: tuple[str, ...] = ()
    remake: dict[str, Any] | None = None
    remake_network: dict[str, Any] | None = None
    remake_volume: dict[str, Any] | None = None
    object: str = "container/{container}"
    names: str = ""
    check: str = ""
    why: str = ""
    undo: tuple[str, ...] = ()
    file: dict[str, list[list[str]]] = field(default_factory=dict)
    shuffle: bool = False
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = ""


@dataclass
class Outcome:
    """What one tool made of one kind."""

    tool: str
    kind: str
    tampering: bool
    # Whether its plan said that something differs, or its apply put it right.
    found: bool = False
    # Whether the plan named the object and the field, too. Only nself is asked, and has not found it otherwise.
    named: bool | None = None
    # Whether everything is again as it was, and the next plan empty.
    repaired: bool = False
    # What it wanted a word for by name, because it could lose something or is not its own.
    releases: list[str] = field(default_factory=list)
    # What it had to say, where it did not do well.
    told: str = ""
    # Why the kind could not be tried with this tool.
    skipped: str = ""

    @property
    def good(self) -> bool:
        return bool(self.skipped) or (self.found and self.repaired if self.tampering else not self.found)


def kinds(root: Path) -> list[Kind]:
    """Reads kinds.toml. A key that is not known is refused."""
    with (root / "tests/bench/drift/kinds.toml").open("rb") as file:
        tables = tomllib.load(file)
    lists = {"do", "undo"}
    def read(table: dict[str, Any], tampering: bool) -> Kind:
        values: dict[str, Any] = {key: tuple(value) if key in lists else value for key, value in table.items()}
        return Kind(tampering=tampering, **values)

    return [read(table, group == "tampering") for group in ("tampering", "harmless") for table in tables[group]]


def run(bench: Bench) -> Iterator[Line]:
    every = kinds(bench.root)
    if bench.trial:
        every = [kind for group in (True, False) for kind in every if kind.tampering == group][:3] + every[-3:]
    tools: list[Tool] = [bench.nself, bench.compose]
    # Not everybody can get it.
    if terraform := getattr(bench, "terraform", None):
        tools.append(terraform)
    samples = {tool.name: every[::SAMPLED] if tool.name == "terraform" and not bench.trial else every for tool in tools}
    shares = [(tool, samples[tool.name][begin:begin + SHARE]) for tool in tools
              for begin in range(0, len(samples[tool.name]), SHARE)]
    # Processes, not threads: a kind may ask for another environment or folder.
    with ProcessPoolExecutor(LANES, multiprocessing.get_context("fork")) as lanes:
        jobs = [lanes.submit(try_all, bench, tool, number, share) for number, (tool, share) in enumerate(shares)]
        outcomes = [outcome for job in jobs for outcome in job.result()]
    kept = bench.root / DETAIL
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n")
    yield from lines([tool.name for tool in tools], outcomes)


def lines(tools: list[str], outcomes: list[Outcome]) -> Iterator[Line]:
    """Returns the lines of the table: what was found, what was put right, what was imagined."""
    for what, tampering, good, words in (
            ("tampering found", True, "found", "all"), ("tampering put right", True, "repaired", "all"),
            ("harmless things taken for drift", False, "found", "none")):
        tried = [one for one in outcomes if one.tampering == tampering and not one.skipped]
        figures, wrong = {}, []
        for tool in tools:
            own = [one for one in tried if one.tool == tool]
            figures[tool] = Figure(words=f"{sum(getattr(one, good) for one in own)} / {len(own)}")
            if tool == "nself":
                wrong = [one.kind for one in own if getattr(one, good) != tampering]
        notes = [] if (tampering, good) != (True, "found") else [NOTE]
        budget = Budget(words, not wrong, f"of {', '.join(wrong)}" if wrong else "")
        yield Line(NUMBER, what, Unit.COUNT, figures, budget, notes)


# Terraform takes many seconds for each kind and is asked about one of so many.
SAMPLED = 10

NOTE = (
    "the kinds are in tests/bench/drift/kinds.toml. Found is what the tool's plan names (of nself: the object and the"
    " field as well), or what its apply puts right without a word before; put right is what the engine then says to be"
    " as before, with nothing left to plan. A kind that changes nothing of what a tool made is not counted for it."
    f" Terraform is asked about every {SAMPLED}th. Where a tool asks before it does what could lose something, it is told yes.")


def details(root: Path) -> str:
    """Returns a Markdown table of all kinds and tools, of the last run."""
    outcomes = [Outcome(**one) for one in json.loads((root / DETAIL).read_text())]
    tools = list(dict.fromkeys(one.tool for one in outcomes))
    by_key = {(one.kind, one.tool): one for one in outcomes}

    def cell(one: Outcome) -> str:
        if one.skipped:
            return "n/a"
        if not one.tampering:
            return "false alarm" if one.found else "✓"
        found, repaired = ("✓" if good else "–" for good in (one.found, one.repaired))
        return f"{found} {repaired}" + (" (asks first)" if one.releases else "")

    text = []
    for tampering, title in ((True, "Tampering: found, put right"), (False, "Harmless: ✓ is no alarm")):
        names = dict.fromkeys(one.kind for one in outcomes if one.tampering == tampering)
        text += ["", f"| {title} | {' | '.join(tools)} |", "| --- |" + " --- |" * len(tools)]
        text += [f"| {name} | {' | '.join(cell(by_key[name, tool]) if (name, tool) in by_key else '' for tool in tools)} |"
                 for name in names]
    return "\n".join(text[1:])


def try_all(bench: Bench, tool: Tool, number: int, share: list[Kind]) -> list[Outcome]:
    """Tries some kinds with one tool, on a project of their own."""
    place = Place(bench, tool, number)
    try:
        place.begin()
        return [place.attempt(kind) for kind in share]
    except RuntimeError as error:
        if tool.name == "nself":
            raise
        # Who cannot keep the project as it is, cannot be asked about it.
        return [Outcome(tool.name, kind.name, kind.tampering, skipped=str(error)[-600:]) for kind in share]
    finally:
        place.end()


class Place:
    """One project of one tool, and what is done to it."""

    def __init__(self, bench: Bench, tool: Tool, number: int) -> None:
        self.bench = bench
        self.tool = tool
        self.engine = Direct()
        self.port = 20700 + number
        self.subnet = f"10.213.{number}.0/24"
        self.tag = f"nself-bench/drift{number}:1"
        self.bound = bench.scratch / f"bound{number}"
        self.bound.mkdir()
        self.project = project(f"drift{number}", self.port, self.tag, self.bound)
        self.good: dict[str, Any] = {}
        # What Compose has to do where nothing is to do.
        self.idle: set[str] = set()

    def begin(self) -> None:
        shell(f"docker tag {SERVICE_IMAGE} {self.tag}")
        (self.bound / "app.conf").write_text("level = 1\n")
        self.tool.write(self.project)
        self.tool.up(self.project)
        self.good = self.picture()
        self.idle = self.acts() if self.tool.name == "compose" else set()
        if self.differs():
            raise RuntimeError(f"{self.tool.name}: finds something to do right after it was done")

    def end(self) -> None:
        self.clear()
        subprocess.run(["docker", "rmi", self.tag], capture_output=True, check=False)

    def sweep(self) -> None:
        """Takes away whatever has the project's name in front. A network may need a moment until nobody is on it."""
        own = self.tool.own(self.project)
        for _ in range(20):
            left = []
            for what, remove in (("ps -a --format '{{.ID}} {{.Names}}'", "rm -f -v"),
                                 ("network ls --format '{{.ID}} {{.Name}}'", "network rm"),
                                 ("volume ls --format '{{.Name}} {{.Name}}'", "volume rm")):
                lines = [line.split() for line in shell(f"docker {what}").splitlines()]
                ids = [line[0] for line in lines if line[1].startswith(own)]
                left += ids
                if ids and what.startswith("ps"):
                    # Engines forget to let go of a network where a container stops and goes at once.
                    subprocess.run(["docker", "stop", "-t", "1", *ids], capture_output=True, check=False)
                if ids:
                    subprocess.run(["docker", *remove.split(), *ids], capture_output=True, check=False)
            if not left:
                return

    def again(self, now: dict[str, Any]) -> None:
        """Brings the project up anew where the tool did not put it right: of containers only those that differ."""
        wrong = [key for key in {*now, *self.good} if now.get(key) != self.good.get(key)]
        if wrong and all(key.startswith("container ") for key in wrong):
            there = [key.split(" /")[1] for key in wrong if key in now]
            subprocess.run(["docker", "rm", "-f", "-v", *there], capture_output=True, check=False)
            try:
                self.tool.up(self.project)
            except RuntimeError:
                pass
            if self.picture() == self.good:
                return
        for attempt in range(3):
            try:
                self.clear()
                self.begin()
                return
            except RuntimeError:
                if attempt == 2:
                    raise

    def clear(self) -> None:
        """Takes away everything of the project, and what the tool remembers of it, whether the tool can or not."""
        try:
            self.tool.down(self.project)
        except RuntimeError:
            pass
        self.sweep()
        for state in self.tool.folder(self.project).glob("terraform.tfstate*"):
            state.unlink()


    def attempt(self, kind: Kind) -> Outcome:
        outcome = Outcome(self.tool.name, kind.name, kind.tampering)
        try:
            if kind.tampering:
                self.tamper(kind, outcome)
            else:
                self.harmless(kind, outcome)
        except RuntimeError as error:
            # An engine in a container, say, cannot do all that others can.
            outcome.skipped = str(error)[-600:]
        finally:
            for command in kind.undo:
                subprocess.run(self.fill(command, kind), shell=True, capture_output=True, check=False)
        if (now := self.picture()) != self.good or not outcome.good:
            self.again(now)
        return outcome

    def tamper(self, kind: Kind, outcome: Outcome) -> None:
        self.act(kind)
        if self.picture() == self.good:
            if self.tool.name == "nself":
                raise RuntimeError(f"{kind.name}: changed nothing of the project")
            # Labels, say, where a tool writes none.
            outcome.skipped = "changes nothing of what it made"
            return
        if self.tool.name == "nself":
            self.look(kind, outcome)
        else:
            outcome.found = self.complains()
        try:
            self.repair(outcome)
        except RuntimeError as error:
            outcome.told = str(error)[-600:]
        if outcome.named is False:
            outcome.found = False
        if kind.check:
            done = subprocess.run(self.fill(kind.check, kind), shell=True, capture_output=True, check=False)
            outcome.repaired = done.returncode == 0 and not outcome.told and not self.complains()
            outcome.found = outcome.found or (outcome.repaired and outcome.named is None)
            return
        # The kind's own objects are not the tool's to remove.
        for command in kind.undo:
            subprocess.run(self.fill(command, kind), shell=True, capture_output=True, check=False)
        now = self.picture()
        outcome.repaired = now == self.good and not self.complains()
        # A dry run that says nothing and an `up` that puts it right: whoever runs it finds it.
        outcome.found = outcome.found or (outcome.repaired and outcome.named is None)
        if not outcome.repaired and not outcome.told:
            outcome.told = difference(self.good, now)[:600]

    def repair(self, outcome: Outcome) -> None:
        """Lets the tool put it right; whoever wants to be told yes is told yes."""
        match self.tool.name:
            case "nself":
                releases = [word for one in outcome.releases for word in ("--allow", one)]
                self.bench.nself.call(self.project, "apply", "--yes", *releases).ensure()
            case "compose":
                self.bench.compose.call(
                    self.project, "up", "--detach", "--remove-orphans", "--yes", "--wait").ensure()
            case _:
                self.tool.up(self.project)

    def harmless(self, kind: Kind, outcome: Outcome) -> None:
        if kind.file and self.tool.name not in kind.file:
            outcome.skipped = "cannot be written otherwise"
            return
        before = dict(os.environ), os.getcwd()
        try:
            self.act(kind)
            if kind.shuffle:
                self.tool.write(shuffled(self.project))
            for old, new in kind.file.get(self.tool.name, []):
                self.rewrite(self.fill(old, kind), self.fill(new, kind), kind)
            os.environ.update(kind.env)
            os.chdir(kind.cwd or ".")
            outcome.found = self.differs()
            if outcome.found:
                outcome.told = self.tool.plan(self.project).out[-600:]
        finally:
            os.chdir(before[1])
            os.environ.clear()
            os.environ.update(before[0])
            self.tool.write(self.project)

    def rewrite(self, old: str, new: str, kind: Kind) -> None:
        file = self.file()
        text = file.read_text()
        if old not in text:
            raise RuntimeError(f"{kind.name}: nothing reads {old!r} in {file}")
        file.write_text(text.replace(old, new, 1))

    def file(self) -> Path:
        """The file in which the tool has the project."""
        names = {"nself": "nself.toml", "compose": "compose.yaml", "terraform": "main.tf.json"}
        return self.tool.folder(self.project) / names[self.tool.name]

    def act(self, kind: Kind) -> None:
        for command in kind.do:
            shell(self.fill(command, kind))
        words = {"container": kind.remake, "network": kind.remake_network, "volume": kind.remake_volume}
        for what, changes in words.items():
            if changes is not None:
                name = self.fill({"container": "{container}", "network": "{network}", "volume": "{volume}"}[what], kind)
                remake(self.engine, what, name, json.loads(self.fill(json.dumps(changes), kind)))

    def fill(self, text: str, kind: Kind) -> str:
        """Puts the names of this project in place of the words of kinds.toml."""
        own = self.tool.own(self.project)
        container = {name: self.tool.container(self.project, name) for name in ("web", "api", "job")}
        words = {
            **container, "container": container[kind.on], "service": kind.on, "project": own, "tag": self.tag,
            "network": network(self.tool.name, own), "volume": volume(self.tool.name, own), "port": str(self.port),
            "folder": str(self.bound), "other": f"{own}x-other", "file": str(self.file()),
            "subnet": self.subnet,
        }
        return re.sub(r"\{(\w+)\}", lambda match: words.get(match[1], match[0]), text)

    def differs(self) -> bool:
        """Returns whether the tool's plan has anything to do, beyond what it always has."""
        if self.tool.name != "compose":
            return self.tool.differs(self.project)
        return bool(self.acts() - self.idle)

    def complains(self) -> bool:
        """Returns whether the tool's plan has anything to do, or anything against being made at all."""
        try:
            return self.differs()
        except RuntimeError:
            return True

    def acts(self) -> set[str]:
        """What Compose says that it would do; a job that has ended is started each time."""
        told = self.tool.plan(self.project).err.splitlines()
        return {line.strip() for line in told if re.search(r"\b(Creat|Recreat|Start|Remov|Stopp|Restart)", line)}

    def look(self, kind: Kind, outcome: Outcome) -> None:
        """Asks nself what it found, whether it names what the kind is about, and what it wants a word for."""
        told = json.loads(self.bench.nself.call(self.project, "plan", "--json").ensure().out)
        own = told["nself"]
        outcome.found = bool(own["changes"])
        outcome.releases = [one["allow"] for one in own["held"]]
        change = own["changes"].get(self.fill(kind.object, kind))
        paths = [".".join(one["path"]) for one in change.get("fields", [])] if change else []
        outcome.named = change is not None and (not kind.names or self.fill(kind.names, kind) in paths)
        if not outcome.named:
            outcome.told = f"{kind.object} {kind.names} is not among {json.dumps(own['changes'])[:600]}"

    def picture(self) -> dict[str, Any]:
        """Returns all that the engine says of the project, but for ids, times and addresses."""
        seen: dict[str, Any] = {"tag": self.engine.call("GET", f"/images/{self.tag}/json")["Id"]}
        for listed in self.listed("containers"):
            seen[f"container {listed['Names'][0]}"] = container_picture(
                self.engine.call("GET", f"/containers/{listed['Id']}/json"))
        for one in [*self.listed("networks"), *self.listed("volumes")]:
            key = f"{'network' if 'Id' in one else 'volume'} {one['Name']}"
            while key in seen:
                key += " again"
            kept = ("Driver", "Options", "Internal", "Attachable", "EnableIPv6")
            seen[key] = {name: one.get(name) for name in kept} | {"Labels": labels(one.get("Labels"))}
        return seen

    def listed(self, what: str) -> list[dict[str, Any]]:
        """The engine's containers, networks or volumes that have the project's name in front."""
        own = self.tool.own(self.project)
        told = self.engine.call("GET", f"/{what}?all=1" if what != "containers" else "/containers/json?all=1")
        every = told["Volumes"] or [] if what == "volumes" else told
        names = [one["Names"][0].lstrip("/") if what == "containers" else one["Name"] for one in every]
        # nself keeps its memory in volumes; what is in it is its own business.
        return [one for one, name in zip(every, names) if name.startswith(own) and not name.startswith(f"{own}.nself.")]


def container_picture(one: dict[str, Any]) -> dict[str, Any]:
    config = dict(one["Config"])
    if config["Hostname"] == one["Id"][:12]:
        del config["Hostname"]
    config["Labels"] = labels(config["Labels"])
    networks = {}
    for name, endpoint in one["NetworkSettings"]["Networks"].items():
        aliases = sorted(set(endpoint["Aliases"] or []) - {one["Id"][:12]})
        networks[name] = {"aliases": aliases, "address": endpoint["IPAMConfig"] or None, "links": endpoint["Links"],
                          "options": endpoint["DriverOpts"]}
    # A volume without a name has another one each time.
    mounts = sorted((mount["Destination"], mount["Type"], mount.get("Name") or mount["Source"], mount["RW"])
                    for mount in one["Mounts"])
    status = one["State"]["Status"]
    return {"image": one["Image"], "config": tidy(config), "host": tidy(one["HostConfig"]), "networks": networks,
            "mounts": mounts, "status": [status, one["State"]["ExitCode"]] if status == "exited" else status}


def labels(given: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (given or {}).items() if name in OWNERSHIP or not name.startswith(OWN)}


def tidy(values: dict[str, Any]) -> dict[str, Any]:
    """Nothing at all is written in several ways; the order of some lists says nothing."""
    orderless = ("Env", "CapAdd", "CapDrop", "Binds", "Ulimits", "SecurityOpt")
    return {
        key: sorted(value, key=str) if key in orderless else value
        for key, value in values.items() if value not in (None, False, 0, "", [], {})}


def difference(before: dict[str, Any], after: dict[str, Any], way: str = "") -> str:
    """Says where two pictures differ."""
    parts = []
    for key in sorted({*before, *after}):
        one, two = before.get(key), after.get(key)
        if one == two:
            continue
        if isinstance(one, dict) and isinstance(two, dict):
            parts.append(difference(one, two, f"{way}{key} / "))
        else:
            parts.append(f"{way}{key}: {one} is {two}")
    return "; ".join(parts)


def shell(command: str) -> str:
    try:
        done = subprocess.run(command, shell=True, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=120, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"`{command}` has not ended in time") from error
    if done.returncode != 0:
        raise RuntimeError(f"`{command}` ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


def network(tool: str, own: str) -> str:
    return {"nself": own, "compose": f"{own}_default"}.get(tool, own)


def volume(tool: str, own: str) -> str:
    return {"nself": f"{own}-web-data", "compose": f"{own}_data"}.get(tool, f"{own}-data")


def project(name: str, port: int, tag: str, bound: Path) -> Project:
    web = Service(
        "web", SHELL_IMAGE, ("sleep", "infinity"), env={"LEVEL": "info", "NOTE": "a b"}, ports={port: 80},
        labels={"team": "core"}, volumes={"data": "/data"}, binds={f"{bound}/app.conf": "/etc/app.conf"},
        tmpfs={"/cache": "size=8m"}, memory=128 << 20, cpus=0.5, pids=50, init=True, cap_drop=("MKNOD",),
        sysctls={"net.core.somaxconn": "512"}, log_options={"max-size": "10m"})
    api = Service("api", tag, ("serve", "8080"), env={"ANSWER": "ok"}, needs=("web",),
                  health=Health(("/service", "probe", "8080"), 1))
    # Somebody waits for it: Compose takes a job that has ended for a failure otherwise.
    job = Service("job", SHELL_IMAGE, ("true",), job=True)
    return Project(name, (web, replace(api, needs=("web", "job")), job))


def shuffled(given: Project) -> Project:
    """Returns the same project with everything in another order."""
    def turned(values: dict[Any, Any]) -> dict[Any, Any]:
        return dict(reversed(values.items()))

    services = tuple(replace(one, env=turned(one.env), labels=turned(one.labels), needs=one.needs[::-1])
                     for one in reversed(given.services))
    return replace(given, services=services)
