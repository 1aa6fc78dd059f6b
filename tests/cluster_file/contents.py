"""Hypothesis strategies for whole, valid cluster files."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from tachyon.graph.cluster_file import ClusterFile, MetricSeries
from tachyon.graph.entities import (
    AMOUNT_MAX,
    Attachment,
    AvailabilityZone,
    Consumer,
    Flavor,
    HostAggregate,
    Inventory,
    Project,
    ResourceProvider,
    ServerGroup,
)
from tachyon.graph.mutations import Cluster

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8
)
NOTE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
CLASS = st.sampled_from(["VCPU", "MEMORY_MB", "DISK_GB", "CUSTOM_X"])
AMOUNT = st.integers(0, AMOUNT_MAX)
UNIT = st.integers(1, AMOUNT_MAX)
MOMENT = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | NOTE,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NOTE, inner, max_size=2),
    max_leaves=4,
)
EXTRA = st.dictionaries(NOTE, JSON, max_size=2)
INVENTORY = st.builds(
    Inventory, total=AMOUNT, reserved=AMOUNT, allocation_ratio=st.floats(0, 1e6),
    min_unit=UNIT, max_unit=UNIT, step_size=UNIT,
)  # fmt: skip
VALUE = st.none() | st.floats(-1e15, 1e15)


@st.composite
def contents(draw: st.DrawFn) -> ClusterFile:
    """Draw a cluster file whose lists are sorted by key, as they are when read."""
    cluster = Cluster(
        flavors=_listed(draw, Flavor, "id", vcpus=AMOUNT, extra_specs=st.dictionaries(NOTE, NOTE)),
        projects=_listed(draw, Project, "external_id", name=NOTE),
        server_groups=_listed(
            draw, ServerGroup, "uuid", policy=st.sampled_from(["affinity", "anti-affinity"]),
            rules=st.dictionaries(st.just("max_server_per_host"), UNIT),
        ),
        host_aggregates=_listed(draw, HostAggregate, "name", uuid=st.none() | TEXT,
            id=st.none() | st.integers(0, 2**62)),
        availability_zones=_listed(draw, AvailabilityZone, "name"),
    )  # fmt: skip
    uuids: list[str] = []
    for uuid in sorted(draw(st.sets(TEXT, max_size=4))):
        cluster.providers.append(
            ResourceProvider(
                uuid=uuid,
                name=draw(TEXT),
                type=draw(st.sampled_from(["compute", "pool"])),
                parent_uuid=draw(st.none() | st.sampled_from(uuids)) if uuids else None,
                status=draw(st.sampled_from(["enabled", "disabled"])),
                disabled_reason=draw(st.none() | NOTE),
                aggregates=tuple(draw(st.lists(TEXT, max_size=2))),
                traits=tuple(draw(st.lists(CLASS, max_size=2))),
                inventories=draw(st.dictionaries(CLASS, INVENTORY, max_size=2)),
                extra=draw(EXTRA),
            )
        )
        uuids.append(uuid)
    for uuid in sorted(draw(st.sets(TEXT, max_size=4))):
        held: dict[str, dict[str, int]] = {}
        for provider in cluster.providers:
            if provider.inventories and draw(st.booleans()):
                classes = st.sampled_from(sorted(provider.inventories))
                held[provider.uuid] = draw(st.dictionaries(classes, AMOUNT, max_size=2))
        cluster.consumers.append(
            Consumer(
                uuid=uuid,
                name=draw(NOTE),
                type=draw(st.sampled_from(["instance", "volume"])),
                locked=draw(st.booleans()),
                bootable=draw(st.none() | st.booleans()),
                created_at=draw(st.none() | MOMENT),
                project_id=draw(st.none() | TEXT),
                attachments=tuple(
                    Attachment(consumer_uuid=u) for u in draw(st.lists(TEXT, max_size=2))
                ),
                allocations=held,
                metadata=draw(EXTRA),
            )
        )
    metrics = [_series(draw, name, cluster) for name in sorted(draw(st.sets(TEXT, max_size=2)))]
    return ClusterFile(
        cluster=cluster, metrics=metrics, generated_by=draw(st.none() | NOTE), extra=draw(EXTRA)
    )


def _listed(draw: st.DrawFn, kind: Any, key: str, **fields: Any) -> list[Any]:
    keys = sorted(draw(st.sets(TEXT, max_size=3)))
    return [draw(st.builds(kind, **{key: st.just(value)}, **fields)) for value in keys]


def _series(draw: st.DrawFn, name: str, cluster: Cluster) -> MetricSeries:
    consumers = [c.uuid for c in cluster.consumers]
    providers = [p.uuid for p in cluster.providers]
    return MetricSeries(
        name=name,
        unit=draw(TEXT),
        kind="consumer",
        period=draw(st.floats(0.001, 86400)),
        start=draw(st.none() | MOMENT),
        resource=draw(st.none() | CLASS),
        capacity={u: draw(st.floats(0, 1e15)) for u in providers},
        values={u: draw(st.lists(VALUE, max_size=3)) for u in consumers},
    )
