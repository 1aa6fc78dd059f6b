"""Tachyon over HTTP on loopback: one service process, one client process."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.graph_tasks import fill
from benchmarks.moves import feasible_moves
from benchmarks.timing import best
from tachyon.graph.client import GraphClient, connect
from tachyon.graph.deltas import Persistence
from tachyon.graph.service.server import serve


def in_temporary_store(cluster_path: Path, quick: bool) -> dict[str, float]:
    """Measure a service on a fresh SQLite file; returns seconds by task."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/graph.db"
        fill(url, cluster_path)
        with running(url) as address, connect(address) as client:
            return measure(client, address, 2 if quick else 5)


@contextlib.contextmanager
def running(store_url: str) -> Iterator[str]:
    """Run a service in a process of its own for the time of the block; gives its address."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(store_url, theirs))
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(store_url: str, pipe: multiprocessing.connection.Connection) -> None:
    serve(store_url=store_url, host="127.0.0.1", port=0, workers=1, auth="noauth", ready=pipe.send)


def measure(client: GraphClient, address: str, rounds: int) -> dict[str, float]:
    """Return the figures of one client."""
    view = client.view()
    moves = feasible_moves(view, 1000)

    def single(persistence: Persistence) -> float:
        session = client.sessions.create(persistence=persistence).id
        started = time.perf_counter()
        for move in moves:
            # The answer holds the usage of both hosts.
            client.sessions.record(session, move)
        taken = time.perf_counter() - started
        client.sessions.delete(session)
        return taken

    def batch() -> float:
        session = client.sessions.create(persistence="memory").id
        started = time.perf_counter()
        client.sessions.record(session, moves)
        taken = time.perf_counter() - started
        client.sessions.delete(session)
        return taken

    def snapshot() -> None:
        with connect(address) as fresh:
            fresh.view()

    return {
        "record_single": min(single("memory") for _ in range(rounds)),
        "record_stored": min(single("store") for _ in range(rounds)),
        "record_batch": min(batch() for _ in range(rounds)),
        "snapshot": best(snapshot, rounds),
    }
