"""Those who are measured. Each writes a project in its own words and does what is asked of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from ..measure import Ran
from ..project import Project


class Tool(ABC):
    """One contender with a folder of its own for each project, so that several can have the same project."""

    name: str

    def __init__(self, program: Path, scratch: Path) -> None:
        self.program = program
        self.scratch = scratch / self.name

    def own(self, project: Project) -> str:
        """The project's name on the engine: each tool has its own copy."""
        return f"{project.name}-{self.name}"

    def folder(self, project: Project) -> Path:
        folder = self.scratch / project.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def container(self, project: Project, service: str) -> str:
        """The name of the container of a service."""
        return f"{self.own(project)}-{service}"

    @abstractmethod
    def version(self) -> str:
        """What it calls itself, with its version."""

    @abstractmethod
    def write(self, project: Project) -> None:
        """Writes the project down, in place of what was written before."""

    @abstractmethod
    def plan(self, project: Project) -> Ran:
        """Says what would be done, and does nothing. Ends with 0 also where something would."""

    @abstractmethod
    def up(self, project: Project) -> Ran:
        """Makes it so, and ends when every service is as it should be."""

    @abstractmethod
    def differs(self, project: Project) -> bool:
        """Returns whether its plan has anything to do."""

    @abstractmethod
    def down(self, project: Project) -> None:
        """Takes away everything of the project, volumes too."""
