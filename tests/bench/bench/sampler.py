"""Asks services over loopback, over and over, and notes when they did not answer: `python3 -m bench.sampler PORT...`.

It is a process of its own, so that what it measures does not wait for whoever asked for it. It begins when all
answer, which it says with a line, and ends when its standard input does; then it prints what it saw as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time

# Seconds between two requests to one service.
PERIOD = 0.02
# A service that says nothing for so long is away.
PATIENCE = 1.0
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"


class Question(asyncio.Protocol):
    """One request on a connection of its own."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.settle(data.startswith(b"HTTP/1.1 200"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.settle(False)

    def settle(self, answered: bool) -> None:
        if not self.answered.done():
            self.answered.set_result(answered)


class Watch:
    """What was seen of one service."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked = 0
        self.failed = 0
        # Each from the beginning of the first request that failed to the answer of the first that did not, in seconds
        # of the monotonic clock.
        self.away: list[tuple[float, float]] = []
        self.since: float | None = None

    async def ask(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                loop = asyncio.get_running_loop()
                transport, question = await loop.create_connection(Question, "127.0.0.1", self.port)
                try:
                    return await question.answered
                finally:
                    transport.abort()
        except OSError:
            return False

    async def look(self) -> None:
        begin = time.monotonic()
        answered = await self.ask()
        self.asked += 1
        if not answered:
            self.failed += 1
            self.since = begin if self.since is None else self.since
        elif self.since is not None:
            self.away.append((self.since, time.monotonic()))
            self.since = None

    async def keep_looking(self, phase: float, over: asyncio.Event) -> None:
        # Spread over the period, so that the services are not asked all at once.
        due = time.monotonic() + phase
        while not over.is_set():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self.look()
            # What was missed is not made up for: that would be a burst.
            due = max(due + PERIOD, time.monotonic())


async def main(ports: list[int]) -> None:
    watches = [Watch(port) for port in ports]
    for watch in watches:
        while not await watch.ask():
            await asyncio.sleep(PERIOD)
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, over.set)
    print("all answer", flush=True)
    begin = time.monotonic()
    await asyncio.gather(*(
        watch.keep_looking(PERIOD * number / len(watches), over) for number, watch in enumerate(watches)))
    took = time.monotonic() - begin
    used = resource.getrusage(resource.RUSAGE_SELF)
    json.dump({
        # By port.
        "away": {watch.port: watch.away + ([(watch.since, time.monotonic())] if watch.since is not None else [])
                 for watch in watches},
        "asked": sum(watch.asked for watch in watches),
        "failed": sum(watch.failed for watch in watches),
        # Requests a second to the service that was asked least.
        "rate": min(watch.asked for watch in watches) / took,
        # Of one core.
        "load": (used.ru_utime + used.ru_stime) / took,
    }, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main([int(word) for word in sys.argv[1:]]))
