"""Emulated clouds, and how tests reach them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from oslo_config import cfg

from tachyon import conf as options
from tachyon.graph.client import GraphClient
from tachyon.graph.cluster_file import ClusterFile
from tachyon.graph.generator import generate
from tachyon.openstack.collectors.baremetal import BaremetalCollector
from tachyon.openstack.collectors.compute import ComputeCollector
from tachyon.openstack.collectors.storage import StorageCollector
from tachyon.openstack.collectors.synchronisation import Synchronised, synchronise
from tachyon.openstack.connection import Connection, connect
from tachyon.openstack.emulator.emulator import Emulator

SERVICES = ("keystone", "nova", "placement", "cinder", "ironic")


def small_cluster(nested: int = 0) -> ClusterFile:
    """Return six hosts, thirty instances, eight volumes, two zones; the same every time."""
    return generate(
        6,
        30,
        zones=2,
        aggregates=2,
        server_groups=2,
        pools=4,
        volumes=8,
        nested=nested,
        disabled=0.2,
    )


def configuration(**groups: dict[str, Any]) -> cfg.ConfigOpts:
    """Return options under which nothing is waited for."""
    conf = options.load()
    for service in SERVICES:
        conf.set_override("http_retry_interval", 0.0, group=service)
    for group, values in groups.items():
        for name, value in values.items():
            conf.set_override(name, value, group=group)
    return conf


@contextmanager
def connected(emulator: Emulator) -> Iterator[Connection]:
    """Connect to an emulated cloud, as an administrator."""
    with connect(configuration(), cloud=emulator.name, clouds_file=emulator.clouds_yaml) as cloud:
        yield cloud


def collect(cloud: Connection, graph: GraphClient) -> dict[str, Synchronised]:
    """Synchronise all models once."""
    collectors = (ComputeCollector(), StorageCollector(), BaremetalCollector())
    return {c.name: synchronise(c, cloud, graph) for c in collectors}
