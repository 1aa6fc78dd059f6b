"""`tachyon doctor`: what a cloud lacks before it can be optimised."""

from __future__ import annotations

import click
from rich import box
from rich.table import Table
from rich.text import Text

from tachyon.cli.configured import config_file, load
from tachyon.cli.console import output

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


@click.command()
@click.option("--os-cloud", metavar="NAME", help="Name of the cloud in clouds.yaml.")
@click.option("--transport-url", metavar="URL", help="The cloud's message bus.")
@config_file
def doctor(os_cloud: str | None, transport_url: str | None, config_file: str | None) -> int:
    """Look at a cloud and say what is missing; changes nothing.

    Asks each service what the collectors will ask of it. Exit code 0: nothing is in the way;
    1: something is.
    """
    # What talks to clouds takes half a second to load; other commands do without.
    from tachyon.openstack.connection import connect
    from tachyon.openstack.diagnosis import diagnose

    conf = load(config_file, keystone__cloud=os_cloud, notifications__transport_url=transport_url)
    for group in ("keystone", "nova", "placement", "cinder", "ironic", "maas_client"):
        # Whoever waits wants to know now; a file may ask for more patience.
        conf.set_default("http_retries", 0, group=group)
    with connect(conf) as cloud:
        findings = diagnose(cloud, conf)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("service", "check", "", "found", "what to do"):
        table.add_column(header, overflow="fold")
    for finding in findings:
        level = Text(finding.level, style=_STYLES[finding.level])
        # As text: what a service answers, and the names of options, may look like markup.
        told = (finding.service, finding.check), (finding.detail, finding.missing)
        (where, what), (found, missing) = (tuple(Text(t) for t in pair) for pair in told)
        table.add_row(where, what, level, found, missing)
    console = output()
    console.print(table)
    errors = sum(finding.level == "error" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    console.print(f"{errors} errors, {warnings} warnings")
    return 1 if errors else 0
