"""Row 10: start-up of the program, its size, and building it from nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import Bench
from ..measure import Ran, Samples, interleaved, peaks, run as measured, seconds
from ..project import layered
from ..table import Figure, Line, Unit

NUMBER = 10
TITLE = "start-up, size and build of the program"


def run(bench: Bench) -> Iterator[Line]:
    project = layered("startup", 2 if bench.trial else 25, 2 if bench.trial else 5)
    able, missing = bench.prepared(lambda tool: tool.write(project))
    terraform = bench.terraform if bench.terraform in able else None

    versions: dict[str, Callable[[], Ran]] = {
        "nself": lambda: measured([bench.nself.program, "--version"]).ensure()}
    checks: dict[str, Callable[[], Ran]] = {"nself": lambda: bench.nself.call(project, "check").ensure()}
    if bench.compose in able:
        versions["compose"] = lambda: measured([bench.compose.program, "version"]).ensure()
        checks["compose"] = lambda: bench.compose.call(project, "config", "--quiet").ensure()
    if terraform:
        versions["terraform"] = lambda: measured([terraform.program, "version"], env=terraform.env).ensure()
        checks["terraform"] = lambda: terraform.call(project, "validate").ensure()
    runs = interleaved(bench.repetitions, versions)
    yield Line(NUMBER, "start-up (`--version`)", Unit.SECONDS,
               {name: Figure(seconds(of)) for name, of in runs.items()} | missing, headline=True)
    yield Line(NUMBER, "peak memory of a start-up", Unit.BYTES,
               {name: Figure(peaks(of)) for name, of in runs.items()} | missing)
    runs = interleaved(bench.repetitions, checks)
    services = len(project.services)
    yield Line(NUMBER, f"check of a file of {services} services", Unit.SECONDS,
               {name: Figure(seconds(of)) for name, of in runs.items()} | missing,
               notes=["`nself check`, `docker-compose config --quiet`, `terraform validate`"])
    yield Line(NUMBER, "peak memory of a check", Unit.BYTES,
               {name: Figure(peaks(of)) for name, of in runs.items()} | missing)

    sizes = {tool.name: tool.program.resolve().stat().st_size for tool in able}
    size_notes = ["that of Terraform is with its provider"] if terraform else []
    if terraform:
        sizes["terraform"] += sum(one.stat().st_size for one in terraform.program.parent.rglob(
            "terraform-provider-docker_*"))
    yield Line(NUMBER, "size of the program", Unit.BYTES,
               {name: Figure(Samples([float(size)])) for name, size in sizes.items()} | missing, notes=size_notes)
    if bench.build:
        yield Line(NUMBER, "build from nothing", Unit.SECONDS, {"nself": Figure(Samples([bench.build.seconds]))},
                   notes=["`cargo build --release` into an empty folder, once; what it downloads was there before"])
        yield Line(NUMBER, "peak memory of one process of that build", Unit.BYTES,
                   {"nself": Figure(Samples([float(bench.build.peak)]))})
