"""What a cloud's services answer now, as the graph would have it."""

from __future__ import annotations

from typing import Any

from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.connection import Connection
from tests.collectors.agreement import content
from tests.collectors.clouds import collect


def truth(cloud: Connection) -> dict[str, Any]:
    """Return the content of a graph that was filled just now."""
    with connect_graph("sqlite://") as graph:
        collect(cloud, graph)
        return content(graph)
