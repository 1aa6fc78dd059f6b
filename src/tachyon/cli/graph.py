"""`tachyon graph`: the model service as a process."""

from __future__ import annotations

import click


@click.group()
def graph() -> None:
    """The cluster graph's service."""


@graph.command()
@click.option("--store", metavar="URL", help="Where the graph is kept.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes that serve.")
@click.option("--auth", type=click.Choice(["keystone", "noauth"]), help="Who is let in.")
@click.option("--config-file", type=click.Path(exists=True, dir_okay=False))
def serve(
    store: str | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    auth: str | None,
    config_file: str | None,
) -> None:
    """Serve the Tachyon API until interrupted; what is not given comes from the configuration."""
    from tachyon.graph.service.server import serve as run

    run(
        store_url=store,
        host=host,
        port=port,
        workers=workers,
        auth=auth,
        config_file=config_file,
    )
