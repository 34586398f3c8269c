"""Terraform with its docker provider, as its documentation has it: a resource for each thing, in Terraform's JSON."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from . import Tool
from ..measure import Ran, run
from ..project import Project, Service

# The provider as it lies in the mirror below the folder of the program.
SOURCE = "bench.local/kreuzwerker/docker"


class Terraform(Tool):
    name = "terraform"

    def __init__(self, program: Path, scratch: Path) -> None:
        super().__init__(program, scratch)
        # It asks its maker for newer versions at each start, which takes as long as the network pleases.
        self.env = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1",
                    "TF_CLI_CONFIG_FILE": str(program.parent / "terraformrc")}
        # Folders in which the provider has been set up.
        self.ready: set[Path] = set()

    def version(self) -> str:
        told = json.loads(run([self.program, "version", "-json"], env=self.env).ensure().out)
        provider = (self.program.parent / "provider.version").read_text().strip()
        return f"Terraform {told['terraform_version']} with kreuzwerker/docker {provider}"

    def write(self, project: Project) -> None:
        network = "${docker_network.own.name}"
        images = {image: f"image{number}" for number, image in enumerate(
            dict.fromkeys(one.image for one in project.services))}
        resources: dict[str, object] = {
            "docker_network": {"own": {"name": self.own(project)}},
            "docker_image": {key: {"name": image, "keep_locally": True} for image, key in images.items()},
            "docker_container": {one.name: self._container(project, one, network, images[one.image])
                                 for one in project.services},
        }
        if volumes := {name for one in project.services for name in one.volumes}:
            resources["docker_volume"] = {name: {"name": f"{self.own(project)}-{name}"} for name in sorted(volumes)}
        written = {"terraform": {"required_providers": {"docker": {"source": SOURCE}}},
                   "provider": {"docker": {}}, "resource": resources}
        folder = self.folder(project)
        (folder / "main.tf.json").write_text(json.dumps(written, indent=1))
        if folder not in self.ready:
            self.call(project, "init", "-input=false").ensure()
            self.ready.add(folder)

    def call(self, project: Project, *words: str) -> Ran:
        """Runs a command of Terraform in the folder of the project."""
        return run([self.program, f"-chdir={self.folder(project)}", *words, "-no-color"], env=self.env)

    def plan(self, project: Project) -> Ran:
        return self.call(project, "plan", "-input=false").ensure()

    def up(self, project: Project) -> Ran:
        return self.call(project, "apply", "-input=false", "-auto-approve").ensure()

    def differs(self, project: Project) -> bool:
        return self.call(project, "plan", "-input=false", "-detailed-exitcode").ensure(0, 2).code != 0

    def down(self, project: Project) -> None:
        self.call(project, "destroy", "-input=false", "-auto-approve").ensure()

    def _container(self, project: Project, service: Service, network: str, image: str) -> dict[str, object]:
        written: dict[str, object] = {
            "name": self.container(project, service.name),
            "image": f"${{docker_image.{image}.image_id}}",
            "command": [_literal(word) for word in service.command],
            "restart": service.restart or "unless-stopped",
            "networks_advanced": [{"name": network, "aliases": [service.name]}],
        }
        if service.needs:
            written["depends_on"] = [f"docker_container.{need}" for need in service.needs]
        if service.env:
            written["env"] = [_literal(f"{key}={value}") for key, value in service.env.items()]
        if service.labels:
            written["labels"] = [{"label": key, "value": _literal(value)} for key, value in service.labels.items()]
        if service.volumes:
            written["volumes"] = [{"volume_name": f"${{docker_volume.{name}.name}}", "container_path": path}
                                  for name, path in service.volumes.items()]
        if service.ports:
            written["ports"] = [{"internal": inside, "external": host, "ip": "127.0.0.1"}
                                for host, inside in service.ports.items()]
        if service.health:
            test = ["CMD", *(_literal(word) for word in service.health.command)]
            written["healthcheck"] = [{"test": test, "interval": f"{service.health.interval}s"}]
            written |= {"wait": True, "wait_timeout": 300}
        if service.memory:
            # Without a word of swap it plans to take away what the engine put there.
            written |= {"memory": service.memory // 2**20, "memory_swap": service.memory // 2**19}
        if service.cpus:
            written["cpus"] = str(service.cpus)
        if service.binds:
            written["volumes"] = [*written.get("volumes", []), *(  # type: ignore[misc]
                {"host_path": host, "container_path": inside, "read_only": True}
                for host, inside in service.binds.items())]
        if service.tmpfs:
            written["tmpfs"] = service.tmpfs
        if service.init:
            written["init"] = True
        if service.cap_drop:
            written["capabilities"] = [{"drop": [f"CAP_{name}" for name in service.cap_drop]}]
        if service.sysctls:
            written["sysctls"] = service.sysctls
        if service.log_options:
            written |= {"log_driver": "json-file", "log_opts": service.log_options}
        if service.job:
            written |= {"restart": "no", "must_run": False}
        return written


def _literal(text: str) -> str:
    """A text in which nothing is a template."""
    return re.sub(r"([$%])\{", r"\1\1{", text)
