"""The life of sessions: opening, finding, extending, committing, expiring them.

Memory sessions live in one process. Store sessions live in the store, and every process that
shares it serves them alike: what a process holds of one is a cache, compared by version with the
store's record before each use and rebuilt by replaying deltas on the view of its base generation.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from tachyon.errors import (
    InvalidInput,
    LimitExceeded,
    SessionClosed,
    SessionConflict,
    SessionExpired,
    SessionNotFound,
    TachyonError,
)
from tachyon.graph.deltas import Delta, Persistence, SessionRecord, SessionStatus
from tachyon.graph.simulation import commit as committing
from tachyon.graph.simulation.session import Session
from tachyon.graph.store.contract import Applied, Store
from tachyon.graph.view.follower import Follower

#: How often a change of a stored session is tried again when another process was faster.
_TRIES = 5


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds on sessions, so that clients cannot exhaust a service. Times in seconds."""

    sessions: int = 1000
    deltas: int = 100_000
    cached: int = 256
    default_ttl: float = 3600.0
    max_ttl: float = 7 * 86_400.0
    retention: float = 86_400.0


class Statistics(Struct, frozen=True, kw_only=True):
    """Counts of sessions by status and by persistence, and of deltas in active ones."""

    by_status: dict[str, int] = field(default_factory=dict)
    by_persistence: dict[str, int] = field(default_factory=dict)
    deltas: int = 0
    oldest_base_generation: int | None = None


class _Live:
    """A session with its record and the lock that serialises its use."""

    def __init__(self, record: SessionRecord, session: Session) -> None:
        self.record = record
        self.session = session
        self.lock = threading.RLock()


def _now() -> datetime:
    return datetime.now(UTC)


