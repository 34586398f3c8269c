"""A bare client of the engine: requests over kept-alive connections to its socket, and nothing beside them.

It is the measure of what the engine itself takes, takes down quickly what is not timed, and tells about the machine.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

VERSION = "/v1.41"


class Engine:
    """Connections to one engine, one for each thread that asks."""

    def __init__(self) -> None:
        self.path = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
        self.local = threading.local()

    def __reduce__(self) -> tuple[type[Engine], tuple[()]]:
        """A copy for another process has connections of its own."""
        return Engine, ()

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Sends one request and returns the status and the body of the answer. Bytes are sent as an archive."""
        if isinstance(body, bytes):
            kind, sent = "x-tar", body
        else:
            kind, sent = "json", b"" if body is None else json.dumps(body).encode()
        head = (f"{method} {VERSION}{path} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/{kind}\r\n"
                f"Content-Length: {len(sent)}\r\n\r\n")
        try:
            return self._exchange(head.encode() + sent)
        except BaseException:
            # What is left of an answer belongs to nobody.
            self.local.stream = None
            raise

    def get(self, path: str) -> Any:
        status, answer = self.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"the engine answered GET {path} with {status}: {answer.decode(errors='replace')}")
        return json.loads(answer)

    def do(self, method: str, path: str, body: object = None, fine: Sequence[int] = ()) -> bytes:
        """Sends a request that has to succeed, or to end with one of the statuses in `fine`."""
        status, answer = self.ask(method, path, body)
        if status >= 300 and status not in fine:
            raise RuntimeError(f"the engine answered {method} {path} with {status}: {answer.decode(errors='replace')}")
        return answer

    def containers(self, project: str) -> list[dict[str, Any]]:
        """The containers of a project as the engine lists them, running or not."""
        return [one for one in self.get("/containers/json?all=1") if _belongs(one["Names"][0].lstrip("/"), project)]

    def clear(self, project: str) -> None:
        """Takes away what a project has on the engine, without asking whoever made it: its containers several at once.

        What belongs to a project is told by its name: it is the project's, or begins with it.
        """
        ids = [one["Id"] for one in self.containers(project)]
        # Stopped before it is removed: engines forget to let go of the network where both happen at once.
        each(4, ids, lambda one: self.ask("POST", f"/containers/{one}/stop?t=1"))
        each(4, ids, lambda one: self._remove(f"/containers/{one}?force=1&v=1"))
        for network in self.get("/networks"):
            if _belongs(network["Name"], project):
                self._remove(f"/networks/{network['Id']}")
        for volume in self.get("/volumes")["Volumes"] or []:
            if _belongs(volume["Name"], project):
                self._remove(f"/volumes/{volume['Name']}")

    def _remove(self, path: str) -> None:
        """Removes what the engine may need a moment to let go of. What it never lets go of stays, and is told."""
        for _ in range(50):
            status, answer = self.ask("DELETE", path)
            if status < 300 or status == 404:
                return
            time.sleep(0.1)
        print(f"    the engine does not remove {path}: {answer.decode(errors='replace').strip()}", flush=True)

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        stream = getattr(self.local, "stream", None)
        if stream is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(str(self.path))
            stream = self.local.stream = connection.makefile("rwb", buffering=2**16)
        stream.write(request)
        stream.flush()
        status = int(stream.readline().split()[1])
        length, chunked = 0, False
        while line := stream.readline().strip().lower():
            if line.startswith(b"content-length:"):
                length = int(line[15:])
            elif line.startswith(b"transfer-encoding:"):
                chunked = b"chunked" in line
        if not chunked:
            return status, stream.read(length)
        answer = b""
        while size := int(stream.readline(), 16):
            answer += stream.read(size)
            stream.readline()
        stream.readline()
        return status, answer


def each(workers: int, items: Sequence[T], work: Callable[[T], object]) -> None:
    """Does the work for each item, `workers` at once, and raises what the first that failed raised."""
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, item) for item in items]:
            done.result()


def _belongs(name: str, project: str) -> bool:
    return name == project or name.startswith((f"{project}-", f"{project}_", f"{project}."))
