"""What a cluster file holds, as types: the cluster, measured series, and what fits neither."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from tachyon.graph.entities import Note, Symbol, Text
from tachyon.graph.mutations import Cluster

FORMAT = "tachyon-cluster"
VERSION = 1

#: Seconds between two values of a series; at most a year.
Period = Annotated[float, Meta(gt=0, le=366 * 86400)]
#: A measured value. Bounds keep sums over a cluster exact enough, and refuse NaN and infinity.
Value = Annotated[float, Meta(ge=-1e15, le=1e15)]
Capacity = Annotated[float, Meta(ge=0, le=1e15)]


class MetricSeries(Struct, kw_only=True, forbid_unknown_fields=True):
    """One metric, measured at a fixed period, for many consumers or providers.

    `values[uuid][k]` was measured at `start + k * period` (period in seconds); None is a missing
    value, and a shorter list ends earlier. Without `start` only the order is known.

    `unit` says what the numbers are (`percent`, `MHz`, `MIPS`, `MB` …). `capacity` says how much
    each provider can deliver, so that the load of its consumers can be compared with it:

    * values of a consumer in `percent` are a share of what it holds of the class `resource`
      (its load is value / 100 × that amount), and `capacity` is in units of that class;
    * values in any other unit are amounts, and `capacity` is in the same unit.
    """

    name: Text
    unit: Text
    kind: Literal["consumer", "provider"]
    period: Period
    start: datetime | None = None
    resource: Symbol | None = None
    capacity: dict[Text, Capacity] = field(default_factory=dict)
    values: dict[Text, list[Value | None]] = field(default_factory=dict)


class ClusterFile(Struct, kw_only=True):
    """The content of a cluster file.

    `generated_by` says which program made it, and from what. `extra` holds what belongs to the
    cluster as a whole and has no place in the model (the objective of a benchmark instance …).
    """

    cluster: Cluster = field(default_factory=Cluster)
    metrics: list[MetricSeries] = field(default_factory=list)
    generated_by: Note | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Document(Cluster, kw_only=True, forbid_unknown_fields=True):
    """A cluster file as it stands on the wire: flat, and named by its format and version."""

    format: str
    version: int
    generated_by: Note | None = None
    metrics: list[MetricSeries] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
