"""A model on a simulation session: what a delta can express is recorded, the rest is local.

The session in this process is always complete. One that a service holds, too, gets deltas in
batches: when there are many, when the model is copied or flushed, and at its end.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from tachyon.errors import LimitExceeded, SessionNotFound
from tachyon.graph.deltas import Allocate, Deallocate, Delta, Move, SessionRecord, UpdateProvider
from tachyon.graph.simulation import Session
from tachyon.optimize.model.backing.closing import close_later, prepare
from tachyon.optimize.model.backing.contract import Local
from tachyon.optimize.model.elements import ComputeNode, Element, Instance, StorageNode
from tachyon.optimize.model.records.compute_node import plain

LOG = logging.getLogger(__name__)

#: Deltas that are sent to a service at once.
BATCH = 1000

#: Fields of an element that UPDATE_PROVIDER sets; those of the delta have the same names.
_SERVICE = {
    "status": frozenset({"enabled", "disabled"}),
    "state": frozenset({"up", "down"}),
}


class Sessions(Protocol):
    """The calls on sessions that a model makes (`tachyon.graph.client`)."""

    def get(self, session: str) -> SessionRecord:
        """Return what is known of a session."""

    def history(self, session: str, since: int = 0) -> Sequence[Delta]:
        """Return its deltas."""

    def record(self, session: str, deltas: Sequence[Delta]) -> object:
        """Record deltas, all or none."""

    def fork(self, session: str) -> SessionRecord:
        """Open a session that starts from another's state."""

    def delete(self, session: str) -> None:
        """Forget a session."""


class Remote:
    """A session that a service holds, and how much it was told."""

    def __init__(self, sessions: Sessions, session_id: str, told: int, own: bool) -> None:
        self.sessions = sessions
        self.id = session_id
        self.told = told
        #: Whether the model opened the session, and so ends it.
        self.own = own
        #: Whether the service takes no more deltas of this session.
        self.full = False

    def send(self, session: Session) -> None:
        """Tell the service of the deltas that it does not know.

        A strategy may make more moves than a service keeps of one session. The session in this
        process has them all, so it goes on alone.
        """
        if session.delta_count > self.told and not self.full:
            deltas = session.deltas[self.told :]
            try:
                self.sessions.record(self.id, deltas)
            except LimitExceeded as error:
                self.full = True
                LOG.warning("session %s is told no more of its deltas: %s", self.id, error)
            else:
                self.told += len(deltas)

    def end(self) -> None:
        """Forget the session, if nobody has done so."""
        try:
            self.sessions.delete(self.id)
        except SessionNotFound:
            pass


class InSession(Local):
    """A session in this process, and at a service where `remote` says so."""

    def __init__(self, session: Session, remote: Remote | None = None) -> None:
        super().__init__(session.view)
        self._session = session
        self.remote = remote
        #: Consumers that were taken away and not placed again, with where they stood.
        self._displaced: dict[str, str] = {}
        if remote is not None:
            prepare()
            ending = remote.end if remote.own else partial(remote.send, session)
            weakref.finalize(self, close_later, ending).atexit = False

    @property
    def session(self) -> Session:
        """The session with all that was done in the model."""
        self.settle()
        return self._session

    def move(self, child: Element, source: str, target: str) -> None:
        """Record a MOVE; room is not checked, as Watcher's model does not."""
        self._move(_key(child), source, target)

    def _move(self, consumer: str, source: str, target: str) -> None:
        if self._stands(consumer, source) and self._knows(target):
            self._record(
                Move(
                    consumer_uuid=consumer,
                    from_provider=source,
                    to_provider=target,
                    overcommit=True,
                )
            )

    def place(self, child: Element, target: str, holds: Mapping[str, int]) -> None:
        """Record a MOVE of what was taken away before, an ALLOCATE of what stood nowhere."""
        consumer = _key(child)
        source = self._displaced.pop(consumer, None)
        if source is not None:
            if source != target:
                self._move(consumer, source, target)
            return
        row = self._session.state.find_consumer(consumer)
        if (row is not None and self._session.state.home(row) >= 0) or not self._knows(target):
            return
        stocked = {name for name, _ in self.view.stocked(self.view.provider_row(target))}
        resources = {name: amount for name, amount in holds.items() if amount and name in stocked}
        if resources:
            self._record(
                Allocate(
                    consumer_uuid=consumer,
                    to_provider=target,
                    resources=resources,
                    consumer_type="instance" if isinstance(child, Instance) else "volume",
                    overcommit=True,
                    **_described(child),
                )
            )

    def displace(self, child: Element, source: str) -> None:
        """Note that a consumer was taken away; a DEALLOCATE, unless it is placed again."""
        consumer = _key(child)
        if self._stands(consumer, source):
            self._displaced[consumer] = source

    def wrote(self, element: Element, name: str) -> None:
        """Record an UPDATE_PROVIDER where a service's status, state or reason was written."""
        if not isinstance(element, ComputeNode | StorageNode):
            return
        value = plain(element.get(name, None))
        if name == "disabled_reason" or value in _SERVICE.get(name, ()):
            key = element.__dict__[element.key_field]
            if self._knows(key):
                self._record(UpdateProvider(provider_uuid=key, **{name: value}))

    def drop(self, element: Element) -> None:
        """Forget that it was taken away: what is removed is hidden, not deallocated."""
        self._displaced.pop(_key(element), None)

    def _stands(self, consumer: str, provider: str) -> bool:
        state = self._session.state
        row = state.find_consumer(consumer)
        home = -1 if row is None else state.home(row)
        return home >= 0 and self.view.providers.uuid[home] == provider

    def _knows(self, provider: str) -> bool:
        row = self.view.providers.index.get(provider, -1)
        return 0 <= row < self.view.provider_rows and self.view.providers.record[row] is not None

    def _record(self, delta: Delta) -> None:
        self._session.record(delta)
        remote = self.remote
        if remote is not None and self._session.delta_count - remote.told >= BATCH:
            remote.send(self._session)

    def settle(self) -> None:
        """Record a DEALLOCATE of what was taken away and not placed again."""
        while self._displaced:
            consumer, source = self._displaced.popitem()
            self._record(Deallocate(consumer_uuid=consumer, from_provider=source))

    def flush(self) -> None:
        """Record what is pending, and send the service what it does not know."""
        self.settle()
        if self.remote is not None:
            self.remote.send(self._session)

    def fork(self) -> InSession:
        """Return a fork of the session, at the service too."""
        self.settle()
        remote = self.remote
        if remote is None:
            return InSession(self._session.fork())
        remote.send(self._session)
        if remote.full:
            return InSession(self._session.fork())
        record = remote.sessions.fork(remote.id)
        return InSession(
            self._session.fork(record.id),
            Remote(remote.sessions, record.id, self._session.delta_count, own=True),
        )

    def close(self) -> None:
        """Forget the session if the model opened it, else send what is pending."""
        if self.remote is not None:
            if self.remote.own:
                self.remote.end()
            else:
                self.flush()


def _key(element: Element) -> str:
    return str(element.__dict__[element.key_field])


def _described(child: Element) -> dict[str, Any]:
    """Return what an ALLOCATE says of a consumer that the graph does not know."""
    found = {}
    for name in ("name", "project_id", "pinned_az"):
        value = child.__dict__.get(name)
        if value:
            found[name] = value
    return found
