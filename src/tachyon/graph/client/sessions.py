"""Simulation sessions as a client sees them: the names are those of the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tachyon.graph.client.caller import Caller, T
from tachyon.graph.deltas import Delta, Persistence, SessionRecord, SessionStatus
from tachyon.graph.entities import ResourceProvider
from tachyon.graph.service import bodies as b
from tachyon.graph.simulation.commit import NetEffect, Validation
from tachyon.graph.simulation.comparison import Comparison
from tachyon.graph.simulation.registry import Statistics
from tachyon.graph.simulation.session import Placement, Usage


class Sessions(Caller):
    """The operations on simulation sessions. Each may raise what its Python namesake raises."""

    def create(
        self,
        *,
        audit_uuid: str | None = None,
        name: str = "",
        ttl: float | None = None,
        persistence: Persistence | None = None,
        deltas: Sequence[Delta] = (),
    ) -> SessionRecord:
        """Open a session on the graph as it is now; `ttl` in seconds."""
        body = b.NewSession(
            audit_uuid=audit_uuid, name=name, ttl=ttl, persistence=persistence, deltas=list(deltas)
        )
        return self._call("sessions.create", SessionRecord, body=body)

    def get(self, session: str) -> SessionRecord:
        """Return what is known of a session, without its deltas."""
        return self._call("sessions.get", SessionRecord, {"session": session})

    def list(
        self, *, audit_uuid: str | None = None, status: SessionStatus | None = None
    ) -> list[SessionRecord]:
        """Return sessions by creation time, those of an audit or in a status."""
        query = {"audit_uuid": audit_uuid, "status": status}
        return self._pages("sessions.list", b.SessionList, query, lambda page: page.sessions)

    def extend(self, session: str, ttl: float | None = None) -> SessionRecord:
        """Let a session live for `ttl` seconds from now."""
        return self._session("extend", SessionRecord, session, body=b.Extension(ttl))

    def delete(self, session: str) -> None:
        """Forget a session in whatever status."""
        self._call("sessions.delete", object, {"session": session})

    def record(self, session: str, deltas: Delta | Sequence[Delta]) -> b.Recorded:
        """Record one delta or several, all or none; returns the usages that they changed."""
        body = list(deltas) if isinstance(deltas, Sequence) else deltas
        return self._session("record", b.Recorded, session, body=body)

    def undo(self, session: str, count: int = 1) -> b.Recorded:
        """Take back the last `count` deltas."""
        return self._session("undo", b.Recorded, session, body=b.Undo(count))

    def history(self, session: str, since: int = 0) -> Sequence[Delta]:
        """Return the deltas in effect, oldest first, from position `since` (from 0)."""
        return self._session("history", b.History, session, query={"since": since}).deltas

    def fork(
        self,
        session: str,
        *,
        audit_uuid: str | None = None,
        name: str = "",
        ttl: float | None = None,
        persistence: Persistence | None = None,
    ) -> SessionRecord:
        """Open a session that starts from another's virtual state."""
        body = b.Fork(audit_uuid=audit_uuid, name=name, ttl=ttl, persistence=persistence)
        return self._session("fork", SessionRecord, session, body=body)

    def placements(
        self, session: str, consumers: Sequence[str] | None = None
    ) -> dict[str, Placement]:
        """Return host and allocations by consumer uuid, of all or of those named."""
        if consumers is None:
            return self._session("placements", b.Placements, session).placements
        body = b.PlacementsOf([*consumers])
        return self._session("find_placements", b.Placements, session, body=body).placements

    def usages(
        self, session: str, providers: Sequence[str] | None = None
    ) -> dict[str, dict[str, Usage]]:
        """Return usage by provider uuid and class, of all providers or of those named."""
        if providers is None:
            return self._session("usages", b.Usages, session).usages
        body = b.UsagesOf([*providers])
        return self._session("find_usages", b.Usages, session, body=body).usages

    def provider(self, session: str, uuid: str) -> ResourceProvider:
        """Return a provider as it is in a session."""
        path = {"session": session, "uuid": uuid}
        return self._call("sessions.provider", ResourceProvider, path)

    def consumers_of(self, session: str, provider: str) -> Sequence[str]:
        """Return the consumers that hold something on a provider, in the order of arrival."""
        path = {"session": session, "uuid": provider}
        return self._call("sessions.consumers_of", b.Names, path).consumers

    def destinations(
        self,
        session: str,
        consumer: str,
        limits: Mapping[str, float] | None = None,
        *,
        reasons: bool = False,
    ) -> b.Found:
        """Find where a consumer could go; with `reasons`, why not elsewhere."""
        body = b.DestinationsOf(consumer_uuid=consumer, limits=dict(limits or {}), reasons=reasons)
        return self._session("destinations", b.Found, session, body=body)

    def metrics(
        self, session: str, *, types: Sequence[str] = (), in_service: bool = False
    ) -> b.Metrics:
        """Return load metrics by class, of a session and of its base."""
        query = {"type": types, "in_service": in_service}
        return self._session("metrics", b.Metrics, session, query=query)

    def evaluate(
        self,
        session: str,
        candidates: Sequence[Delta | Sequence[Delta]],
        *,
        metrics: Sequence[b.MetricName] = ("std_deviation",),
        types: Sequence[str] | None = None,
        in_service: bool = False,
    ) -> b.Evaluated:
        """Judge many candidates (a delta, or a list of deltas, each), recording none."""
        body = b.Candidates(
            candidates=[[*c] if isinstance(c, Sequence) else c for c in candidates],
            metrics=[*metrics],
            types=None if types is None else [*types],
            in_service=in_service,
        )
        return self._session("evaluate", b.Evaluated, session, body=body)

    def compare(self, session: str, other: str | None = None) -> Comparison:
        """Compare a session with another one, or with the graph as it is now."""
        return self._session("compare", Comparison, session, query={"other": other})

    def effect(self, session: str) -> NetEffect:
        """Return what a session's deltas amount to."""
        return self._session("effect", NetEffect, session)

    def validate(self, session: str) -> Validation:
        """Tell whether a session can be committed now, naming every conflict."""
        return self._session("validate", Validation, session)

    def commit(self, session: str) -> b.Committed:
        """Bring a session's net effect about in the graph."""
        return self._session("commit", b.Committed, session)

    def rollback(self, session: str) -> SessionRecord:
        """Throw a session's deltas away and close it."""
        return self._session("rollback", SessionRecord, session)

    def expire(self) -> Sequence[str]:
        """Close every session whose time has passed; returns their ids."""
        return self._call("sessions.expire", b.Expired).expired

    def statistics(self) -> Statistics:
        """Count sessions by status and persistence."""
        return self._call("sessions.statistics", Statistics)

    def _session(self, name: str, returns: type[T], session: str, **given: Any) -> T:
        return self._call(f"sessions.{name}", returns, {"session": session}, **given)
