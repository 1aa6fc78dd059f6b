"""`tachyon collector`: a cloud into the graph, and the graph after the cloud."""

from __future__ import annotations

import click

from tachyon.cli.configured import config_file, load_service


@click.command()
@config_file
@click.option("--os-cloud", metavar="NAME", help="Name of the cloud in clouds.yaml.")
@click.option("--graph", metavar="URL", help="Where the graph is: a service or a store.")
@click.option("--transport-url", metavar="URL", help="The cloud's message bus.")
@click.option("--period", type=click.FloatRange(min=1), help="Seconds between synchronisations.")
@click.option("--host", help="Address of /healthcheck and /metrics.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of /healthcheck and /metrics.")
def collector(
    config_file: str | None,
    os_cloud: str | None,
    graph: str | None,
    transport_url: str | None,
    period: float | None,
    host: str | None,
    port: int | None,
) -> None:
    """Collect until interrupted; what is not given comes from the configuration."""
    from tachyon.openstack.collectors.process import serve

    conf = load_service(
        config_file,
        keystone__cloud=os_cloud,
        graph__url=graph,
        notifications__transport_url=transport_url,
        collector__period=period,
        collector__host=host,
        collector__port=port,
    )
    serve(conf, ready=lambda url: click.echo(f"collecting; health at {url}/healthcheck"))
