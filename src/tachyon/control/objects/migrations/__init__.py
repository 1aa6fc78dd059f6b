"""The schema of the control plane's database, step by step; run by alembic.

The first revision is Watcher's schema as of 2026.2, under the revision number that Watcher gives
it: a database of that Watcher is upgraded in place, and what Watcher calls
`watcher-db-manage upgrade` comes first for older ones.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from tachyon.control.objects.database import Database
from tachyon.errors import ConfigurationError, InvalidInput

# Any number will do, as long as nobody else in the same database takes it for a lock.
_LOCK = 7_203_114_406


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema to a revision; many processes may do so at once.

    Raises:
        InvalidInput: there is no such revision, or the database is of an unknown one.
    """
    _alone(database, lambda config: command.upgrade(config, revision))


def stamp(database: Database, revision: str = "head") -> None:
    """Say that the schema is of a revision, without touching it; raises `InvalidInput`."""
    _alone(database, lambda config: command.stamp(config, revision))


def current(database: Database) -> str | None:
    """Return the revision of the schema, None when the database has none."""

    def read(connection: sa.Connection) -> str | None:
        found: str | None = MigrationContext.configure(connection).get_current_revision()
        return found

    return database.read(read)


def head() -> str:
    """Return the revision that this release works with."""
    found: str | None = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def check(database: Database) -> None:
    """Raise `ConfigurationError` unless the schema is the one that this release works with."""
    found, wanted = current(database), head()
    if found != wanted:
        raise ConfigurationError(
            f"the database's schema is at revision {found or 'none'}, this release works with "
            f"{wanted}; run `tachyon db upgrade`",
            found=found,
            wanted=wanted,
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "tachyon.control.objects:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _alone(database: Database, work: Callable[[Config], None]) -> None:
    def run(connection: sa.Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        _lock(connection)
        try:
            work(config)
        except CommandError as error:
            raise InvalidInput(f"the schema cannot be changed: {error}") from error

    database.write(run)


def _lock(connection: sa.Connection) -> None:
    """Wait for other processes that change the schema; SQLite's transaction does so itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    elif connection.dialect.name in ("mysql", "mariadb"):
        # Held by the connection, and given back with it: the server ends a transaction with
        # each change of a table.
        connection.execute(sa.text(f"SELECT GET_LOCK('{_LOCK}', 60)"))
