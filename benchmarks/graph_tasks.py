"""Tachyon's own figures in process: view, sessions, store. One process, one cluster size."""

from __future__ import annotations

import contextlib
import gc
import itertools
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.moves import feasible_moves
from benchmarks.timing import best, resident
from tachyon.errors import TachyonError
from tachyon.graph.cluster_file import read_cluster_file
from tachyon.graph.deltas import Move
from tachyon.graph.mutations import PatchConsumer, Synchronise
from tachyon.graph.simulation import Session
from tachyon.graph.store import Store, open_store
from tachyon.graph.view import View, build


def fill(url: str, cluster_path: Path) -> None:
    """Load a cluster file into an empty store."""
    store = open_store(url)
    store.apply([Synchronise(cluster=read_cluster_file(cluster_path).cluster)])
    store.close()


def measure(url: str, cluster_path: Path, quick: bool) -> dict[str, float]:
    """Return seconds, bytes or rates by task; fills the store behind `url` first."""
    fill(url, cluster_path)
    gc.collect()
    store = open_store(url)
    before = resident()
    started = time.perf_counter()
    view = build(store.load())
    found = {"cold_start": time.perf_counter() - started}
    gc.collect()
    found["view_resident"] = resident() - before
    found["cold_start"] = min(found["cold_start"], best(lambda: build(store.load()), rounds=3))
    found["view_bytes"] = traced(lambda: build(store.load()))
    found |= sessions(view)
    found |= durable(store, view, 200 if quick else 3000)
    store.close()
    return found


def sessions(view: View) -> dict[str, float]:
    """Return the figures of what-if work on a warm view."""
    moves = feasible_moves(view, 1000)
    sources = {m.consumer_uuid: m.from_provider or "" for m in moves}
    found = {"open": best(lambda: Session(view), calls=1000)}

    def record() -> Session:
        session = Session(view)
        for move in moves:
            session.record(move)
            session.used(sources[move.consumer_uuid])
            session.used(move.to_provider)
        return session

    record()
    found["record"] = best(record)
    session = record()
    capacity = view.capacity

    def usage() -> Any:
        session.state.forget()
        used = session.used_matrix()
        return used, capacity - used

    found["usage"] = best(usage, calls=20)
    rng = np.random.default_rng(1)
    hosts = np.flatnonzero(view.provider_mask(types=["compute"]))
    instances = view.consumer_order[
        view.consumers.type[view.consumer_order] == view.codes.type.find("instance")
    ]
    consumers = rng.choice(instances, 10_000)
    targets = rng.choice(hosts, 10_000)

    def evaluate() -> Any:
        evaluation = session.evaluate_moves(consumers, targets)
        return evaluation.feasible, evaluation.std_deviation

    found["evaluate"] = best(evaluate, rounds=15)
    names = [view.consumers.uuid[row] for row in rng.choice(instances, 200).tolist()]

    def destinations() -> None:
        for name in names:
            session.destinations(name).rows  # noqa: B018

    destinations()
    found["destinations"] = best(destinations) / len(names)
    found["sessions_bytes"] = traced(lambda: many_sessions(view, moves))
    return found


def many_sessions(view: View, moves: list[Move]) -> list[Session]:
    """Return 1,000 sessions of 100 deltas each."""
    made = []
    for k in range(1000):
        session = Session(view)
        at = (k * 7) % max(1, len(moves) - 100)
        for move in moves[at : at + 100]:
            # Taken out of their sequence, a few find no room; which costs them nothing.
            with contextlib.suppress(TachyonError):
                session.record(Move(consumer_uuid=move.consumer_uuid, to_provider=move.to_provider))
        made.append(session)
    return made


def traced(make: Any) -> float:
    """Return the bytes that an object holds, from the allocator's own books."""
    gc.collect()
    tracemalloc.start()
    kept = make()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return float(held)


def durable(store: Store, view: View, count: int) -> dict[str, float]:
    """Return single changes per second, each its own fsynced transaction."""
    names = [view.consumers.uuid[row] for row in view.consumer_order[:500].tolist()]
    states = itertools.cycle(("paused", "active"))
    fastest = 0.0
    for _ in range(3):
        state = next(states)
        work = [names[k % len(names)] for k in range(count)]
        started = time.perf_counter()
        for k, name in enumerate(work):
            if k % len(names) == 0:
                state = next(states)
            store.apply([PatchConsumer(uuid=name, state=state)])
        fastest = max(fastest, count / (time.perf_counter() - started))
    return {"durable": fastest}


def in_temporary_store(cluster_path: Path, quick: bool) -> dict[str, float]:
    """Measure on a fresh SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(f"sqlite:///{folder}/graph.db", cluster_path, quick)
