"""Tools that are killed, or run many at once: starting them, and saying in words what came of it."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .engine import Engine
from .project import Project
from .tools import Tool
from .tools.compose import Compose

# Far more than any run of a small project takes.
LONGEST = 300.0


@dataclass(frozen=True)
class End:
    """How a process ended."""

    # Negative where a signal ended it.
    code: int
    said: str

    @property
    def error(self) -> str:
        """The last thing it complained of, in one line, without what differs from one time to the next."""
        lines = [line.strip() for line in self.said.splitlines() if re.search(r"(?i)error|conflict|cannot|fail|no such",
                                                                             line)]
        line = lines[-1] if lines else (self.said.strip().splitlines() or ["nothing"])[-1]
        return re.sub(r"[0-9a-f]{12,}", "ID", line)[:240]


def up_words(tool: Tool, project: Project, folder: Path | None = None) -> list[str]:
    """The command that makes a project so, and ends when every service is as it should be."""
    folder = folder or tool.folder(project)
    if isinstance(tool, Compose):
        wait = ["--wait"] if any(one.health for one in project.services) else []
        return [str(tool.program), "-f", str(folder / "compose.yaml"), "up", "--detach", "--remove-orphans",
                "--timeout", "1", *wait]
    return [str(tool.program), "-C", str(folder), "apply", "--yes"]


def start(words: list[str], socket: Path | str = Engine().path) -> subprocess.Popen[str]:
    """Starts a command on the engine behind a socket, as a process group of its own."""
    env = {**os.environ, "DOCKER_HOST": f"unix://{socket}"}
    return subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)


def end(process: subprocess.Popen[str]) -> End:
    """Waits for the end of a process. One that does not come to it is killed, which is an end like others."""
    try:
        said, _ = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
        said += f"\nfailed to end within {LONGEST:.0f} s"
    return End(process.returncode, said)


def kind(wrong: list[str], own: str) -> str:
    """Says in a few words, the same for alike cases, what is wrong: the first of what `Picture.against` says."""
    missing = {one.removeprefix("missing: ") for one in wrong if one.startswith("missing: ")}
    extra = {one.removeprefix("left over: ") for one in wrong if one.startswith("left over: ")}
    if wrong[0].startswith("the "):
        pass
    elif any(re.sub(r"[0-9a-f]{12}_", "", one) in missing for one in extra):
        return "containers keep a temporary name (ID_NAME)"
    elif doubled := [one for one in extra if one.endswith(")")]:
        return f"{doubled[0].split(' ')[0]} is there twice"
    elif missing:
        return f"{sorted(missing)[0].split(' ')[0]} is missing"
    elif extra:
        return f"{sorted(extra)[0].split(' ')[0]} is left over"
    return re.sub(r"[0-9a-f]{12,}", "ID", wrong[0].replace(own, "NAME"))[:160]


def in_words(reasons: Iterable[str]) -> str:
    """Says what happened how often, most often first."""
    return "; ".join(f"{count} × {reason}" for reason, count in Counter(reasons).most_common())
