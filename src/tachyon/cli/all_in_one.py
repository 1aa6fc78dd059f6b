"""`tachyon all-in-one`: the whole control plane as one process."""

from __future__ import annotations

from pathlib import Path

import click

from tachyon.cli.configured import config_file, load
from tachyon.cli.source import read_content


@click.command("all-in-one")
@config_file
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tachyon-data"),
    show_default=True,
    help="Where database and graph are kept, unless the configuration says.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the API; 0: a free one.")
@click.option("--os-cloud", metavar="NAME", help="Name of the cloud in clouds.yaml.")
@click.option(
    "--emulate",
    metavar="FILE",
    help="Bring a cloud, emulated on loopback and filled from this cluster file.",
)
@click.option(
    "--authentication/--no-authentication",
    default=None,
    help="Whether callers of the API need a token; by default as configured, without on --emulate.",
)
def all_in_one(
    config_file: str | None,
    folder: Path,
    port: int | None,
    os_cloud: str | None,
    emulate: str | None,
    authentication: bool | None,
) -> None:
    """Run API, decision engine, applier and collector until interrupted."""
    from tachyon.control.all_in_one import AllInOne, in_folder
    from tachyon.control.process import run_until_signal

    if authentication is None and emulate is not None:
        authentication = False
    conf = load(
        config_file,
        api__port=port,
        keystone__cloud=os_cloud,
        enable_authentication=authentication,
    )
    in_folder(conf, folder)
    content = None if emulate is None else read_content(emulate, "auto")
    services = AllInOne(conf, emulated=content)

    def ready() -> None:
        click.echo(f"infra-optim API on {services.url}")
        if services.emulator is not None:
            click.echo(services.emulator.clouds())

    run_until_signal(services, ready)
