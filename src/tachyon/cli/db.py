"""`tachyon db`: the schema of the control plane's database, and what is kept in it."""

from __future__ import annotations

import click

from tachyon.cli.configured import config_file, database
from tachyon.cli.console import output


@click.group()
def db() -> None:
    """The control plane's database."""


@db.command()
@config_file
@click.option("--revision", default="head", show_default=True, help="Revision to go to.")
def upgrade(config_file: str | None, revision: str) -> None:
    """Create the tables, or bring them up to date; a database of Watcher 2026.2, too."""
    from tachyon.control.objects import migrations

    with database(config_file) as opened:
        migrations.upgrade(opened, revision)
        click.echo(migrations.current(opened))


@db.command()
@config_file
def current(config_file: str | None) -> None:
    """Show the schema's revision."""
    from tachyon.control.objects import migrations

    with database(config_file) as opened:
        click.echo(migrations.current(opened) or "none")


@db.command()
@config_file
@click.argument("revision", default="head")
def stamp(config_file: str | None, revision: str) -> None:
    """Say that the schema is of a REVISION, without touching it."""
    from tachyon.control.objects import migrations

    with database(config_file) as opened:
        migrations.stamp(opened, revision)
        click.echo(migrations.current(opened))


@db.command()
@config_file
@click.option("-d", "--age-in-days", type=int, default=0, help="Days since the deletion; 0: any.")
@click.option("-n", "--max-number", type=int, help="Most rows to remove.")
@click.option("-t", "--goal", help="Uuid or name of a deleted goal: only what belongs to it.")
@click.option("-e", "--exclude-orphans", is_flag=True, help="Leave alone what is alive.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask; for scheduled runs.")
def purge(
    config_file: str | None,
    age_in_days: int,
    max_number: int | None,
    goal: str | None,
    exclude_orphans: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Remove for good what was deleted, with all that hangs on it."""
    from tachyon.control.objects import Objects
    from tachyon.control.objects import purge as purging

    with database(config_file) as opened:
        objects = Objects(opened)
        selection = purging.select(
            objects,
            age_in_days=age_in_days,
            goal=goal,
            exclude_orphans=exclude_orphans,
            max_number=max_number,
        )
        _show(selection.counts(), selection.total)
        if selection.left:
            click.echo(f"{selection.left} more rows are left out, to keep to {max_number}.")
        if dry_run or not selection.total:
            return
        if not yes:
            click.confirm("Remove these rows for good?", abort=True)
        purging.remove(objects, selection)
        click.echo(f"{selection.total} rows removed.")


def _show(counts: dict[str, int], total: int) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("kind")
    table.add_column("rows", justify="right")
    for kind, count in counts.items():
        table.add_row(kind, f"{count:,}")
    table.add_row("Total", f"{total:,}")
    output().print(table)
