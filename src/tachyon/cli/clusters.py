"""`tachyon import`, `export` and `generate`: clusters into and out of files and stores."""

from __future__ import annotations

import click

from tachyon.cli.source import FORMATS, put_into_store, read_content, view_of_store
from tachyon.graph.cluster_file import ClusterFile, write_cluster_file
from tachyon.graph.generator import generate
from tachyon.graph.mutations import Cluster
from tachyon.graph.view import View


@click.command("import")
@click.argument("file")
@click.option(
    "--format", "format_", type=click.Choice(list(FORMATS)), default="auto", help="Of FILE."
)
@click.option("--store", metavar="URL", help="Make this store's graph that of FILE.")
@click.option("--output", type=click.Path(dir_okay=False), help="Write a cluster file (.gz too).")
def import_command(file: str, format_: str, store: str | None, output: str | None) -> None:
    """Read FILE in any format, into a store or as a cluster file."""
    if (store is None) == (output is None):
        raise click.UsageError("name one of --store and --output")
    content = read_content(file, format_)
    counted = _counted(content.cluster)
    if output is not None:
        write_cluster_file(output, content)
        click.echo(f"{counted} written to {output}")
    if store is not None:
        generation = put_into_store(store, content)
        left = ", its metrics are not kept there" if content.metrics else ""
        click.echo(f"{counted} in the store at generation {generation}{left}")


@click.command("export")
@click.option("--store", metavar="URL", required=True, help="Where the graph is.")
@click.argument("file", type=click.Path(dir_okay=False))
def export_command(store: str, file: str) -> None:
    """Write the graph of a store to FILE, a cluster file (gzip if its name ends in .gz)."""
    cluster = cluster_of(view_of_store(store))
    write_cluster_file(file, ClusterFile(cluster=cluster))
    click.echo(f"{_counted(cluster)} written to {file}")


@click.command("generate")
@click.option("--hosts", type=int, default=100, show_default=True)
@click.option("--instances", type=int, default=1000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--skew",
    type=float,
    default=0.3,
    show_default=True,
    help="0 spreads instances evenly, 1 fills some hosts and leaves others empty.",
)
@click.option(
    "--load",
    type=float,
    default=0.5,
    show_default=True,
    help="Mean use of the tightest resource class.",
)
@click.option("--nested", type=int, default=0, show_default=True, help="NUMA nodes of each host.")
@click.option("--zones", type=int, default=1, show_default=True)
@click.option("--aggregates", type=int, default=0, show_default=True)
@click.option("--server-groups", type=int, help="Default: one per 50 instances.")
@click.option("--disabled", type=float, default=0.0, show_default=True, help="Share of hosts.")
@click.option("--down", type=float, default=0.0, show_default=True, help="Share of hosts.")
@click.option("--pools", type=int, default=0, show_default=True)
@click.option("--volumes", type=int, default=0, show_default=True)
@click.option(
    "--samples",
    type=int,
    default=0,
    show_default=True,
    help="Measured values of each instance's CPU use.",
)
@click.argument("file", type=click.Path(dir_okay=False))
def generate_command(
    file: str,
    hosts: int,
    instances: int,
    seed: int,
    skew: float,
    load: float,
    nested: int,
    zones: int,
    aggregates: int,
    server_groups: int | None,
    disabled: float,
    down: float,
    pools: int,
    volumes: int,
    samples: int,
) -> None:
    """Make up a cluster and write it to FILE; the same options give the same cluster."""
    content = generate(
        hosts,
        instances,
        seed,
        skew=skew,
        load=load,
        nested=nested,
        zones=zones,
        aggregates=aggregates,
        server_groups=server_groups,
        disabled=disabled,
        down=down,
        pools=pools,
        volumes=volumes,
        samples=samples,
    )
    write_cluster_file(file, content)
    click.echo(f"{_counted(content.cluster)} written to {file}")


def cluster_of(view: View) -> Cluster:
    """Return a view's entities."""
    records = {kind: list(table.values()) for kind, table in view.records.items()}
    return Cluster(
        providers=[view.provider_at(row) for row in view.provider_order.tolist()],
        consumers=list(view.all_consumers()),
        flavors=records["flavor"],  # type: ignore[arg-type]
        projects=records["project"],  # type: ignore[arg-type]
        server_groups=records["server_group"],  # type: ignore[arg-type]
        host_aggregates=records["host_aggregate"],  # type: ignore[arg-type]
        availability_zones=records["availability_zone"],  # type: ignore[arg-type]
    )


def _counted(cluster: Cluster) -> str:
    return f"{len(cluster.providers):,} providers and {len(cluster.consumers):,} consumers"
