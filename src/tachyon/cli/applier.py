"""`tachyon applier`: plans change the cloud, as a process."""

from __future__ import annotations

import click

from tachyon.cli.configured import config_file, load_service


@click.command()
@config_file
@click.option("--host", help="Name of this applier; the host's by default.")
@click.option("--os-cloud", metavar="NAME", help="Name of the cloud in clouds.yaml.")
def applier(config_file: str | None, host: str | None, os_cloud: str | None) -> None:
    """Execute action plans until interrupted."""
    from tachyon.control.applier.service import applier as service_of
    from tachyon.control.parts import Parts
    from tachyon.control.process import run_until_signal

    conf = load_service(config_file, host=host, keystone__cloud=os_cloud)
    service = service_of(Parts(conf))
    run_until_signal(
        service, lambda: click.echo(f"applier {conf.host}; health at {service.url}/healthcheck")
    )
