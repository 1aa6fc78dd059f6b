"""What a cloud's services answer now, and whether a graph is the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tachyon.graph.client import GraphClient
from tachyon.graph.client import connect as connect_graph
from tachyon.openstack.connection import Connection
from tests.collectors.agreement import content, differences
from tests.collectors.clouds import collect

#: Seconds after which the graph has to be what the cloud is.
WITHIN = 2.0
_ACCOUNTS = frozenset({"collector:compute", "collector:storage", "collector:baremetal"})


def truth(cloud: Connection) -> dict[str, Any]:
    """Return the content of a graph that was filled just now."""
    with connect_graph("sqlite://") as graph:
        collect(cloud, graph)
        return content(graph)


def until(check: Callable[[], object], what: str, seconds: float = 120.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"it did not come to pass: {what}"
        time.sleep(0.2)


def wait_for_first_fill(graph: GraphClient) -> None:
    """Wait until every model was read once."""

    def filled() -> bool:
        return {p.uuid for p in graph.providers(type="collector")} >= _ACCOUNTS

    until(filled, "the graph is filled")


def disagreements(graph: GraphClient, cloud: Connection) -> list[str]:
    """Return where graph and cloud differ two seconds after the cloud has come to rest.

    The cloud is read before and after; where it has changed meanwhile (a volume service reports
    its pools, an attachment is let go of) the two seconds begin anew.
    """
    began = time.monotonic()
    answered = truth(cloud)
    for _ in range(10):
        time.sleep(max(0.0, began + WITHIN - time.monotonic()))
        found = content(graph)
        began = time.monotonic()
        now = truth(cloud)
        if now == answered:
            return differences(found, answered)
        answered = now
    raise AssertionError("the cloud does not come to rest")
