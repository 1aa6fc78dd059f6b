"""Resource providers with their inventories, usages and consumers."""

from __future__ import annotations

import msgspec
import numpy as np

from tachyon.errors import InvalidInput
from tachyon.graph.entities import ResourceProvider
from tachyon.graph.mutations import PatchProvider, PutProvider, RemoveProvider
from tachyon.graph.service.bodies import (
    Cascade,
    Inventories,
    Names,
    ProviderList,
    ProviderNames,
    ProviderQuery,
    ProviderUsages,
    Usages,
)
from tachyon.graph.service.call import Answer, Call
from tachyon.graph.service.handlers.paging import page
from tachyon.graph.service.model import Model
from tachyon.graph.simulation.session import Session


def providers(model: Model, call: Call) -> Answer:
    """List resource providers in the order in which they came into the graph."""
    query: ProviderQuery = call.query
    view = model.current()
    mask = view.provider_mask(types=query.type or None)
    if query.in_service is not None:
        mask &= view.provider_mask(in_service=True) == query.in_service
    rows = np.flatnonzero(mask).tolist()
    for row in rows:
        record = view.provider_at(row)
        mask[row] = (
            query.name in (None, record.name)
            and query.parent_uuid in (None, record.parent_uuid)
            and query.availability_zone in (None, record.availability_zone)
            and (query.aggregate is None or query.aggregate in record.aggregates)
        )
    found, more = page(model, query, view.provider_order, mask, view.provider_row)
    records = [view.provider_at(row) for row in found]
    return Answer(ProviderList(records, records[-1].uuid if more else None), view.generation)


def provider(model: Model, call: Call) -> Answer:
    """Return a resource provider."""
    view = model.current()
    record = view.provider(call.path["uuid"])
    return Answer(record, view.generation, record.generation)


def put_provider(model: Model, call: Call) -> Answer:
    """Create a resource provider, or replace all that is known of it."""
    record: ResourceProvider = call.body
    uuid = call.path["uuid"]
    if record.uuid != uuid:
        raise InvalidInput.at([("uuid", f"is not {uuid}, which the path names")])
    return _applied(model, call, PutProvider(provider=record))


def patch_provider(model: Model, call: Call) -> Answer:
    """Change some fields of a resource provider."""
    given = {n: v for n, v in msgspec.structs.asdict(call.body).items() if v is not msgspec.UNSET}
    return _applied(model, call, PatchProvider(uuid=call.path["uuid"], **given))


def remove_provider(model: Model, call: Call) -> Answer:
    """Remove a resource provider; one in use only with `cascade`."""
    query: Cascade = call.query
    return _applied(model, call, RemoveProvider(uuid=call.path["uuid"], cascade=query.cascade))


def inventories(model: Model, call: Call) -> Answer:
    """Return the inventories of a resource provider."""
    view = model.current()
    record = view.provider(call.path["uuid"])
    return Answer(Inventories(record.inventories), view.generation, record.generation)


def put_inventories(model: Model, call: Call) -> Answer:
    """Replace the inventories of a resource provider."""
    body: Inventories = call.body
    return _applied(
        model, call, PatchProvider(uuid=call.path["uuid"], inventories=body.inventories)
    )


def remove_inventories(model: Model, call: Call) -> Answer:
    """Remove the inventories of a resource provider; none may be in use."""
    return _applied(model, call, PatchProvider(uuid=call.path["uuid"], inventories={}))


def provider_usages(model: Model, call: Call) -> Answer:
    """Return usage and capacity of a resource provider by resource class."""
    view = model.current()
    return Answer(ProviderUsages(Session(view).usage(call.path["uuid"])), view.generation)


def provider_consumers(model: Model, call: Call) -> Answer:
    """Return the consumers that hold something on a provider, in the order of their arrival."""
    view = model.current()
    return Answer(Names(Session(view).consumers_of(call.path["uuid"])), view.generation)


def usages(model: Model, call: Call) -> Answer:
    """Return usage and capacity of all resource providers, or of those named."""
    query: ProviderNames = call.query
    view = model.current()
    return Answer(Usages(Session(view).usages(query.provider or None)), view.generation)


def _applied(
    model: Model, call: Call, mutation: PutProvider | PatchProvider | RemoveProvider
) -> Answer:
    uuid = call.path["uuid"]
    applied = model.apply([mutation], call.guard("provider", uuid))
    return Answer(applied, applied.generation)
