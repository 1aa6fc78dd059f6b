"""The SQL store: SQLite with no set-up, PostgreSQL and MariaDB or MySQL by URL."""

from tachyon.graph.store.sql.store import SqlStore

__all__ = ["SqlStore"]