class SessionRegistry:
    """All sessions that this process can serve. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        follower: Follower,
        limits: Limits | None = None,
        *,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.store = store
        self.follower = follower
        self.limits = limits or Limits()
        self._clock = clock
        self._memory: dict[str, _Live] = {}
        self._cache: OrderedDict[str, _Live] = OrderedDict()
        self._lock = threading.RLock()

    def create(
        self,
        *,
        audit_uuid: str | None = None,
        name: str = "",
        ttl: float | None = None,
        persistence: Persistence = "memory",
        deltas: Sequence[Delta] = (),
    ) -> SessionRecord:
        """Open a session on a view that has caught up with the store; `ttl` in seconds.

        Raises:
            LimitExceeded: as many sessions are active as may be, or `deltas` are too many.
            InvalidInput: the ttl is out of bounds.
            The errors of `Session.record_many`, for initial `deltas`.
        """
        self._check_size(len(deltas))
        session = Session(self.follower.current())
        session.record_many(deltas)
        return self._adopt(session, audit_uuid, name, self._expiry(ttl), persistence)

    def fork(
        self,
        session_id: str,
        *,
        audit_uuid: str | None = None,
        name: str = "",
        ttl: float | None = None,
        persistence: Persistence | None = None,
    ) -> SessionRecord:
        """Open a session that starts from another's virtual state."""
        expires_at = self._expiry(ttl)
        with self._active(session_id) as live:
            session = live.session.fork()
            parent = live.record
        return self._adopt(
            session,
            audit_uuid or parent.audit_uuid,
            name,
            expires_at,
            persistence or parent.persistence,
        )

    def _adopt(
        self,
        session: Session,
        audit_uuid: str | None,
        name: str,
        expires_at: datetime,
        persistence: Persistence,
    ) -> SessionRecord:
        record = SessionRecord(
            id=session.id,
            base_generation=session.base_generation,
            created_at=self._clock(),
            expires_at=expires_at,
            audit_uuid=audit_uuid,
            name=name,
            delta_count=session.delta_count,
            persistence=persistence,
        )
        if self._count_active(persistence) >= self.limits.sessions:
            self.expire()
        with self._lock:
            if self._count_active(persistence) >= self.limits.sessions:
                raise LimitExceeded(
                    f"{self.limits.sessions} simulation sessions are active already",
                    limit=self.limits.sessions,
                )
            if persistence == "memory":
                self._memory[record.id] = _Live(record, session)
                return record
        record = self.store.create_session(record, session.deltas)
        self._remember(_Live(record, session))
        return record

    def _count_active(self, persistence: Persistence) -> int:
        if persistence == "memory":
            return sum(live.record.status == "active" for live in list(self._memory.values()))
        return len(self.store.sessions(status="active"))

    def _expiry(self, ttl: float | None) -> datetime:
        seconds = self.limits.default_ttl if ttl is None else ttl
        if not 0 < seconds <= self.limits.max_ttl:
            raise InvalidInput.at(
                [("ttl", f"{seconds:g} s is not within 0 … {self.limits.max_ttl:g} s")]
            )
        return self._clock() + timedelta(seconds=seconds)

    def get(self, session_id: str) -> SessionRecord:
        """Return a session's record; raises `SessionNotFound`."""
        live = self._memory.get(session_id)
        record = live.record if live is not None else self.store.session(session_id)
        if record.status == "active" and record.expires_at <= self._clock():
            self.expire()
            live = self._memory.get(session_id)
            record = live.record if live is not None else self.store.session(session_id)
        return record

    def sessions(
        self, *, audit_uuid: str | None = None, status: SessionStatus | None = None
    ) -> list[SessionRecord]:
        """List sessions by creation time, those of an audit or in a status."""
        self.expire()
        mine = [
            live.record
            for live in list(self._memory.values())
            if (audit_uuid is None or live.record.audit_uuid == audit_uuid)
            and (status is None or live.record.status == status)
        ]
        stored = self.store.sessions(audit_uuid=audit_uuid, status=status)
        return sorted([*mine, *stored], key=lambda r: (r.created_at, r.id))

    def extend(self, session_id: str, ttl: float | None = None) -> SessionRecord:
        """Let an active session live for `ttl` seconds from now."""
        expires_at = self._expiry(ttl)
        return self._change(
            session_id,
            lambda live: self.store.update_session(
                session_id, version=live.record.version, expires_at=expires_at
            ),
            lambda record: replace(record, expires_at=expires_at),
        )

    def delete(self, session_id: str) -> None:
        """Forget a session in whatever status; raises `SessionNotFound`."""
        if self._memory.pop(session_id, None) is None:
            self._cache.pop(session_id, None)
            self.store.delete_session(session_id)

    @contextmanager
    def use(self, session_id: str) -> Iterator[Session]:
        """Give a session to read from, active or committed, for the time of the block.

        Raises:
            SessionNotFound, SessionExpired, SessionClosed (it was rolled back).
        """
        with self._held(session_id) as live:
            if live.record.status not in ("active", "committed"):
                raise SessionClosed(session_id, live.record.status)
            yield live.session
            live.session.state.forget()

    def record(self, session_id: str, deltas: Sequence[Delta]) -> SessionRecord:
        """Record deltas in order, all or none; see `Session.record_many`."""

        def local(session: Session) -> None:
            self._check_size(session.delta_count + len(deltas))
            session.record_many(deltas)

        return self._edit(
            session_id,
            local,
            lambda session: session.undo(len(deltas)),
            lambda version: self.store.append_deltas(session_id, deltas, version),
        )

    def _check_size(self, deltas: int) -> None:
        if deltas > self.limits.deltas:
            raise LimitExceeded(
                f"a session holds at most {self.limits.deltas} deltas", limit=self.limits.deltas
            )

    def undo(self, session_id: str, count: int = 1) -> SessionRecord:
        """Take back the last `count` deltas; raises `NothingToUndo`."""
        undone: list[Delta] = []

        def local(session: Session) -> None:
            undone[:] = session.undo(count)

        return self._edit(
            session_id,
            local,
            lambda session: session.record_many(reversed(undone)),
            lambda version: self.store.undo_deltas(session_id, count, version),
        )

    def _edit(
        self,
        session_id: str,
        local: Callable[[Session], None],
        back: Callable[[Session], object],
        stored: Callable[[int], SessionRecord],
    ) -> SessionRecord:
        """Change a session here and in the store; start again when another process was faster."""
        for attempt in range(_TRIES):
            with self._active(session_id) as live:
                local(live.session)
                if live.record.persistence == "memory":
                    live.record = replace(
                        live.record,
                        delta_count=live.session.delta_count,
                        version=live.record.version + 1,
                    )
                    return live.record
                try:
                    live.record = stored(live.record.version)
                except SessionConflict:
                    back(live.session)
                    if attempt == _TRIES - 1:
                        raise
                except TachyonError:
                    back(live.session)
                    raise
                else:
                    return live.record
        raise AssertionError("unreachable")

    def commit(self, session_id: str) -> Applied:
        """Bring a session's net effect about in the graph, in one guarded transaction.

        Raises:
            GenerationConflict: something that the session touches has changed since its base;
                the session stays active.
        """
        closed_at = self._clock()
        with self._active(session_id) as live:
            wanted = committing.mutations(live.session)
            guard = committing.expected(live.session)
            if live.record.persistence == "memory":
                applied = self.store.apply(wanted, guard)
                live.record = replace(
                    live.record,
                    status="committed",
                    closed_at=closed_at,
                    version=live.record.version + 1,
                )
                return applied
            applied = self.store.commit_session(
                session_id, wanted, guard, version=live.record.version, closed_at=closed_at
            )
            live.record = self.store.session(session_id)
            return applied

    def rollback(self, session_id: str) -> SessionRecord:
        """Throw a session's deltas away and close it."""
        closed_at = self._clock()
        record = self._change(
            session_id,
            lambda live: self.store.update_session(
                session_id, version=live.record.version, status="rolled_back", closed_at=closed_at
            ),
            lambda record: replace(
                record, status="rolled_back", closed_at=closed_at, delta_count=0
            ),
        )
        self._cache.pop(session_id, None)
        return record

    def _change(
        self,
        session_id: str,
        stored: Callable[[_Live], SessionRecord],
        local: Callable[[SessionRecord], SessionRecord],
    ) -> SessionRecord:
        for attempt in range(_TRIES):
            with self._active(session_id) as live:
                if live.record.persistence == "memory":
                    changed = local(live.record)
                    live.record = replace(changed, version=live.record.version + 1)
                    if changed.status != "active":
                        live.session = Session(live.session.view, session_id)
                    return live.record
                try:
                    live.record = stored(live)
                except SessionConflict:
                    if attempt == _TRIES - 1:
                        raise
                else:
                    return live.record
        raise AssertionError("unreachable")

    def validate(self, session_id: str) -> committing.Validation:
        """Tell whether a session can be committed now, naming every conflict."""
        with self.use(session_id) as session:
            return committing.validate(session, self.follower.current())

    def expire(self) -> list[str]:
        """Close sessions whose time has passed and forget those closed long ago; returns ids.

        Any process may run this at any time.
        """
        now = self._clock()
        expired: list[str] = []
        forgotten = now - timedelta(seconds=self.limits.retention)
        for session_id, live in list(self._memory.items()):
            record = live.record
            ends = record.expires_at if record.status == "active" else record.closed_at
            if ends is None or ends > now:
                continue
            # Not under the registry's lock: whoever uses the session may call us from within.
            with live.lock:
                record = live.record
                if record.status == "active" and record.expires_at <= now:
                    live.record = replace(
                        record,
                        status="expired",
                        closed_at=now,
                        delta_count=0,
                        version=record.version + 1,
                    )
                    live.session = Session(live.session.view, session_id)
                    expired.append(session_id)
                elif record.closed_at is not None and record.closed_at <= forgotten:
                    self._memory.pop(session_id, None)
        expired.extend(self.store.expire_sessions(now))
        return expired

    def purge(self) -> int:
        """Delete stored sessions that were closed longer ago than the retention time."""
        forgotten = self._clock() - timedelta(seconds=self.limits.retention)
        old = [
            r.id
            for r in self.store.sessions()
            if r.closed_at is not None and r.closed_at <= forgotten
        ]
        for session_id in old:
            try:
                self.delete(session_id)
            except SessionNotFound:
                continue
        return len(old)

    def statistics(self) -> Statistics:
        """Count sessions by status and persistence."""
        by_status: dict[str, int] = {}
        by_persistence: dict[str, int] = {}
        records = self.sessions()
        for record in records:
            by_status[record.status] = by_status.get(record.status, 0) + 1
            by_persistence[record.persistence] = by_persistence.get(record.persistence, 0) + 1
        active = [r for r in records if r.status == "active"]
        return Statistics(
            by_status=by_status,
            by_persistence=by_persistence,
            deltas=sum(r.delta_count for r in active),
            oldest_base_generation=min((r.base_generation for r in active), default=None),
        )

    @contextmanager
    def _active(self, session_id: str) -> Iterator[_Live]:
        with self._held(session_id) as live:
            if live.record.status != "active":
                raise SessionClosed(session_id, live.record.status)
            yield live

    @contextmanager
    def _held(self, session_id: str) -> Iterator[_Live]:
        """Give a session with its lock held and its content as the store has it."""
        live = self._memory.get(session_id)
        if live is not None:
            with live.lock:
                self._check_time(live.record)
                yield live
            return
        live = self._cached(session_id)
        with live.lock:
            self._synchronise(live)
            yield live

    def _check_time(self, record: SessionRecord) -> None:
        past = record.status == "active" and record.expires_at <= self._clock()
        if past or record.status == "expired":
            raise SessionExpired(record.id)

    def _cached(self, session_id: str) -> _Live:
        with self._lock:
            live = self._cache.get(session_id)
            if live is not None:
                self._cache.move_to_end(session_id)
                return live
        record = self.store.session(session_id)
        self._check_time(record)
        session = Session(self.follower.at(record.base_generation), session_id)
        return self._remember(_Live(replace(record, version=-1), session))

    def _remember(self, live: _Live) -> _Live:
        with self._lock:
            live = self._cache.setdefault(live.record.id, live)
            while len(self._cache) > self.limits.cached:
                self._cache.popitem(last=False)
            return live

    def _synchronise(self, live: _Live) -> None:
        """Replay what other processes recorded or took back since this one looked last."""
        record = self.store.session(live.record.id)
        self._check_time(record)
        if record.version == live.record.version:
            return
        session = live.session
        deltas = self.store.deltas(record.id)
        same = 0
        for mine, theirs in zip(session.deltas, deltas, strict=False):
            if mine != theirs:
                break
            same += 1
        session.undo(session.delta_count - same)
        session.record_many(deltas[same:])
        live.record = record
