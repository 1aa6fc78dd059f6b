"""`tachyon sync`: goals, strategies and scoring engines into the database."""

from __future__ import annotations

import click

from tachyon.cli.configured import config_file, database


@click.command()
@config_file
def sync(config_file: str | None) -> None:
    """List the installed goals, strategies and scoring engines in the database."""
    from tachyon.control.objects import Objects, migrations
    from tachyon.control.synchronisation import synchronise

    with database(config_file) as opened:
        migrations.check(opened)
        done = synchronise(Objects(opened))
    for what in ("added", "replaced", "removed"):
        for kind, names in getattr(done, what).items():
            click.echo(f"{what}: {kind.replace('_', ' ')} {', '.join(names)}")
    for name in done.cancelled:
        click.echo(f"cancelled: {name}")
    for warning in done.warnings:
        click.echo(f"warning: {warning}", err=True)
    if not (done.added or done.replaced or done.removed):
        click.echo("nothing has changed")
