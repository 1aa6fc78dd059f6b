"""The graph as a whole: transactions, synchronisation, snapshot, change feed."""

from __future__ import annotations

import msgspec

from tachyon.errors import GenerationTooOld
from tachyon.graph.mutations import Expected, Synchronise
from tachyon.graph.service.bodies import ChangesSince, Feed, Transaction, Trim, Trimmed
from tachyon.graph.service.call import Answer, Call
from tachyon.graph.service.model import Model


def apply(model: Model, call: Call) -> Answer:
    """Apply mutations in order as one durable transaction, all of them or none."""
    body: Transaction = call.body
    applied = model.apply(body.mutations, body.expected)
    return Answer(applied, applied.generation)


def synchronise(model: Model, call: Call) -> Answer:
    """State that a cluster is now everything of some types; upserts what differs, prunes rest."""
    mutation = Synchronise(**msgspec.structs.asdict(call.body))
    guard = None if call.expected is None else Expected(graph=call.expected)
    applied = model.apply([mutation], guard)
    return Answer(applied, applied.generation)


def snapshot(model: Model, _call: Call) -> Answer:
    """Return the whole graph as columns; the ETag is its generation."""
    view = model.current()
    return Answer(view, view.generation, view.generation)


def changes(model: Model, call: Call) -> Answer:
    """Return what changed after a generation, in whole transactions.

    Answers 410 when the log no longer reaches back so far, and also when the graph stands before
    the generation asked (it was restored): load the snapshot then.
    """
    query: ChangesSince = call.query
    found = model.await_change(query.since, query.wait)
    if found < query.since:
        raise GenerationTooOld(query.since, found)
    if found == query.since:
        return Answer(Feed(found, [], more=False), found)
    part = model.store.changes(query.since, query.limit)
    return Answer(Feed(part.generation, part.changes, more=part.more), part.generation)


def trim(model: Model, call: Call) -> Answer:
    """Forget logged transactions but those of the last generations."""
    body: Trim = call.body
    return Answer(Trimmed(model.store.trim(body.keep)))
