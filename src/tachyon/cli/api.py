"""`tachyon api`: the infra-optim API as a process."""

from __future__ import annotations

import click

from tachyon.cli.configured import config_file, load_service


@click.command()
@config_file
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes that serve.")
@click.option(
    "--no-authentication",
    is_flag=True,
    help="Let in whoever comes, as an administrator; on loopback only.",
)
def api(
    config_file: str | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    no_authentication: bool,
) -> None:
    """Serve the infra-optim API until interrupted; what is not given is in the configuration."""
    from tachyon.control.api.server import serve

    conf = load_service(
        config_file,
        api__host=host,
        api__port=port,
        api__workers=workers,
        enable_authentication=False if no_authentication else None,
    )
    serve(conf, ready=lambda url: click.echo(f"infra-optim API on {url}"))
