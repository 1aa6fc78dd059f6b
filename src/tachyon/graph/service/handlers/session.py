"""Simulation sessions: every operation of the registry and of the session itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

import numpy as np

from tachyon.errors import InvalidInput, LimitExceeded
from tachyon.graph.deltas import Delta, Persistence, UpdateProvider
from tachyon.graph.service import bodies as b
from tachyon.graph.service.call import Answer, Call
from tachyon.graph.service.model import Model
from tachyon.graph.simulation import commit as committing
from tachyon.graph.simulation.comparison import compare as compared
from tachyon.graph.simulation.session import Session
from tachyon.graph.view.columns import F64, Bool


def create(model: Model, call: Call) -> Answer:
    """Open a session on the graph as it is now."""
    body: b.NewSession = call.body
    record = model.registry.create(
        audit_uuid=body.audit_uuid,
        name=body.name,
        ttl=body.ttl,
        persistence=_persistence(model, body.persistence) or model.options.persistence,
        deltas=body.deltas,
    )
    return Answer(record, record.base_generation)


def _persistence(model: Model, asked: Persistence | None) -> Persistence | None:
    if asked == "memory" and model.options.shared:
        raise InvalidInput.at(
            [("persistence", "several processes serve; one's memory is unknown to the others")]
        )
    return asked


def get(model: Model, call: Call) -> Answer:
    """Return what is known of a session, without its deltas."""
    return Answer(model.registry.get(call.path["session"]))


def sessions(model: Model, call: Call) -> Answer:
    """List sessions by creation time."""
    query: b.SessionQuery = call.query
    found = model.registry.sessions(audit_uuid=query.audit_uuid, status=query.status)
    if query.marker is not None:
        ids = [record.id for record in found]
        if query.marker not in ids:
            raise InvalidInput.at([("query.marker", f"no session {query.marker} in the list")])
        found = found[ids.index(query.marker) + 1 :]
    limit = query.limit or model.options.page
    page = found[:limit]
    return Answer(b.SessionList(page, page[-1].id if len(found) > limit else None))


def extend(model: Model, call: Call) -> Answer:
    """Let a session live for some seconds from now."""
    body: b.Extension = call.body
    return Answer(model.registry.extend(call.path["session"], body.ttl))


def delete(model: Model, call: Call) -> Answer:
    """Forget a session in whatever status."""
    model.registry.delete(call.path["session"])
    return Answer(None)


def record(model: Model, call: Call) -> Answer:
    """Record one delta or a list of them, all or none."""
    body: Delta | list[Delta] = call.body
    deltas = body if isinstance(body, list) else [body]
    session_id = call.path["session"]
    with model.registry.use(session_id) as session:
        with _touching(session, deltas) as touched:
            done = model.registry.record(session_id, deltas)
        return Answer(b.Recorded(done, session.usages(touched)))


def undo(model: Model, call: Call) -> Answer:
    """Take back the last deltas."""
    body: b.Undo = call.body
    session_id = call.path["session"]
    with model.registry.use(session_id) as session:
        with _touching(session, session.deltas[-body.count :]) as touched:
            done = model.registry.undo(session_id, body.count)
        return Answer(b.Recorded(done, session.usages(touched)))


@contextmanager
def _touching(session: Session, deltas: Iterable[Delta]) -> Iterator[list[str]]:
    """Gather, in a list filled at the end, the providers that deltas update or shift load on."""
    state, providers = session.state, session.view.providers
    rows = state.touched = set()
    touched: list[str] = []
    try:
        yield touched
    finally:
        state.touched = None
    rows.update(providers.index[d.provider_uuid] for d in deltas if isinstance(d, UpdateProvider))
    touched.extend(providers.uuid[row] for row in sorted(rows))


def history(model: Model, call: Call) -> Answer:
    """Return the deltas of a session in effect, oldest first."""
    query: b.Since = call.query
    with _session(model, call) as session:
        return Answer(b.History(list(session.deltas[query.since :])))


def fork(model: Model, call: Call) -> Answer:
    """Open a session that starts from this one's virtual state."""
    body: b.Fork = call.body
    made = model.registry.fork(
        call.path["session"],
        audit_uuid=body.audit_uuid,
        name=body.name,
        ttl=body.ttl,
        persistence=_persistence(model, body.persistence),
    )
    return Answer(made, made.base_generation)


def placements(model: Model, call: Call) -> Answer:
    """Return where consumers are in a session: all, or those that the query names."""
    query: b.ConsumerNames = call.query
    return _placements(model, call, query.consumer or None)


def find_placements(model: Model, call: Call) -> Answer:
    """Return where consumers are in a session: all, or those that the body lists."""
    body: b.PlacementsOf = call.body
    return _placements(model, call, body.consumers)


