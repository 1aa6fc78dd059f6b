"""`tachyon capture`: a live cloud into a cluster file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import click


@click.command()
@click.option("--os-cloud", metavar="NAME", help="Name of the cloud in clouds.yaml.")
@click.option("--config-file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--anonymise", is_flag=True, help="Replace names and ids by pseudonyms, drop free texts."
)
@click.option(
    "--secret",
    type=click.Path(dir_okay=False),
    help="File with the secret of the pseudonyms, made if it is missing: captures with the same "
    "secret have the same pseudonyms. Without it each capture has its own.",
)
@click.argument("file", type=click.Path(dir_okay=False))
def capture(
    os_cloud: str | None,
    config_file: str | None,
    anonymise: bool,
    secret: str | None,
    file: str,
) -> None:
    """Write a live cloud to FILE, a cluster file (gzip if its name ends in .gz)."""
    from tachyon import conf as options
    from tachyon.graph.cluster_file import write_cluster_file
    from tachyon.openstack.captured.anonymising import Anonymiser
    from tachyon.openstack.captured.live import read_live
    from tachyon.openstack.collectors import plugins
    from tachyon.openstack.connection import connect

    if secret is not None and not anonymise:
        raise click.UsageError("--secret is for --anonymise")
    conf = options.load(config_file)
    with connect(conf, cloud=os_cloud) as cloud:
        content = read_live(cloud, plugins.collectors(conf.collector.collectors, cloud))
    if anonymise:
        content = Anonymiser(_secret(secret)).content(content)
    write_cluster_file(file, content)
    cluster = content.cluster
    click.echo(
        f"{len(cluster.providers)} providers and {len(cluster.consumers)} consumers "
        f"written to {file}"
    )


def _secret(path: str | None) -> bytes:
    if path is None:
        return secrets.token_bytes(32)
    if not Path(path).exists():
        # Whoever has the secret can tell which name a pseudonym stands for.
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
            made.write(secrets.token_hex(32).encode())
    return Path(path).read_bytes().strip()
