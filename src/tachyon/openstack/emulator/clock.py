"""The emulated cloud's time, and the work that takes some of it.

Work is a generator: what it does up to a `yield` happens at once, the number that it yields is how
many seconds pass before it goes on. `SystemClock` lets them pass in threads of the emulator, as
many times faster as it is told; with `ManualClock` they pass when a test says so.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

LOG = logging.getLogger(__name__)

#: Seconds to wait go out; what woke the work early, or None, comes in.
Work = Generator[float, str | None, None]


class Operation:
    """Work under way. `clock.wake` ends its present wait early, with a word of why."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.done = False
        #: Rises with each step, so that a wait that ended early does not end again.
        self.step = 0


class Clock:
    """What both clocks have in common: now, and what is due when.

    All work runs under `lock`, which is the whole emulated cloud's: between two yields nobody else
    sees or changes anything.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._due: list[tuple[float, int, Operation, int]] = []
        self._order = itertools.count()

    def seconds(self) -> float:
        """Return the emulated seconds since the clock was made."""
        raise NotImplementedError

    def now(self) -> datetime:
        """Return the emulated time."""
        raise NotImplementedError

    def begin(self, work: Work) -> Operation:
        """Do the first step of some work now, and the others when they are due."""
        operation = Operation(work)
        with self.lock:
            self._resume(operation, None)
        return operation

    def wake(self, operation: Operation, word: str) -> None:
        """Let work that waits go on now, telling it why."""
        with self.lock:
            if not operation.done:
                self._resume(operation, word)

    @property
    def idle(self) -> bool:
        """Whether no work is under way."""
        with self.lock:
            return not any(operation.step == step for _, _, operation, step in self._due)

    def _resume(self, operation: Operation, word: str | None) -> None:
        operation.step += 1
        try:
            pause = operation.work.send(word)
        except StopIteration:
            operation.done = True
            return
        except Exception:
            operation.done = True
            LOG.exception("emulated work failed")
            return
        due = self.seconds() + pause
        heapq.heappush(self._due, (due, next(self._order), operation, operation.step))
        self._arranged()

    def _arranged(self) -> None:
        """Note that the next due time may have changed."""

    def _run_due(self) -> float | None:
        """Do all that is due; return when the next step is, or None if there is none."""
        with self.lock:
            while self._due:
                due, _, operation, step = self._due[0]
                if operation.step != step:
                    heapq.heappop(self._due)
                    continue
                if due > self.seconds():
                    return due
                heapq.heappop(self._due)
                self._resume(operation, None)
        return None

    def close(self) -> None:
        """Let no more time pass."""


class ManualClock(Clock):
    """A clock that stands still until `advance` is called."""

    def __init__(self, start: datetime | None = None) -> None:
        super().__init__()
        self._start = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._seconds = 0.0

    def seconds(self) -> float:  # noqa: D102
        return self._seconds

    def now(self) -> datetime:  # noqa: D102
        return self._start + timedelta(seconds=self._seconds)

    def advance(self, seconds: float) -> None:
        """Let emulated seconds pass, doing on the way what is due, each thing at its time."""
        with self.lock:
            end = self._seconds + seconds
            while (due := self._run_due()) is not None and due <= end:
                self._seconds = due
            self._seconds = end

    def settle(self) -> None:
        """Let as much time pass as all work under way takes."""
        with self.lock:
            while (due := self._run_due()) is not None:
                self._seconds = due


class SystemClock(Clock):
    """A clock that goes `scale` times as fast as the machine's."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self._scale = scale
        self._base = time.monotonic()
        self._start = datetime.now(UTC)
        self._changed = threading.Condition(self.lock)
        self._closed = False
        self._thread: threading.Thread | None = None

    def seconds(self) -> float:  # noqa: D102
        return (time.monotonic() - self._base) * self._scale

    def now(self) -> datetime:  # noqa: D102
        return self._start + timedelta(seconds=self.seconds())

    def _arranged(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="emulated-clock", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                due = self._run_due()
                wait = None if due is None else max(0.0, (due - self.seconds()) / self._scale)
                self._changed.wait(wait)

    def close(self) -> None:  # noqa: D102
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=5)