def _placements(model: Model, call: Call, consumers: Sequence[str] | None) -> Answer:
    with _session(model, call) as session:
        return Answer(b.Placements(session.placements(consumers)))


def usages(model: Model, call: Call) -> Answer:
    """Return usages in a session: of all providers, or of those that the query names."""
    query: b.ProviderNames = call.query
    return _usages(model, call, query.provider or None)


def find_usages(model: Model, call: Call) -> Answer:
    """Return usages in a session: of all providers, or of those that the body lists."""
    body: b.UsagesOf = call.body
    return _usages(model, call, body.providers)


def _usages(model: Model, call: Call, providers: Sequence[str] | None) -> Answer:
    with _session(model, call) as session:
        return Answer(b.Usages(session.usages(providers)))


def provider(model: Model, call: Call) -> Answer:
    """Return a resource provider as it is in a session."""
    with _session(model, call) as session:
        return Answer(session.provider(call.path["uuid"]))


def consumers_of(model: Model, call: Call) -> Answer:
    """Return the consumers that hold something on a provider in a session, as they arrived."""
    with _session(model, call) as session:
        return Answer(b.Names(session.consumers_of(call.path["uuid"])))


def destinations(model: Model, call: Call) -> Answer:
    """Find where a consumer could go in a session, and on request why not elsewhere."""
    body: b.DestinationsOf = call.body
    with _session(model, call) as session:
        found = session.destinations(body.consumer_uuid, body.limits or None)
        return Answer(b.Found(found.uuids, found.refusals() if body.reasons else None))


def metrics(model: Model, call: Call) -> Answer:
    """Return the load metrics of a session and of its base."""
    query: b.Counted = call.query
    with _session(model, call) as session:
        base = session.base()
        return Answer(
            b.Metrics(
                session.metrics(_mask(session, query.type, query.in_service)),
                base.metrics(_mask(base, query.type, query.in_service)),
            )
        )


def _mask(session: Session, types: Sequence[str] | None, in_service: bool) -> Bool | None:
    if not types and not in_service:
        return None
    return session.mask(types=types or None, in_service=in_service)


def evaluate(model: Model, call: Call) -> Answer:
    """Judge many candidates from a session's state, recording none."""
    body: b.Candidates = call.body
    size = sum(len(c) if isinstance(c, list) else 1 for c in body.candidates)
    if size > model.options.candidates:
        raise LimitExceeded(
            f"candidates hold {size} deltas in all, {model.options.candidates} are allowed",
            limit=model.options.candidates,
        )
    with _session(model, call) as session:
        found = session.evaluate(body.candidates, _mask(session, body.types, body.in_service))
        tables = {name: _plain(found.metric(name)) for name in body.metrics}
        return Answer(b.Evaluated(list(found.classes), found.feasible.tolist(), tables))


def _plain(table: F64) -> list[list[float | None]]:
    rows: list[list[float | None]] = table.tolist()
    for at, column in np.argwhere(np.isnan(table)).tolist():
        rows[at][column] = None
    return rows


def compare(model: Model, call: Call) -> Answer:
    """Compare a session with another one, or with the graph as it is now."""
    query: b.Other = call.query
    mine = call.path["session"]
    with ExitStack() as stack:
        # In one order whoever asks, so that two comparisons never wait for each other.
        names = sorted({mine, query.other or mine})
        held = {name: stack.enter_context(model.registry.use(name)) for name in names}
        other = Session(model.current()) if query.other is None else held[query.other]
        return Answer(compared(held[mine], other))


def effect(model: Model, call: Call) -> Answer:
    """Return what a session's deltas amount to."""
    with _session(model, call) as session:
        return Answer(committing.net_effect(session))


def validate(model: Model, call: Call) -> Answer:
    """Tell whether a session can be committed now, naming every conflict."""
    found = model.registry.validate(call.path["session"])
    return Answer(found, found.generation)


def commit(model: Model, call: Call) -> Answer:
    """Bring a session's net effect about in the graph, in one guarded transaction."""
    session_id = call.path["session"]
    applied = model.registry.commit(session_id)
    return Answer(b.Committed(model.registry.get(session_id), applied), applied.generation)


def rollback(model: Model, call: Call) -> Answer:
    """Throw a session's deltas away and close it."""
    return Answer(model.registry.rollback(call.path["session"]))


def expire(model: Model, _call: Call) -> Answer:
    """Close every session whose time has passed."""
    return Answer(b.Expired(model.registry.expire()))


def statistics(model: Model, _call: Call) -> Answer:
    """Count sessions by status and persistence."""
    return Answer(model.registry.statistics())


def _session(model: Model, call: Call) -> AbstractContextManager[Session]:
    return model.registry.use(call.path["session"])
