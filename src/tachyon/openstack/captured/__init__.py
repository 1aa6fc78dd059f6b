"""Captured answers of a cloud's services as a cluster.

A capture is a folder of JSON files, each one answer: `{"request": {"service", "method", "path",
"headers"}, "status", "body"}`. What a file holds is told from its request, not from its name, so
that any part of a cloud can be captured in any order. docs/cluster-files.md says which requests
are understood, and what stands in for those that are missing.
"""

from __future__ import annotations

import os
from pathlib import Path

from tachyon.graph.cluster_file import (
    ClusterFile,
    bad_file,
    encode_cluster_file,
    read_cluster_file,
)
from tachyon.graph.entities import AvailabilityZone
from tachyon.graph.mutations import Cluster
from tachyon.openstack.captured.answers import Capture, read_answer
from tachyon.openstack.captured.compute import children, hosts, instances
from tachyon.openstack.captured.storage import storage, volumes
from tachyon.openstack.mapping.answers import MISSHAPEN, misshapen
from tachyon.openstack.mapping.compute import aggregate, flavor, project, server_group
from tachyon.openstack.mapping.storage import volume_type

__all__ = ["read_captured"]


def read_captured(path: str | os.PathLike[str]) -> ClusterFile:
    """Read a folder of captured answers.

    Raises:
        ClusterFileError: a file is no captured answer, the capture holds no compute host, or what
            it says does not fit together; names the file or the place in the cluster.
    """
    name = os.fspath(path)
    try:
        files = sorted(p for p in Path(path).iterdir() if p.suffix == ".json")
    except OSError as error:
        raise bad_file(name, [("", f"cannot be read: {error.strerror}")]) from error
    capture = Capture(name, [read_answer(file) for file in files])
    if not capture.all("nova", "hypervisors"):
        raise bad_file(name, [("", "no answer to GET /os-hypervisors/detail was captured")])
    try:
        cluster = _cluster(capture)
    except MISSHAPEN as error:
        raise bad_file(name, [("an answer", misshapen(error))]) from error
    content = ClusterFile(cluster=cluster, generated_by=f"captured answers in {Path(path).name}")
    # Answers come from outside: what is wrong in them must not get past here.
    return read_cluster_file(encode_cluster_file(content), name=name)


def _cluster(capture: Capture) -> Cluster:
    cluster = Cluster(
        flavors=[
            *capture.build("nova", "flavors", flavor),
            *capture.build("cinder", "volume_types", volume_type),
        ],
        projects=capture.build("keystone", "projects", project),
        server_groups=capture.build("nova", "server_groups", server_group),
        host_aggregates=capture.build("nova", "aggregates", aggregate),
        providers=[*hosts(capture), *children(capture), *storage(capture)],
    )
    zones = {z for p in cluster.providers if (z := p.availability_zone) is not None}
    zones |= {z for a in cluster.host_aggregates if (z := a.availability_zone) is not None}
    cluster.availability_zones = [AvailabilityZone(name=zone) for zone in sorted(zones)]
    cluster.consumers = [*instances(capture, cluster), *volumes(capture, cluster)]
    return cluster
