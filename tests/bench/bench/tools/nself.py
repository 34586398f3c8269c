"""nself."""

from __future__ import annotations

import json
from pathlib import Path

from . import Tool
from ..measure import Ran, run
from ..project import Project, Service


class Nself(Tool):
    name = "nself"

    def version(self) -> str:
        return run([self.program, "--version"]).ensure().out.strip()

    def write(self, project: Project) -> None:
        lines = ["[project]", f'name = "{self.own(project)}"']
        for service in project.services:
            lines += ["", f"[services.{service.name}]", *_service(service)]
        (self.folder(project) / "nself.toml").write_text("\n".join(lines) + "\n")

    def call(self, project: Project, *words: str) -> Ran:
        """Runs a command of nself in the folder of the project."""
        return run([self.program, "-C", self.folder(project), *words])

    def plan(self, project: Project) -> Ran:
        return self.call(project, "plan").ensure()

    def up(self, project: Project) -> Ran:
        return self.call(project, "apply", "--yes").ensure()

    def differs(self, project: Project) -> bool:
        return self.call(project, "plan", "--exit-code").ensure(0, 2, 4).code != 0

    def down(self, project: Project) -> None:
        self.call(project, "reset", "--yes-delete-data", self.own(project)).ensure()


def _service(service: Service) -> list[str]:
    # JSON's strings, lists and numbers are also TOML's.
    lines = ['kind = "job"'] if service.job else []
    lines += [f"image = {json.dumps(service.image)}", f"command = {json.dumps(service.command)}"]
    if service.needs:
        lines.append(f"needs = {json.dumps(service.needs)}")
    if service.env:
        lines.append(f"env = {_table(service.env)}")
    if service.labels:
        lines.append(f"labels = {_table(service.labels)}")
    if service.volumes:
        lines.append(f"volumes = {_table(service.volumes)}")
    if service.ports:
        published = [f"127.0.0.1:{host}:{inside}" for host, inside in service.ports.items()]
        lines.append(f"publish = {json.dumps(published)}")
    if service.health:
        command = json.dumps(service.health.command)
        lines.append(f'health = {{ command = {command}, interval = "{service.health.interval}s" }}')
    for key, table in (("tmpfs", service.tmpfs), ("sysctls", service.sysctls), ("log_options", service.log_options)):
        if table:
            lines.append(f"{key} = {_table(table)}")
    if service.binds:
        lines.append(f"binds = {_table({inside: f'{host}:ro' for host, inside in service.binds.items()})}")
    if service.cap_drop:
        lines.append(f"cap_drop = {json.dumps(service.cap_drop)}")
    if service.init:
        lines.append("init = true")
    memory = service.memory and f'"{service.memory // 2**20}M"'
    limits = {"memory": memory, "cpus": service.cpus, "pids": service.pids}
    if given := [f"{key} = {value}" for key, value in limits.items() if value]:
        lines.append(f"limits = {{ {', '.join(given)} }}")
    if service.restart:
        lines.append(f'restart = "{service.restart}"')
    return lines


def _table(values: dict[str, str]) -> str:
    return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in values.items()) + " }"
