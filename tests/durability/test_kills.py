"""Whatever a store has confirmed survives the death of its process and of its server, whole."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tachyon.graph.store import Store, open_store
from tests.conformance.cluster import Image, consumers_of, contents, replayed
from tests.durability import writer
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import Server

ROUNDS = 20
ROUNDS_WITH_A_SERVER = 15
#: Longest time in seconds that a writer lives after its first confirmed transaction.
LIFE = 0.25

# Children come from a small process that has loaded everything: they start in milliseconds, and
# do not inherit the threads of the test runner as a plain fork would.
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.durability.writer"])


class Follower:
    """Checks a store after each death against what was confirmed and what was there before."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.image: Image = {}
        self.generation = 0

    def check(self, confirmed: tuple[int, int]) -> None:
        store = open_store(self.url)
        try:
            while True:
                begun = self._stands(store)
                try:
                    return self._check(store, *confirmed)
                except AssertionError:
                    # A server may store what was in flight even after its client has died.
                    if self._stands(store) == begun:
                        raise
        finally:
            store.close()

    @staticmethod
    def _stands(store: Store) -> tuple[int, int]:
        return store.generation(), store.session(writer.SESSION).version

    def _check(self, store: Store, generation: int, version: int) -> None:
        # What was in flight may have been stored or not, but is at most one transaction.
        assert generation <= store.generation() <= generation + 1
        found = store.session(writer.SESSION)
        assert version <= found.version <= version + 1
        deltas = store.deltas(writer.SESSION)
        assert found.delta_count == len(deltas) == writer.PORTION * found.version

        snapshot = store.load()
        number = snapshot.generation - 1
        held = {writer.HOSTS[number % 2]: {"VCPU": number, "MEMORY_MB": number}}
        for consumer in consumers_of(snapshot):
            assert consumer.metadata == {"turn": number}
            assert consumer.allocations == held
            assert consumer.generation == snapshot.generation
        assert len(snapshot.availability_zones) == number

        feed = store.changes(self.generation, limit=10**9)
        image = contents(store)
        assert replayed(self.image, feed.changes) == image
        self.image, self.generation = image, snapshot.generation


def run_writer(url: str, strike: Callable[[int | None], None]) -> tuple[int, int]:
    """Run a writer, let `strike` end it or its server; return what was confirmed last."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=writer.write, args=(url, theirs))
    process.start()
    theirs.close()
    confirmed: tuple[int, int] = ours.recv()
    time.sleep(random.uniform(0, LIFE))
    strike(process.pid)
    confirmed = drained(ours, confirmed)
    process.join(timeout=60)
    assert process.exitcode in {0, -signal.SIGKILL}
    process.close()
    return confirmed


def drained(pipe: Connection, last: tuple[int, int]) -> tuple[int, int]:
    """Return the last message in the pipe of a writer that has ended or will."""
    while True:
        try:
            message = pipe.recv()
        except EOFError:
            pipe.close()
            return last
        last = message or last


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_sqlite_keeps_what_it_confirmed(tmp_path: Path) -> None:
    """A killed process loses nothing that it was told is stored, and leaves nothing half done."""
    path = tmp_path / "graph.db"
    url = f"sqlite:///{path}"
    writer.prepare(url)
    follower = Follower(url)
    for _ in range(ROUNDS):
        follower.check(run_writer(url, kill))
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


@pytest.fixture(scope="module", params=[PostgreSQL, MariaDB])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with request.param() as running:
        writer.prepare(running.url)
        yield running


@pytest.fixture(scope="module")
def follower(server: Server) -> Follower:
    return Follower(server.url)


@pytest.mark.integration
def test_a_killed_client_leaves_nothing_half_done(server: Server, follower: Follower) -> None:
    """The server takes back what the client did not come to commit."""
    for _ in range(ROUNDS_WITH_A_SERVER):
        follower.check(run_writer(server.url, kill))


@pytest.mark.integration
def test_a_killed_server_keeps_what_it_confirmed(server: Server, follower: Follower) -> None:
    """A server that comes back has all that it confirmed; its clients get `StoreUnavailable`."""

    def strike(_pid: int | None) -> None:
        server.kill()

    for _ in range(ROUNDS_WITH_A_SERVER):
        confirmed = run_writer(server.url, strike)
        server.start()
        follower.check(confirmed)
