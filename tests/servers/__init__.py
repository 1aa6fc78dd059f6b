"""Real database servers for tests, started on loopback by the tests themselves.

The stores promise durability and isolation, and only the databases themselves can prove it. Each
module here brings one server: it installs it when the machine has none, runs it on a fresh data
directory and a free port, and ends it by the id of the process it started. Nothing is skipped:
what cannot be had raises :class:`tests.servers.process.ServerError`.

Used by the fixtures of ``tests/servers/fixtures.py`` and by ``python -m tests.servers NAME``.
"""
