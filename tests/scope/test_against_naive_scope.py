"""Any scope on any cluster takes in what a reading of it row by row takes in."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tachyon.graph.entities import Consumer
from tachyon.graph.generator import generate
from tachyon.graph.mutations import Cluster
from tachyon.graph.simulation import Session
from tachyon.graph.view import View, build, snapshot_of
from tachyon.optimize.scope import evaluate

Scope = list[dict[str, Any]]


@cache
def cloud() -> tuple[Cluster, View]:
    cluster = generate(
        hosts=12, instances=60, zones=3, aggregates=4, nested=2, pools=4, volumes=20, seed=7
    ).cluster
    return cluster, build(snapshot_of(cluster))


def named(key: str, *values: Any) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.sampled_from(values).map(lambda v: {key: v}), min_size=1, max_size=3)


def scopes() -> st.SearchStrategy[Scope]:
    cluster, _ = cloud()
    zones = named("name", "az-1", "az-2", "az-9") | st.just([{"name": "*"}])
    aggregates = named("id", 1, 5, 99) | named("name", "rack-001", "none") | st.just([{"id": "*"}])
    projects = named("uuid", *[p.external_id for p in cluster.projects][:4], "none")
    instances = [c.uuid for c in cluster.consumers if c.type == "instance"]
    volumes = [c.uuid for c in cluster.consumers if c.type == "volume"]
    hosts = [p.name for p in cluster.providers if p.type == "compute"]
    pools = [p.name for p in cluster.providers if p.type == "pool"]
    compute_exclusion = st.fixed_dictionaries(
        {},
        optional={
            "instances": named("uuid", *instances[:20], "none"),
            "compute_nodes": named("name", *hosts, "none"),
            "projects": projects,
        },
    ).filter(bool)
    storage_exclusion = st.fixed_dictionaries(
        {},
        optional={
            "storage_pools": named("name", *pools, "none"),
            "volumes": named("uuid", *volumes, "none"),
            "projects": projects,
        },
    ).filter(bool)
    compute = st.fixed_dictionaries(
        {},
        optional={
            "host_aggregates": aggregates,
            "availability_zones": zones,
            "exclude": st.lists(compute_exclusion, max_size=2),
        },
    ).filter(bool)
    storage = st.fixed_dictionaries(
        {},
        optional={
            "availability_zones": zones,
            "exclude": st.lists(storage_exclusion, max_size=2),
        },
    ).filter(bool)
    block = st.fixed_dictionaries(
        {"compute": st.lists(compute, max_size=3), "storage": st.lists(storage, max_size=3)}
    )
    return st.lists(block, min_size=1, max_size=1)


def picked(entries: list[dict[str, Any]], **values: Any) -> bool:
    """Tell whether a thing with these names is among entries."""
    return any(v == "*" or values.get(k) == v for entry in entries for k, v in entry.items())


def naive(scope: Scope, kind: str, host_type: str, consumer_type: str) -> tuple[Any, Any]:
    """Return host or pool names and consumer uuids in scope, read off the records."""
    cluster, _ = cloud()
    rules = scope[0][kind]
    choosing = [r for r in rules if r.keys() - {"exclude"}]
    exclusions = [e for r in rules for e in r.get("exclude", ())]
    ids = {a.name: a.id for a in cluster.host_aggregates}
    by_uuid = {p.uuid: p for p in cluster.providers}

    def inside(provider: Any) -> bool:
        top = provider
        while kind == "storage" and top.parent_uuid is not None:
            top = by_uuid[top.parent_uuid]
        chosen = not choosing or any(
            picked(r.get("availability_zones", []), name=top.availability_zone)
            or any(picked(r.get("host_aggregates", []), name=a, id=ids[a]) for a in top.aggregates)
            for r in choosing
        )
        return chosen and not any(
            picked(e.get("compute_nodes", []) + e.get("storage_pools", []), name=provider.name)
            for e in exclusions
        )

    hosts = {p.uuid for p in cluster.providers if p.type == host_type and inside(p)}

    def home(consumer: Consumer) -> set[str]:
        found = set()
        for uuid in consumer.allocations:
            provider = by_uuid[uuid]
            while provider.type != host_type and provider.parent_uuid is not None:
                provider = by_uuid[provider.parent_uuid]
            found.add(provider.uuid)
        return found

    consumers = {
        c.uuid
        for c in cluster.consumers
        if c.type == consumer_type and (not c.allocations or home(c) & hosts)
    }
    excluded = {
        c.uuid
        for c in cluster.consumers
        if c.type == consumer_type
        and any(
            picked(e.get("instances", []) + e.get("volumes", []), uuid=c.uuid)
            or picked(e.get("projects", []), uuid=c.project_id)
            for e in exclusions
        )
    }
    return hosts, (consumers - excluded if kind == "storage" else consumers, excluded & consumers)


@settings(max_examples=150, deadline=None)
@given(scopes())
def test_masks_are_what_the_rules_say_of_each_record(scope: Scope) -> None:
    _, view = cloud()
    on = Session(view)
    for kind, host_type, consumer_type in (
        ("compute", "compute", "instance"),
        ("storage", "pool", "volume"),
    ):
        mask = evaluate(scope, kind, on)  # type: ignore[arg-type]
        hosts, (consumers, excluded) = naive(scope, kind, host_type, consumer_type)
        rows = np.flatnonzero(mask.providers).tolist()
        uuid = view.consumers.uuid
        assert {view.providers.uuid[r] for r in rows if view.tree.types[r] == host_type} == hosts
        assert {uuid[row] for row in np.flatnonzero(mask.consumers).tolist()} == consumers
        if kind == "compute":
            marked = {uuid[row] for row in np.flatnonzero(mask.excluded).tolist()}
            assert marked == excluded
