"""Somebody between a tool and the engine who counts what would change something, and kills the tool at one of these."""

from __future__ import annotations

import enum
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from .engine import Engine


class Side(enum.Enum):
    """When the tool dies with respect to the call."""

    # The engine never hears of it.
    BEFORE = "before"
    # The engine has only just been told.
    DURING = "during"
    # The engine has done it, and nobody hears that it has.
    AFTER = "after"


class Trap:
    """A socket that passes everything on to the engine, until the call is made at which the tool is to die."""

    def __init__(self, folder: Path, nth: int | None = None, side: Side = Side.BEFORE) -> None:
        self.path = folder / "engine.sock"
        self.path.unlink(missing_ok=True)
        # The calls that can change something, in the order of their arrival.
        self.calls: list[str] = []
        # Whether the moment came.
        self.sprung = False
        self._nth = nth
        self._side = side
        self._victim: subprocess.Popen[str] | None = None
        self._is_known = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Trap:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._listener.close()
        self._cut()
        self.path.unlink(missing_ok=True)

    def watch(self, victim: subprocess.Popen[str]) -> None:
        """Says whom it is to kill: the leader of a process group."""
        self._victim = victim
        self._is_known.set()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with self._lock:
            self._sockets += [client, engine]
        try:
            engine.connect(str(Engine().path))
            with client.makefile("rb") as asked, engine.makefile("rb") as answered:
                while self._one(client, engine, asked, answered):
                    pass
        except (OSError, ValueError):
            # One of both is gone.
            pass
        finally:
            for one in (client, engine):
                _shut(one)
                with self._lock:
                    self._sockets.remove(one)
                one.close()

    def _one(self, client: socket.socket, engine: socket.socket, asked: BinaryIO, answered: BinaryIO) -> bool:
        """Passes on one call and its answer; returns whether another one can follow on this connection."""
        head = _head(asked)
        if not head:
            return False
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        side = self._count(f"{method} {path}") if method in ("POST", "PUT", "DELETE") else None
        if side is Side.BEFORE:
            return self._spring()
        engine.sendall(head)
        _body(head, asked, engine)
        if side is Side.DURING:
            return self._spring()
        if _header(head, b"upgrade"):
            self._both_ways(client, engine, asked, answered)
            return False
        told = _head(answered)
        while told.split(b" ", 2)[1:2] == [b"100"]:
            client.sendall(told)
            told = _head(answered)
        if side is Side.AFTER:
            return self._spring()
        client.sendall(told)
        status = told.split(b" ", 2)[1]
        if method == "HEAD" or status in (b"204", b"304"):
            return True
        if _header(told, b"content-length") or _header(told, b"transfer-encoding"):
            _body(told, answered, client)
            return True
        while piece := answered.read1(65536):  # type: ignore[attr-defined]
            client.sendall(piece)
        return False

    def _count(self, call: str) -> Side | None:
        with self._lock:
            self.calls.append(call)
            return self._side if len(self.calls) == self._nth else None

    def _spring(self) -> bool:
        self._is_known.wait()
        assert self._victim
        self.sprung = True
        kill(self._victim)
        # As the kernel does with the connections of the dead.
        self._cut()
        return False

    def _cut(self) -> None:
        with self._lock:
            for one in self._sockets:
                _shut(one)

    @staticmethod
    def _both_ways(client: socket.socket, engine: socket.socket, asked: BinaryIO, answered: BinaryIO) -> None:
        def pump(source: BinaryIO, to: socket.socket) -> None:
            try:
                while piece := source.read1(65536):  # type: ignore[attr-defined]
                    to.sendall(piece)
                to.shutdown(socket.SHUT_WR)
            except (OSError, ValueError):
                pass

        there = threading.Thread(target=pump, args=(asked, engine), daemon=True)
        there.start()
        pump(answered, client)
        _shut(client)
        there.join()


def kill(victim: subprocess.Popen[str]) -> None:
    """Kills a process and all that it started, without a word."""
    try:
        os.killpg(victim.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _shut(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _head(source: BinaryIO) -> bytes:
    lines = []
    while line := source.readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return b""


def _body(head: bytes, source: BinaryIO, to: socket.socket) -> None:
    """Passes on the body that belongs to a head; none where it tells of none."""
    if _header(head, b"transfer-encoding").lower() == b"chunked":
        while True:
            size = source.readline()
            if not size:
                return
            piece = source.read(int(size.split(b";")[0], 16) + 2) if size.strip() != b"0" else source.readline()
            to.sendall(size + piece)
            if size.strip() == b"0":
                return
    left = int(_header(head, b"content-length") or 0)
    while left and (piece := source.read(min(left, 65536))):
        to.sendall(piece)
        left -= len(piece)
