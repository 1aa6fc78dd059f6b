"""`tachyon decision-engine`: audits become plans, as a process."""

from __future__ import annotations

import click

from tachyon.cli.configured import config_file, load_service


@click.command("decision-engine")
@config_file
@click.option("--host", help="Name of this engine; the host's by default.")
def decision_engine(config_file: str | None, host: str | None) -> None:
    """Run audits until interrupted."""
    from tachyon.control.engine.service import decision_engine as service_of
    from tachyon.control.parts import Parts
    from tachyon.control.process import run_until_signal

    conf = load_service(config_file, host=host)
    service = service_of(Parts(conf))
    run_until_signal(
        service,
        lambda: click.echo(f"decision engine {conf.host}; health at {service.url}/healthcheck"),
    )
