"""`tachyon status upgrade check`: whether this release can start on what is there.

The codes are those of all OpenStack services: 0 ready, 1 warnings, 2 not ready.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
from oslo_config import cfg
from rich import box
from rich.table import Table

from tachyon.cli.configured import config_file, load
from tachyon.cli.console import output
from tachyon.errors import TachyonError

SUCCESS, WARNING, FAILURE = 0, 1, 2
_WORDS = {SUCCESS: "Success", WARNING: "Warning", FAILURE: "Failure"}
#: Cold migration to a named host came with it.
_MINIMUM_NOVA = (2, 56)

Result = tuple[int, str]


@click.group()
def status() -> None:
    """Whether all is as it should be."""


@status.group()
def upgrade() -> None:
    """Upgrades to this release."""


@upgrade.command()
@config_file
@click.pass_context
def check(context: click.Context, config_file: str | None) -> int:
    """Check the database's schema, Nova's microversion, the policy file and the plug-ins."""
    conf = load(config_file)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Upgrade check", title_justify="left")
    for header in ("check", "result", "details"):
        table.add_column(header, overflow="fold")
    worst = SUCCESS
    for name, look in _CHECKS.items():
        code, details = look(conf)
        worst = max(worst, code)
        table.add_row(name, _WORDS[code], details)
    output().print(table)
    return worst


def _schema(conf: cfg.ConfigOpts) -> Result:
    from tachyon.control.objects import Database, migrations

    try:
        database = Database.of(conf)
    except TachyonError as error:
        return FAILURE, error.message
    try:
        migrations.check(database)
    except TachyonError as error:
        return FAILURE, error.message
    finally:
        database.close()
    return SUCCESS, ""


def _nova(conf: cfg.ConfigOpts) -> Result:
    said = conf.nova.api_version
    if not said:
        return SUCCESS, ""
    try:
        version = tuple(int(part) for part in said.split("."))
    except ValueError:
        return FAILURE, f"[nova] api_version is {said}, which is no microversion"
    if version < _MINIMUM_NOVA:
        return FAILURE, f"[nova] api_version is {said}; at least 2.56 is needed"
    return SUCCESS, ""


def _policy(conf: cfg.ConfigOpts) -> Result:
    from tachyon.control.api import policies

    try:
        enforcer = policies.enforcer(conf)
    except TachyonError as error:
        return FAILURE, error.message
    path = enforcer.policy_path
    if path is None:
        return SUCCESS, ""
    try:
        json.loads(Path(path).read_text())
    except ValueError:
        return SUCCESS, ""
    return WARNING, f"{path} is JSON; oslopolicy-convert-json-to-yaml makes YAML of it"


def _plugins(_conf: cfg.ConfigOpts) -> Result:
    from tachyon.optimize.plugins import Plugins

    broken = Plugins().broken
    if broken:
        return WARNING, "; ".join(f"{name}: {reason}" for name, reason in broken.items())
    return SUCCESS, ""


_CHECKS: dict[str, Callable[[cfg.ConfigOpts], Result]] = {
    "Database schema": _schema,
    "Minimum Nova API version": _nova,
    "Policy file format": _policy,
    "Plug-ins": _plugins,
}
