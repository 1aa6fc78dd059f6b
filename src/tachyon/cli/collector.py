"""`tachyon collector`: a cloud into the graph, and the graph after the cloud."""

from __future__ import annotations

import click


@click.command()
@click.option("--os-cloud", metavar="NAME", help="Name of the cloud in clouds.yaml.")
@click.option("--graph", metavar="URL", help="Where the graph is: a service or a store.")
@click.option("--transport-url", metavar="URL", help="The cloud's message bus.")
@click.option("--period", type=click.FloatRange(min=1), help="Seconds between synchronisations.")
@click.option("--host", help="Address of /healthcheck and /metrics.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of /healthcheck and /metrics.")
@click.option("--config-file", type=click.Path(exists=True, dir_okay=False))
def collector(
    os_cloud: str | None,
    graph: str | None,
    transport_url: str | None,
    period: float | None,
    host: str | None,
    port: int | None,
    config_file: str | None,
) -> None:
    """Collect until interrupted; what is not given comes from the configuration."""
    from tachyon.openstack.collectors.process import serve

    given: dict[str, dict[str, object]] = {
        "keystone": {"cloud": os_cloud},
        "graph": {"url": graph},
        "notifications": {"transport_url": transport_url},
        "collector": {"period": period, "host": host, "port": port},
    }
    overrides = {
        group: {name: value for name, value in values.items() if value is not None}
        for group, values in given.items()
    }
    serve(
        config_file=config_file,
        overrides=overrides,
        ready=lambda url: click.echo(f"collecting; health at {url}/healthcheck"),
    )
