"""Docker Compose."""

from __future__ import annotations

import json

from . import Tool
from ..measure import Ran, run
from ..project import Project, Service


class Compose(Tool):
    name = "compose"

    def container(self, project: Project, service: str) -> str:
        return f"{self.own(project)}-{service}-1"

    def version(self) -> str:
        return "Docker Compose " + run([self.program, "version", "--short"]).ensure().out.strip()

    def write(self, project: Project) -> None:
        by_name = {one.name: one for one in project.services}
        services = {one.name: _service(one, by_name) for one in project.services}
        volumes: dict[str, dict[str, str]] = {name: {} for one in project.services for name in one.volumes}
        # JSON is also YAML.
        text = json.dumps({"name": self.own(project), "services": services, "volumes": volumes}, indent=1)
        (self.folder(project) / "compose.yaml").write_text(text)

    def call(self, project: Project, *words: str) -> Ran:
        """Runs a command of Compose on the file of the project."""
        return run([self.program, "-f", self.folder(project) / "compose.yaml", *words])

    def plan(self, project: Project) -> Ran:
        return self.call(project, "--dry-run", "up", "--detach", "--remove-orphans").ensure()

    def up(self, project: Project) -> Ran:
        wait = ["--wait"] if any(one.health for one in project.services) else []
        return self.call(project, "up", "--detach", "--remove-orphans", "--quiet-pull", *wait).ensure()

    def differs(self, project: Project) -> bool:
        told = self.plan(project).err
        return any(word in told for word in ("Creat", "Recreat", "Start", "Remov", "Stopp", "Restart"))

    def down(self, project: Project) -> None:
        self.call(project, "down", "--volumes", "--remove-orphans", "--timeout", "1").ensure()


def _service(service: Service, by_name: dict[str, Service]) -> dict[str, object]:
    def condition(need: str) -> dict[str, str]:
        if by_name[need].job:
            return {"condition": "service_completed_successfully"}
        return {"condition": "service_healthy" if by_name[need].health else "service_started"}

    written: dict[str, object] = {"image": service.image, "command": list(service.command), "pull_policy": "never"}
    if service.needs:
        written["depends_on"] = {need: condition(need) for need in service.needs}
    if service.env:
        written["environment"] = service.env
    if service.labels:
        written["labels"] = service.labels
    if service.volumes or service.binds:
        binds = [f"{host}:{inside}:ro" for host, inside in service.binds.items()]
        written["volumes"] = [f"{name}:{path}" for name, path in service.volumes.items()] + binds
    if service.ports:
        written["ports"] = [f"127.0.0.1:{host}:{inside}" for host, inside in service.ports.items()]
    if service.health:
        written["healthcheck"] = {"test": ["CMD", *service.health.command], "interval": f"{service.health.interval}s"}
    if service.memory:
        written["mem_limit"] = service.memory
    if service.cpus:
        written["cpus"] = service.cpus
    if service.pids:
        written["pids_limit"] = service.pids
    if service.tmpfs:
        written["tmpfs"] = [f"{path}:{options}" for path, options in service.tmpfs.items()]
    if service.init:
        written["init"] = True
    if service.cap_drop:
        written["cap_drop"] = list(service.cap_drop)
    if service.sysctls:
        written["sysctls"] = service.sysctls
    if service.log_options:
        written["logging"] = {"driver": "json-file", "options": service.log_options}
    written["restart"] = "no" if service.job else service.restart or "unless-stopped"
    return written
