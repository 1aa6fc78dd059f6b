"""Captured answers of Cinder as storage hosts, pools and volumes."""

from __future__ import annotations

from collections import Counter

from tachyon.graph.entities import Consumer, ResourceProvider
from tachyon.graph.mutations import Cluster
from tachyon.openstack.captured.answers import Capture
from tachyon.openstack.mapping import storage as mapping


def storage(capture: Capture) -> list[ResourceProvider]:
    """Return storage hosts and pools."""
    types = mapping.types_of_backends(capture.all("cinder", "volume_types"))
    hosts = capture.build("cinder", mapping.VOLUME_BINARY, lambda s: mapping.storage_host(s, types))
    zones = {p.uuid: p.availability_zone for p in hosts}
    volumes = Counter(v.get("os-vol-host-attr:host") for v in capture.all("cinder", "volumes"))
    pools = capture.build("cinder", "pools", lambda p: mapping.pool(p, zones, volumes[p["name"]]))
    return [*hosts, *pools]


def volumes(capture: Capture, cluster: Cluster) -> list[Consumer]:
    """Return the volumes."""
    pools = {p.uuid for p in cluster.providers if p.type == "pool"}
    types = {kind["name"]: kind["id"] for kind in capture.all("cinder", "volume_types")}
    held = Counter(s["volume_id"] for s in capture.all("cinder", "snapshots"))
    return capture.build(
        "cinder",
        "volumes",
        lambda v: mapping.volume(v, pools, types, mapping.snapshots(held[v["id"]])),
    )
