"""The schema, step by step: from nothing, and from a database of Watcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from tachyon.control.objects import Database, Objects, migrations
from tachyon.control.objects.columns import METADATA
from tachyon.errors import ConfigurationError, InvalidInput, StoreUnavailable
from tests.control.databases import BACKENDS

WATCHER = "f56ba02662b4"


@pytest.fixture(params=BACKENDS)
def database(
    request: pytest.FixtureRequest, tmp_path: Path, fresh_database: Callable[[str], str]
) -> Iterator[Database]:
    """An empty database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'control.db'}"
    else:
        url = fresh_database(request.getfixturevalue(f"{request.param}_url"))
    made = Database(url)
    yield made
    made.close()


def test_migrations_make_what_the_code_works_with(database: Database) -> None:
    """From nothing to the newest revision, the tables are those of the records."""
    assert migrations.current(database) is None
    with pytest.raises(ConfigurationError, match="tachyon db upgrade"):
        migrations.check(database)
    migrations.upgrade(database)
    migrations.upgrade(database)
    assert migrations.current(database) == migrations.head()
    migrations.check(database)
    assert (
        database.read(
            lambda c: compare_metadata(
                MigrationContext.configure(c, opts={"compare_type": True}), METADATA
            )
        )
        == []
    )


def test_a_database_of_watcher_is_upgraded_in_place(database: Database) -> None:
    """Rows stay, names that Watcher let happen twice are told apart, pickled jobs go."""
    migrations.upgrade(database, WATCHER)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE apscheduler_jobs (id VARCHAR(191) PRIMARY KEY)")
        connection.exec_driver_sql(
            "INSERT INTO goals (uuid, name, display_name, efficacy_specification, deleted) "
            "VALUES ('g', 'dummy', 'Dummy', '[]', 0)"
        )
        for number, audit_type in ((1, "ONESHOT"), (2, "EVENT")):
            audits = sa.table(
                "audits",
                *map(
                    sa.column, ("id", "uuid", "name", "audit_type", "state", "goal_id", "deleted")
                ),
                *map(sa.column, ("deleted", "auto_trigger", "force")),
            )
            connection.execute(
                audits.insert().values(
                    uuid=f"a{number}",
                    name=f"audit {number}",
                    audit_type=audit_type,
                    state="SUCCEEDED",
                    goal_id=1,
                    deleted=0,
                    auto_trigger=sa.true(),
                    force=sa.false(),
                )
            )
    migrations.upgrade(database)
    objects = Objects(database)
    audit = objects.audits.get("a2")
    assert (audit.name, audit.parameters, audit.scope, audit.revision) == ("audit 2", {}, [], 0)
    assert audit.auto_trigger
    assert objects.audits.create(name="new", audit_type="ONESHOT", goal_id=1).id == 3
    names = database.read(lambda c: sa.inspect(c).get_table_names())
    assert "apscheduler_jobs" not in names


def test_an_unknown_revision_is_told(database: Database) -> None:
    """A database of an older Watcher needs Watcher's own migrations first."""
    migrations.upgrade(database)
    with pytest.raises(InvalidInput, match="nowhere"):
        migrations.upgrade(database, "nowhere")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '7150a7d8f228'")
    with pytest.raises(InvalidInput, match="7150a7d8f228"):
        migrations.upgrade(database)


def test_a_revision_can_be_stamped(database: Database) -> None:
    """It is written down, and nothing else is touched."""
    migrations.stamp(database, WATCHER)
    assert migrations.current(database) == WATCHER
    assert database.read(lambda c: sa.inspect(c).get_table_names()) == ["alembic_version"]
    with pytest.raises(StoreUnavailable, match="tachyon db upgrade"):
        Objects(database).goals.find()
