"""A service process that keeps many graphs: `/NAME/v1/…` is the API of the graph NAME.

    python -m tests.interop.graphs

Upstream's tests make hundreds of models, each of them a cluster of its own. Every graph is made
when it is first asked for, by the service's own application on a store in memory; the eldest are
forgotten. Prints its URL, and ends with SIGTERM.
"""

from __future__ import annotations

import signal
import threading
from collections import OrderedDict
from collections.abc import Iterable
from types import FrameType
from typing import Any

from tachyon import conf as options
from tachyon.graph.service.framing import WSGI
from tachyon.graph.service.http_server import HttpServer
from tachyon.graph.service.identity import NoGuard
from tachyon.graph.service.model import Model
from tachyon.graph.service.server import build

_KEPT = 64


class Graphs:
    """The WSGI application of all graphs."""

    def __init__(self) -> None:
        self._conf = options.load()
        self._conf.set_override("store_url", "sqlite://", group="service")
        self._graphs: OrderedDict[str, tuple[Model, WSGI]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        name, _, rest = environ["REQUEST_URI"].lstrip("/").partition("/")
        return self._graph(name)({**environ, "REQUEST_URI": f"/{rest}"}, start_response)

    def _graph(self, name: str) -> WSGI:
        with self._lock:
            if name not in self._graphs:
                self._graphs[name] = build(self._conf, NoGuard(), shared=False)
            self._graphs.move_to_end(name)
            while len(self._graphs) > _KEPT:
                _, (model, _) = self._graphs.popitem(last=False)
                model.stop()
                model.store.close()
            return self._graphs[name][1]


def main() -> None:
    """Serve until told to stop."""
    server = HttpServer(
        ("127.0.0.1", 0),
        Graphs(),
        threads=8,
        connections=1000,
        timeout=30,
        shutdown_timeout=1,
        max_body=2**24,
    )

    def stop(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.stop).start()

    signal.signal(signal.SIGTERM, stop)
    server.reuse_port = False  # which goes with a port that is known
    server.prepare()
    print(f"http://127.0.0.1:{server.bind_addr[1]}", flush=True)
    server.serve()


if __name__ == "__main__":
    main()
