"""Talking to QEMU: commands, events and pictures through its machine protocol (QMP).

``qemu.qmp`` works in an event loop, which gets a thread of its own: a signal raises in the main
thread, wherever that is, and an event loop would swallow what is raised in the middle of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qemu.qmp import QMPClient, QMPError
from qemu.qmp.qmp_client import ExecuteError

from winimagetools.errors import BuildError

# What goes wrong is raised; while QEMU starts, that it does not listen yet is no error.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)

ANSWER_TIME = 20.0
"""Seconds in which QEMU answers unless it hangs, on a machine that swaps, too."""
_CLOSING_TIME = 1.0


class Monitor:
    """A connection to a running QEMU.

    Args:
        log: where every command, answer and event is written.
    """

    def __init__(self, log: Path) -> None:
        self.events: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._log = log.open("a", encoding="utf-8")
        self._writing = threading.Lock()
        self._client = QMPClient("winimagetools")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listening: asyncio.Task[None] | None = None

    def connect(self, socket: Path) -> bool:
        """Try to connect; False when QEMU does not listen yet."""
        try:
            self._wait(self._begin(socket), ANSWER_TIME)
        except (QMPError, OSError):
            return False
        return True

    def execute(self, command: str, **arguments: object) -> Any:
        """Have QEMU do something and return its answer.

        Raises:
            TimeoutError: it does not answer.
            BuildError: it refuses.
            OSError: it is gone.
        """
        self._note(execute=command, arguments=arguments)
        try:
            answer = self._wait(self._client.execute(command, arguments or None), ANSWER_TIME)
        except ExecuteError as error:
            raise BuildError(f"QEMU refused {command}: {error}.") from error
        except (QMPError, EOFError) as error:
            raise OSError(f"QEMU is gone: {error}") from error
        self._note(answer=answer)
        return answer

    def picture(self, path: Path) -> Path | None:
        """Save what the screen shows, as PNG where QEMU can (7.1); None when there is nothing."""
        for kind, more in ((".png", {"format": "png"}), (".ppm", {})):
            with suppress(BuildError, OSError):
                self.execute("screendump", filename=str(path.with_suffix(kind)), **more)
                return path.with_suffix(kind)
        return None

    def close(self) -> None:
        """End the connection, the thread and the log."""
        with suppress(Exception):
            self._wait(self._end(), _CLOSING_TIME)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSING_TIME)
        if not self._thread.is_alive():
            self._loop.close()
        self._log.close()

    async def _begin(self, socket: Path) -> None:
        await self._client.connect(str(socket))
        self._listening = asyncio.create_task(self._listen())
        answer: Any = await self._client.execute("query-status")
        if answer["status"] == "shutdown":
            # The guest was off before anybody listened, and QEMU tells each event once.
            self.events.put({"event": "SHUTDOWN", "data": {"guest": True}})

    async def _end(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        await self._client.disconnect()

    async def _listen(self) -> None:
        async for event in self._client.events:
            self._note(**event)
            self.events.put(dict(event))

    def _wait(self, coroutine: Any, seconds: float) -> Any:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise

    def _note(self, **fields: object) -> None:
        with self._writing, suppress(ValueError):  # closed meanwhile
            self._log.write(json.dumps({"time": time.time(), **fields}, default=str) + "\n")
            self._log.flush()


@contextmanager
def open_monitor(log: Path) -> Iterator[Monitor]:
    """A monitor that is closed whatever happens."""
    monitor = Monitor(log)
    try:
        yield monitor
    finally:
        monitor.close()
