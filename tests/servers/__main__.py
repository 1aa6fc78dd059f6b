"""Start one server by hand: ``python -m tests.servers {postgresql,mariadb,neo4j,rabbitmq}``."""

from __future__ import annotations

import argparse
import signal
import threading

from tests.servers.mariadb import MariaDB
from tests.servers.neo4j import Neo4j
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import Server
from tests.servers.rabbitmq import RabbitMQ

_SERVERS: dict[str, type[Server]] = {
    kind.name: kind for kind in (PostgreSQL, MariaDB, Neo4j, RabbitMQ)
}


def main() -> None:
    """Print the URL of a fresh server, then wait for Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("name", choices=sorted(_SERVERS))
    enough = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: enough.set())
    with _SERVERS[parser.parse_args().name]() as server:
        print(server.url, flush=True)
        enough.wait()


if __name__ == "__main__":
    main()
