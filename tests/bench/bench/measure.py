"""Times and memory of whole processes, and what comes of repeating them."""

from __future__ import annotations

import math
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Whose failure ends a row. That of anybody else is a result. What it does may stand behind the name.
OURS = "nself"

# So many turns everybody has, however slow the machine.
LEAST_TURNS = 3
# So many turns the figures are of where nothing is said.
TURNS = 10


class Failed(RuntimeError):
    """A contender could not do what it was asked to."""

    def __init__(self, command: str, code: int, said: str) -> None:
        super().__init__(f"`{command}` ended with {code}: {said}")
        self.said = said


@dataclass(frozen=True)
class Ran:
    """One process from its start to its end."""

    command: tuple[str, ...]
    # Wall clock, in seconds.
    seconds: float
    # Of user and system together, in seconds.
    cpu: float
    # The largest resident set of the process or one of its children, in bytes.
    peak: int
    code: int
    out: str
    err: str

    def ensure(self, *codes: int) -> Ran:
        """Returns itself when it ended with one of `codes` (0 when none is given), and raises otherwise."""
        if self.code not in (codes or (0,)):
            raise Failed(" ".join(self.command), self.code, (self.err.strip() or self.out.strip())[-2000:])
        return self


def run(command: Sequence[str | Path], folder: Path | None = None, env: Mapping[str, str] | None = None,
        timeout: float = 600) -> Ran:
    """Runs a command and measures it.

    GNU time starts it, because the peak of a child begins with that of whoever starts it, and an interpreter is
    larger than what is measured here.
    """
    words = tuple(str(word) for word in command)
    with tempfile.NamedTemporaryFile("r") as figures:
        begin = time.monotonic()
        timed = ("/usr/bin/time", "--quiet", "-f", "%U %S %M", "-o", figures.name, *words)
        # In a group of its own, so that all of it ends where this does not wait for its end.
        with subprocess.Popen(timed, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        seconds = time.monotonic() - begin
        user, system, peak = figures.read().split()[-3:]
    return Ran(words, seconds, float(user) + float(system), int(peak) * 1024, process.returncode, out, err)


@dataclass
class Samples:
    """Repetitions of one measurement, in seconds, bytes or whatever the line's unit says."""

    values: list[float] = field(default_factory=list)
    # Why there are no more of them, in words. Empty where nothing went wrong.
    failure: str = ""

    def add(self, value: float) -> None:
        self.values.append(value)

    @property
    def median(self) -> float:
        return statistics.median(self.values) if self.values else math.nan

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest."""
        return min(self.values, default=math.nan), max(self.values, default=math.nan)


class Turns(list[T]):
    """What came of one contender's turns, as far as it went without a failure."""

    failure: str = ""


def interleaved(repetitions: int, contenders: Mapping[str, Callable[[], T]],
                fewer: Mapping[str, int] | None = None, within: float = math.inf) -> dict[str, Turns[T]]:
    """Lets everybody have a turn, `repetitions` times, each time beginning with another one.

    Whatever else the machine does meanwhile then hits all of them alike. `fewer` says who takes so long that it has
    less turns. A rival that fails has no further turn. On a slow machine no round begins after `within` seconds,
    once there were three.
    """
    begun = time.monotonic()
    names = list(contenders)
    results: dict[str, Turns[T]] = {name: Turns() for name in names}
    for repetition in range(repetitions):
        if repetition >= LEAST_TURNS and time.monotonic() - begun > within:
            break
        begin = repetition % len(names)
        for name in names[begin:] + names[:begin]:
            if results[name].failure or repetition >= (fewer or {}).get(name, repetitions):
                continue
            try:
                results[name].append(contenders[name]())
            except (Failed, subprocess.TimeoutExpired) as error:
                if name.split()[0] == OURS:
                    raise
                results[name].failure = in_words(error)
    return results


def in_words(error: BaseException) -> str:
    """A failure in one line, short enough for a cell: what the program calls its error, or the last that it said."""
    told = error.said if isinstance(error, Failed) else str(error)
    lines = [" ".join(line.strip(" │╷╵").split()) for line in told.splitlines()]
    said = [line for line in lines if line] or [type(error).__name__]
    named = [line for line in said if re.match(r"error\b", line, re.IGNORECASE)]
    told = (named or said[-1:])[0]
    told = re.sub(r"^error:? *", "", told, flags=re.IGNORECASE)
    return f"failed: {told if len(told) <= 80 else told[:79] + '…'}"


def seconds(runs: Sequence[Ran]) -> Samples:
    return Samples([one.seconds for one in runs], getattr(runs, "failure", ""))


def peaks(runs: Sequence[Ran]) -> Samples:
    return Samples([float(one.peak) for one in runs], getattr(runs, "failure", ""))
