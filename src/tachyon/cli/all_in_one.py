"""`tachyon all-in-one`: the whole control plane as one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from oslo_config import cfg

from tachyon.cli.configured import config_file, load_service
from tachyon.cli.source import read_content
from tachyon.graph.cluster_file import ClusterFile

if TYPE_CHECKING:
    from tachyon.openstack.emulator.durations import Durations
    from tachyon.openstack.emulator.emulator import Emulator


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
    conf = load_service(
        config_file,
        api__port=port,
        keystone__cloud=os_cloud,
        enable_authentication=authentication,
    )
    in_folder(conf, folder)
    services = AllInOne(conf)
    with ExitStack() as stack:
        cloud = None
        if emulate is not None:
            cloud = stack.enter_context(emulated(conf, read_content(emulate, "auto")))

        def ready() -> None:
            click.echo(f"infra-optim API on {services.url}")
            if cloud is not None:
                click.echo(cloud.clouds())

        run_until_signal(services, ready)


@contextmanager
def emulated(
    conf: cfg.ConfigOpts, content: ClusterFile, durations: Durations | None = None
) -> Iterator[Emulator]:
    """Bring a cloud for the time of the block, and let the options name it.

    Args:
        conf: options, which are changed.
        content: what is in the cloud.
        durations: how long work takes in it.
    """
    from tachyon.control.all_in_one import BUS
    from tachyon.openstack.emulator.emulator import Emulator

    with Emulator(content, transport_url=BUS, durations=durations) as cloud:
        conf.set_override("cloud", cloud.name, group="keystone")
        conf.set_override("clouds_file", str(cloud.clouds_yaml), group="keystone")
        conf.set_override("transport_url", BUS, group="notifications")
        conf.set_override("port", 0, group="collector")
        yield cloud
