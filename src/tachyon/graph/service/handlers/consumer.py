"""Consumers and what they hold."""

from __future__ import annotations

import msgspec
import numpy as np

from tachyon.errors import InvalidInput
from tachyon.graph.entities import Consumer
from tachyon.graph.mutations import PatchConsumer, PutConsumer, RemoveConsumer
from tachyon.graph.service.bodies import ConsumerList, ConsumerQuery, Held
from tachyon.graph.service.call import Answer, Call
from tachyon.graph.service.handlers.paging import page
from tachyon.graph.service.model import Model
from tachyon.graph.view import View
from tachyon.graph.view.columns import Bool


def consumers(model: Model, call: Call) -> Answer:
    """List consumers in the order in which they came into the graph."""
    query: ConsumerQuery = call.query
    view = model.current()
    found, more = page(model, query, view.consumer_order, _mask(view, query), view.consumer_row)
    records = [view.consumer_at(row) for row in found]
    return Answer(ConsumerList(records, records[-1].uuid if more else None), view.generation)


def _mask(view: View, query: ConsumerQuery) -> Bool:
    columns, codes = view.consumers, view.codes
    mask = columns.alive.copy()
    if query.type:
        mask &= np.isin(columns.type, [c for t in query.type if (c := codes.type.find(t)) >= 0])
    for name, value in (
        ("state", query.state),
        ("project", query.project),
        ("flavor", query.flavor),
        ("group", query.server_group),
    ):
        if value is not None:
            code = getattr(codes, name).find(value)
            mask &= (getattr(columns, name) == code) & (code >= 0)
    if query.provider is not None:
        there = np.zeros_like(mask)
        there[view.holders.of(view.provider_row(query.provider))] = True
        mask &= there
    if query.name is not None:
        named = [row for row in np.flatnonzero(mask).tolist() if columns.name[row] == query.name]
        mask = np.zeros_like(mask)
        mask[named] = True
    return mask


def consumer(model: Model, call: Call) -> Answer:
    """Return a consumer."""
    view = model.current()
    record = view.consumer(call.path["uuid"])
    return Answer(record, view.generation, record.generation)


def put_consumer(model: Model, call: Call) -> Answer:
    """Create a consumer, or replace all that is known of it, allocations included."""
    record: Consumer = call.body
    uuid = call.path["uuid"]
    if record.uuid != uuid:
        raise InvalidInput.at([("uuid", f"is not {uuid}, which the path names")])
    return _applied(model, call, PutConsumer(consumer=record))


def patch_consumer(model: Model, call: Call) -> Answer:
    """Change some fields of a consumer."""
    given = {n: v for n, v in msgspec.structs.asdict(call.body).items() if v is not msgspec.UNSET}
    return _applied(model, call, PatchConsumer(uuid=call.path["uuid"], **given))


def remove_consumer(model: Model, call: Call) -> Answer:
    """Remove a consumer and all it holds."""
    return _applied(model, call, RemoveConsumer(uuid=call.path["uuid"]))


def allocations(model: Model, call: Call) -> Answer:
    """Return what a consumer holds."""
    view = model.current()
    record = view.consumer(call.path["uuid"])
    return Answer(Held(record.allocations), view.generation, record.generation)


def put_allocations(model: Model, call: Call) -> Answer:
    """Replace what a consumer holds."""
    body: Held = call.body
    return _applied(
        model, call, PatchConsumer(uuid=call.path["uuid"], allocations=body.allocations)
    )


def remove_allocations(model: Model, call: Call) -> Answer:
    """Take away all that a consumer holds."""
    return _applied(model, call, PatchConsumer(uuid=call.path["uuid"], allocations={}))


def _applied(
    model: Model, call: Call, mutation: PutConsumer | PatchConsumer | RemoveConsumer
) -> Answer:
    uuid = call.path["uuid"]
    applied = model.apply([mutation], call.guard("consumer", uuid))
    return Answer(applied, applied.generation)
