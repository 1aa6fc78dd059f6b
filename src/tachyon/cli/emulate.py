"""`tachyon emulate`: a small OpenStack on loopback, filled with a cluster file."""

from __future__ import annotations

from pathlib import Path

import click

from tachyon.cli.source import FORMATS, read_content


@click.command()
@click.argument("file")
@click.option("--input-format", type=click.Choice(list(FORMATS)), default="auto")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="TCP port; 0, the default: a free one."
)
@click.option(
    "--transport-url", metavar="URL", help="Send notifications there, e.g. rabbit://localhost/."
)
@click.option(
    "--time-scale",
    type=click.FloatRange(0.001, 10_000),
    default=1.0,
    show_default=True,
    help="Emulated seconds in one second: 60 makes a migration of a minute last a second.",
)
@click.option(
    "--clouds-file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the clouds.yaml to this file, too.",
)
def emulate(
    file: str,
    input_format: str,
    host: str,
    port: int,
    transport_url: str | None,
    time_scale: float,
    clouds_file: Path | None,
) -> None:
    """Serve FILE as an OpenStack cloud until interrupted; prints a clouds.yaml for it.

    Keystone, Nova, Placement, Cinder, Ironic and MAAS, stateful, without anything behind them.
    The cloud is called "emulated", its user "admin". There is no protection: keep it on loopback.
    """
    from tachyon.openstack.emulator.emulator import Emulator
    from tachyon.openstack.emulator.running import run

    def ready(emulator: Emulator) -> None:
        if clouds_file is not None:
            clouds_file.write_text(emulator.clouds())
        click.echo(emulator.clouds())
        click.echo(f"# MAAS: {emulator.maas_url} with the key {emulator.maas_key}", err=True)

    run(
        read_content(file, input_format),
        host=host,
        port=port,
        transport_url=transport_url,
        time_scale=time_scale,
        ready=ready,
    )
