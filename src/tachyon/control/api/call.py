"""What a handler is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from tachyon.control.api.versions import MINIMUM, Version
from tachyon.control.objects import Objects
from tachyon.control.rpc import Applier, DecisionEngine
from tachyon.graph.client import GraphClient


class Services(Struct, frozen=True, eq=False, kw_only=True):
    """What the API works with.

    Attributes:
        objects: the database.
        engine, applier: the other services.
        graph: the cluster graph.
        max_limit: most records in one page of a list.
        service_down_time: seconds without a sign of life after which a service counts as failed.
        rollback_within: seconds after its end in which a plan can be taken back.
    """

    objects: Objects
    engine: DecisionEngine
    applier: Applier
    graph: GraphClient
    max_limit: int = 1000
    service_down_time: float = 90.0
    rollback_within: float = 3600.0

    def now(self) -> datetime:
        """Return the moment."""
        return self.objects.database.clock()


class Call(Struct, frozen=True, eq=False, kw_only=True):
    """A request whose caller may make it.

    Attributes:
        version: the microversion in force.
        host_url: scheme and host as the caller sees them, without a path.
        application_url: with the path that the application is mounted at.
        path: the names in the path.
        query: the parameters, each given once.
        body: the decoded body, None where the route has none.
        deleted: whether soft-deleted records are shown.
        detail: whether a list shows all fields.
    """

    services: Services
    version: Version = MINIMUM
    host_url: str = ""
    application_url: str = ""
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    deleted: bool = False
    detail: bool = False

    @property
    def objects(self) -> Objects:
        """The database."""
        return self.services.objects

    def since(self, minor: int) -> bool:
        """Tell whether the microversion is 1.`minor` or later."""
        return self.version >= (1, minor)


class Answer(Struct, frozen=True):
    """A response; `location` is the URL of what was created."""

    body: Any = None
    location: str | None = None
