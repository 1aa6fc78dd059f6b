"""Flavors, projects, server groups, host aggregates and zones: records that others name."""

from __future__ import annotations

from typing import Any

import msgspec

from tachyon.errors import InvalidInput, NotFound
from tachyon.graph import mutations as m
from tachyon.graph.entities import KINDS, key_of
from tachyon.graph.service import bodies
from tachyon.graph.service.call import Answer, Call
from tachyon.graph.service.model import Model

_PUT: dict[m.RecordKind, type[m.Mutation]] = {
    "flavor": m.PutFlavor,
    "project": m.PutProject,
    "server_group": m.PutServerGroup,
    "host_aggregate": m.PutHostAggregate,
    "availability_zone": m.PutAvailabilityZone,
}
LISTS: dict[m.RecordKind, type[msgspec.Struct]] = {
    "flavor": bodies.FlavorList,
    "project": bodies.ProjectList,
    "server_group": bodies.ServerGroupList,
    "host_aggregate": bodies.HostAggregateList,
    "availability_zone": bodies.AvailabilityZoneList,
}


class RecordHandlers:
    """The handlers of one kind of records."""

    def __init__(self, kind: m.RecordKind) -> None:
        self.kind = kind
        self.key = KINDS[kind][1]

    def list(self, model: Model, _call: Call) -> Answer:
        """List the records of this kind by key."""
        view = model.current()
        table = view.records[self.kind]
        cls: Any = LISTS[self.kind]
        return Answer(cls([table[key] for key in sorted(table)]), view.generation)

    def get(self, model: Model, call: Call) -> Answer:
        """Return one record of this kind."""
        view = model.current()
        found = view.records[self.kind].get(call.path["key"])
        if found is None:
            raise NotFound(f"{self.kind} {call.path['key']} does not exist")
        return Answer(found, view.generation)

    def put(self, model: Model, call: Call) -> Answer:
        """Create or replace a record of this kind."""
        key = call.path["key"]
        if key_of(call.body) != key:
            raise InvalidInput.at([(self.key, f"is not {key}, which the path names")])
        cls: Any = _PUT[self.kind]
        return self._applied(model, cls(**{self.kind: call.body}))

    def remove(self, model: Model, call: Call) -> Answer:
        """Remove a record of this kind; references to it stay."""
        return self._applied(model, m.RemoveRecord(kind=self.kind, key=call.path["key"]))

    def _applied(self, model: Model, mutation: Any) -> Answer:
        applied = model.apply([mutation])
        return Answer(applied, applied.generation)
