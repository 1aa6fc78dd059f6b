"""Batches of events into the graph: handled, read again where need be, written in one transaction.

Called by the listener and by tests. Applying the same events twice, or in another order, ends in
the same graph.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from msgspec import Struct, field

from tachyon.errors import CloudUnavailable, Conflict, InvalidInput, StoreUnavailable
from tachyon.graph.client import GraphClient
from tachyon.graph.mutations import AnyMutation, Expected
from tachyon.openstack.connection import Connection
from tachyon.openstack.mapping.answers import MISSHAPEN, misshapen
from tachyon.openstack.notifications.contract import Handler, Outcome, Rereader
from tachyon.openstack.notifications.events import Event
from tachyon.openstack.notifications.work import Later, Work

LOG = logging.getLogger(__name__)

#: How often a batch is worked out anew because somebody else changed the same things meanwhile.
_ATTEMPTS = 5
#: Seconds after which what was not settled is read again; the last one is given up after.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
#: What can become of an event, the most notable first.
_BY_EFFECT = (
    Outcome.MALFORMED,
    Outcome.READ_AGAIN,
    Outcome.APPLIED,
    Outcome.OLD,
    Outcome.IGNORED,
)


class Applied(Struct):
    """What became of a batch: events by type and outcome, and entities that changed."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    changed: int = 0


class Applier:
    """Applies events. Calls of `apply` and `settle` must not overlap."""

    def __init__(
        self,
        graph: GraphClient,
        cloud: Connection,
        handlers: Iterable[Handler],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Describe an applier.

        Args:
            graph: to change.
            cloud: to read from what events alone cannot tell.
            handlers: of the models that are collected.
            clock: seconds on a monotonic scale, for what is to be read again after a while.
        """
        self._graph = graph
        self._cloud = cloud
        self._handlers = [(re.compile(h.pattern), h) for h in handlers]
        self._found: dict[str, list[Handler]] = {}
        self._clock = clock
        self._later: list[tuple[float, int, Later, int]] = []
        self._pending: dict[Later, int] = {}
        self._count = itertools.count()

    def apply(self, events: Sequence[Event]) -> Applied:
        """Apply a batch of events.

        Raises:
            CloudUnavailable, StoreUnavailable: the events have to be applied again later. What
                could be applied is.
        """
        ordered = sorted(events, key=lambda event: event.at)
        return self._transact(lambda work: self._handle(ordered, work))

    def read_again(self, *wanted: tuple[Rereader, str]) -> Applied:
        """Read again, each by its rereader, keys of which no event told.

        Raises:
            CloudUnavailable, StoreUnavailable: it could not be had, or not be written.
        """

        def demand(work: Work) -> Counter[tuple[str, str]]:
            for rereader, key in wanted:
                work.read_again(rereader, key, datetime.now(UTC))
            return Counter()

        return self._transact(demand)

    def settle(self) -> Applied:
        """Read again what was not settled and is due; see `due_in`."""
        now = self._clock()
        due: dict[Later, int] = {}
        while self._later and self._later[0][0] <= now:
            _, _, later, tried = heapq.heappop(self._later)
            if self._pending.get(later) == tried:
                due[later] = self._pending.pop(later)
        if not due:
            return Applied()
        moment = datetime.now(UTC)

        def demand(work: Work) -> Counter[tuple[str, str]]:
            for later in due:
                known = work.consumer(later.key)
                since = work.known_since("", known.extra if known is not None else None)
                work.read_again(later.rereader, later.key, since.at if since else moment)
            return Counter()

        try:
            return self._transact(demand, due)
        except (CloudUnavailable, StoreUnavailable):
            self._put_off(due, due)
            raise

    @property
    def due_in(self) -> float | None:
        """Seconds until `settle` has something to do; None: nothing waits."""
        return max(0.0, self._later[0][0] - self._clock()) if self._later else None

    def _transact(
        self,
        stage: Callable[[Work], Counter[tuple[str, str]]],
        tries: dict[Later, int] | None = None,
    ) -> Applied:
        for attempt in itertools.count(1):
            work = Work(self._graph.view())
            outcomes = stage(work)
            away: CloudUnavailable | None = None
            try:
                work.carry_out(self._cloud)
            except CloudUnavailable as error:
                away = error
            try:
                changed = self._write(*work.changes())
            except (Conflict, InvalidInput) as error:
                if attempt < _ATTEMPTS:
                    continue
                if isinstance(error, Conflict):
                    # Somebody else keeps changing the same things: later, then.
                    raise StoreUnavailable(f"the graph keeps changing: {error.message}") from error
                changed = self._write_singly(*work.changes())
            for failure in work.failed:
                LOG.warning("what an event is about cannot be read: %s", failure.message)
            self._put_off(work.later, tries or {})
            if away is not None:
                raise away
            return Applied(outcomes, changed)
        raise AssertionError("the loop returns or raises")

    def _write(self, mutations: list[AnyMutation], expected: Expected) -> int:
        return self._graph.apply(mutations, expected).changed if mutations else 0

    def _write_singly(self, mutations: list[AnyMutation], expected: Expected) -> int:
        """Write one by one, so that what the graph refuses does not hold up all else."""
        changed = 0
        for mutation in mutations:
            try:
                changed += self._graph.apply([mutation]).changed
            except (Conflict, InvalidInput) as error:
                LOG.error("what an event told is refused by the graph: %s", error.message)
        return changed

    def _handle(self, events: Sequence[Event], work: Work) -> Counter[tuple[str, str]]:
        outcomes: Counter[tuple[str, str]] = Counter()
        for event in events:
            became = [self._outcome(handler, event, work) for handler in self._handlers_of(event)]
            # Of several handlers that one counts that did most.
            outcome = min(became, key=_BY_EFFECT.index, default=Outcome.UNHANDLED)
            outcomes[event.type, outcome.value] += 1
        return outcomes

    def _outcome(self, handler: Handler, event: Event, work: Work) -> Outcome:
        try:
            return handler.handle(event, work)
        except MISSHAPEN as error:
            LOG.warning("event %s %s %s", event.type, event.id, misshapen(error))
            return Outcome.MALFORMED

    def _handlers_of(self, event: Event) -> list[Handler]:
        found = self._found.get(event.type)
        if found is None:
            found = [h for pattern, h in self._handlers if pattern.fullmatch(event.type)]
            # Types come from outside; they are few, but nobody promises so.
            if len(self._found) < 1000:
                self._found[event.type] = found
        return found

    def _put_off(self, later: Iterable[Later], tries: dict[Later, int]) -> None:
        for item in later:
            tried = tries.get(item, 0)
            if tried >= len(_PAUSES):
                LOG.info("%s is still not settled", item.key)
                continue
            self._pending[item] = tried + 1
            at = self._clock() + _PAUSES[tried]
            heapq.heappush(self._later, (at, next(self._count), item, tried + 1))
