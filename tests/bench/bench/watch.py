"""The loop of `nself watch`: how much memory it takes while things happen, and how soon it knows of them.

Run by tests/bench/watch. Prints figures; no timer fails anything.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .engine import Engine
from .project import Project, Service
from .tools.nself import Nself

# What its webhooks are signed with.
SECRET = "a secret of the benchmark"
# How often it is asked how it is, while something is waited for; in seconds.
GLANCE = 0.002


class Loop:
    """A loop over a repository in a folder, and the folder's commits."""

    def __init__(self, program: Path, scratch: Path, project: Project, mode: str) -> None:
        self.nself = Nself(program, scratch)
        self.project, self.mode = project, mode
        self.nself.write(project)
        self.work = self.nself.folder(project)
        self.state = scratch / "state"
        self.port = _free_port()
        (scratch / "hook").write_text(SECRET)
        self._git("init", "-q", "-b", "main")
        self.commit("one")
        words = [str(program), "watch", "--git", f"file://{self.work}", "--branch", "main", "--state", str(self.state),
                 "--listen", f"127.0.0.1:{self.port}", "--webhook", f"generic={scratch / 'hook'}"]
        # What it says goes where it can be read after a mishap.
        with (scratch / "watch.log").open("w") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log)  # pylint: disable=consider-using-with

    def commit(self, subject: str) -> None:
        text = (self.work / "nself.toml").read_text()
        head = f'[watch]\nmode = "{self.mode}"\nevery = "1h"\npoll = "1h"\n'
        if not text.startswith("[watch]"):
            (self.work / "nself.toml").write_text(head + text)
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", subject)

    def edit(self, old: str, new: str) -> None:
        path = self.work / "nself.toml"
        path.write_text(path.read_text().replace(old, new))

    def _git(self, *words: str) -> None:
        identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
        subprocess.run(["git", *identity, *words], cwd=self.work, check=True)

    def status(self) -> dict[str, Any]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            line.request("GET", "/api/status")
            answer: dict[str, Any] = json.loads(line.getresponse().read())
            return answer
        finally:
            line.close()

    def until(self, what: str, is_so: Any, within: float = 600) -> float:
        """Waits until something is so, and returns when that was."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            try:
                if is_so(self.status()):
                    return time.monotonic()
            except OSError:
                pass
            time.sleep(GLANCE)
        raise TimeoutError(f"never: {what}")

    def push(self) -> None:
        """Sends what a repository sends after a push."""
        body = json.dumps({"ref": "refs/heads/main"})
        stamp = str(int(time.time()))
        signature = hmac.new(SECRET.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        line.request("POST", "/hooks/generic", body, {
            "Content-Type": "application/json", "X-Nself-Timestamp": stamp, "X-Nself-Delivery": str(time.time_ns()),
            "X-Nself-Signature-256": f"sha256={signature}"})
        answer = line.getresponse()
        if answer.status >= 300:
            raise RuntimeError(f"the webhook was answered with {answer.status}: {answer.read().decode()}")
        line.close()

    def memory(self) -> int:
        """Returns the resident bytes of its process."""
        for entry in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if entry.startswith("VmRSS:"):
                return int(entry.split()[1]) * 1024
        raise RuntimeError("the loop has ended")

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def drift(loop: Loop, turns: int) -> list[float]:
    """How long after a container was stopped the loop says so, in seconds. It only reports."""
    taken = []
    name = f"{loop.nself.own(loop.project)}-s0"
    for _ in range(turns):
        begin = time.monotonic()
        subprocess.run(["docker", "pause", name], check=True, stdout=subprocess.DEVNULL)
        taken.append(loop.until("the drift is reported", lambda status: status["differences"]) - begin)
        subprocess.run(["docker", "unpause", name], check=True, stdout=subprocess.DEVNULL)
        loop.until("it is over", lambda status: not status["differences"])
        # Looks in quick succession are held back on purpose.
        time.sleep(11)
    return taken


def push(loop: Loop, turns: int) -> list[float]:
    """How long after a webhook the first step begins, in seconds."""
    taken = []
    for turn in range(turns):
        loop.edit(f"TURN{turn}", f"TURN{turn + 1}")
        loop.commit(f"turn {turn}")
        # Webhooks in quick succession are taken together on purpose.
        time.sleep(2)
        begin = time.monotonic()
        loop.push()
        taken.append(loop.until("it applies", lambda status: status["phase"] == "applying") - begin)
        loop.until("it is applied", lambda status, turn=turn: (status["applied"] or {}).get("subject") == f"turn {turn}"
                   and status["phase"] == "waiting")
    return taken


def soak(loop: Loop, minutes: float) -> list[tuple[float, int]]:
    """The memory of the loop while an event a second makes it look. Returns pairs of seconds and bytes."""
    name = f"{loop.nself.own(loop.project)}-s0"
    begin = time.monotonic()
    seen = []
    while (passed := time.monotonic() - begin) < minutes * 60:
        seen.append((passed, loop.memory()))
        subprocess.run(["docker", "update", "--restart", "unless-stopped", name], check=True, stdout=subprocess.DEVNULL)
        time.sleep(max(0.0, begin + len(seen) - time.monotonic()))
    return seen


def project(name: str, count: int) -> Project:
    services = [Service(f"s{number}", restart="unless-stopped", env={"LEVEL": "TURN0"} if number == 0 else {})
                for number in range(count)]
    return Project(name, tuple(services))


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/bench/watch", description="what the loop takes, and how soon it knows")
    parser.add_argument("--nself", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=20, help="of one event a second")
    parser.add_argument("--turns", type=int, default=10, help="of each of the two latencies; none measures the memory only")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="nself-bench-"))
    few, many = project("bench-watch10", 10), project(f"bench-watch{given.services}", given.services)
    try:
        for what, measure, mode in () if given.turns == 0 else (("webhook → first step", push, "heal"), ("engine event → drift reported", drift, "detect")):
            _measured(what, measure, mode, given, few, scratch)
        loop = Loop(given.nself, _inside(scratch, "soak"), many, "heal")
        try:
            loop.until("it is up", lambda status: status["sync"] == "in_sync", 1800)
            time.sleep(5)
            idle = loop.memory()
            seen = soak(loop, given.minutes)
            passes = loop.status()["passes"]
        finally:
            loop.end()
            # The engine has given up a connection that nothing came over for so long.
            Engine().clear(loop.nself.own(many))
        sizes = [size for _, size in seen]
        tenth = max(1, len(sizes) // 10)
        first, last = statistics.median(sizes[tenth:2 * tenth]), statistics.median(sizes[-tenth:])
        print(f"{given.services} services watched: idle {idle / 1e6:.1f} MB (budget 30); {given.minutes:g} min of one event a "
              f"second: median {first / 1e6:.1f} MB in its second tenth, {last / 1e6:.1f} MB in the last, most "
              f"{max(sizes) / 1e6:.1f} MB, {passes} passes")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


def _inside(scratch: Path, name: str) -> Path:
    (scratch / name).mkdir()
    return scratch / name


def _measured(what: str, measure: Any, mode: str, given: argparse.Namespace, few: Project, scratch: Path) -> None:
    own = _inside(scratch, mode)
    if mode == "detect":
        # Somebody else brings it up: this loop changes nothing.
        nself = Nself(given.nself, own)
        nself.write(few)
        nself.up(few)
    loop = Loop(given.nself, own, few, mode)
    try:
        loop.until("it is up", lambda status: status["sync"] == "in_sync", 300)
        taken = measure(loop, given.turns)
    finally:
        loop.end()
        Engine().clear(loop.nself.own(few))
    budget = 1000 if mode == "heal" else 250
    print(f"{what}: {statistics.median(taken) * 1e3:.0f} ms ({min(taken) * 1e3:.0f}–{max(taken) * 1e3:.0f}), "
          f"budget {budget} ms, {len(taken)} turns, {len(few.services)} services", flush=True)


if __name__ == "__main__":
    sys.exit(main())
