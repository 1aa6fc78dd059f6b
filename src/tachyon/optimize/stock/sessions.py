"""The sessions of audits: they bear the engine's name and live as long as the engine uses them.

A model ends its session when it is forgotten. A session whose engine was killed is ended by its
time to live; so that this can be short, a thread extends the sessions in use.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from tachyon.errors import TachyonError
from tachyon.graph.client import GraphClient
from tachyon.graph.deltas import Delta, SessionRecord
from tachyon.graph.mutations import AnyMutation, Expected
from tachyon.graph.view import View

LOG = logging.getLogger(__name__)


class AuditSessions:
    """Opens and ends sessions for models; see `tachyon.optimize.model`.

    Args:
        client: of the graph.
        name: of every session.
        ttl: seconds that a session lives when it is not extended any more.
    """

    def __init__(self, client: GraphClient, name: str, ttl: float) -> None:
        self._client = client
        self._name = name
        self._ttl = ttl
        self._lock = threading.Lock()
        self._open: set[str] = set()
        self._extending: threading.Thread | None = None

    def create(self) -> SessionRecord:
        """Open a session on the graph as it is now."""
        return self._keep(self._client.sessions.create(name=self._name, ttl=self._ttl))

    def fork(self, session: str) -> SessionRecord:
        """Open a session that starts from another's state."""
        return self._keep(self._client.sessions.fork(session, name=self._name, ttl=self._ttl))

    def get(self, session: str) -> SessionRecord:
        """Return what is known of a session."""
        return self._client.sessions.get(session)

    def history(self, session: str, since: int = 0) -> Sequence[Delta]:
        """Return a session's deltas."""
        return self._client.sessions.history(session, since)

    def record(self, session: str, deltas: Sequence[Delta]) -> object:
        """Record deltas, all or none."""
        return self._client.sessions.record(session, deltas)

    def delete(self, session: str) -> None:
        """Forget a session."""
        with self._lock:
            self._open.discard(session)
        self._client.sessions.delete(session)

    def extend(self) -> None:
        """Let every session in use live for the whole time from now."""
        with self._lock:
            found = list(self._open)
        for session in found:
            try:
                self._client.sessions.extend(session, self._ttl)
            except TachyonError as error:
                LOG.warning("session %s cannot be extended: %s", session, error.message)

    def _keep(self, record: SessionRecord) -> SessionRecord:
        with self._lock:
            self._open.add(record.id)
            if self._extending is None:
                self._extending = threading.Thread(
                    target=self._run, name="tachyon-sessions", daemon=True
                )
                self._extending.start()
        return record

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._ttl / 3)
            self.extend()


class AuditClient:
    """A client of the graph as the models of audits see it."""

    def __init__(self, client: GraphClient, name: str, ttl: float) -> None:
        self._client = client
        self.sessions = AuditSessions(client, name, ttl)

    def view(self) -> View:
        """Return the graph as it is now."""
        return self._client.view()

    def view_at(self, generation: int) -> View:
        """Return the graph as it was."""
        return self._client.view_at(generation)

    def apply(self, mutations: Sequence[AnyMutation], expected: Expected | None = None) -> object:
        """Apply mutations in one transaction."""
        return self._client.apply(mutations, expected)
