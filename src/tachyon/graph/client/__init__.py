"""One client for a graph, in process or over HTTP, with the same calls and the same errors."""

from __future__ import annotations

from tachyon.graph.client.client import GraphClient
from tachyon.graph.client.http import HttpTransport, TokenSource
from tachyon.graph.client.in_process import InProcessTransport
from tachyon.graph.client.transport import Transport
from tachyon.graph.store import open_store

__all__ = [
    "GraphClient",
    "HttpTransport",
    "InProcessTransport",
    "TokenSource",
    "Transport",
    "connect",
]


def connect(url: str, auth: TokenSource | None = None) -> GraphClient:
    """Return a client for a service (`http://…`, `https://…`) or for a store by its URL.

    Args:
        url: of either.
        auth: gives tokens to a service: a keystoneauth1 session.

    Raises:
        ConfigurationError: no store answers to such a URL.
    """
    if url.startswith(("http://", "https://")):
        return GraphClient(HttpTransport(url, auth=auth))
    return GraphClient(InProcessTransport(open_store(url)))
