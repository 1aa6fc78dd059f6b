"""`tachyon audit`: run a strategy on a cluster and show the plan."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from tachyon.cli.console import output, progress
from tachyon.cli.report import write_report
from tachyon.cli.source import read_view, source_options
from tachyon.cli.tables import show_report
from tachyon.errors import InvalidInput
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.optimize.audit import AuditReport, run_audit
from tachyon.optimize.migration import BANDWIDTH_MBIT
from tachyon.optimize.plugins import Plugins
from tachyon.optimize.scope import check, evaluate_all
from tachyon.optimize.selection import select as selected
from tachyon.optimize.strategies.base import Strategy
from tachyon.optimize.strategies.context import Context


@click.group()
def audit() -> None:
    """Audits: let a strategy look for a better placement."""


@audit.command("run")
@click.argument("file")
@click.option("--goal", help="Default: the strategy's, or server_consolidation.")
@click.option("--strategy", help="How; the goal's first strategy by default.")
@click.option(
    "--select",
    type=click.Choice(["first", "best"]),
    default="first",
    show_default=True,
    help="Without --strategy: run the goal's first strategy, or all of them and take the best.",
)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Parameter of the strategy; a.b=1 sets a key inside an object. Repeatable.",
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.option("--html", type=click.Path(dir_okay=False), help="Write a report to this file, too.")
@click.option(
    "--actions",
    type=click.IntRange(min=0),
    default=15,
    show_default=True,
    help="Actions to show in the table; 0: all.",
)
@click.option(
    "--bandwidth",
    type=click.FloatRange(min=0, min_open=True),
    default=BANDWIDTH_MBIT,
    show_default=True,
    metavar="MBIT/S",
    help="Of a migration, for its time.",
)
@click.option(
    "--scope",
    "scope_file",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Audit scope, JSON or YAML: which hosts, what to leave alone.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of random choices.")
@click.option("--progress/--no-progress", "shown", default=None, help="Default: on terminals.")
@source_options
def run(
    file: str,
    goal: str | None,
    strategy: str | None,
    select: str,
    parameters: tuple[str, ...],
    form: str,
    html: str | None,
    actions: int,
    bandwidth: float,
    scope_file: str | None,
    seed: int,
    shown: bool | None,
    **source: Any,
) -> None:
    """Run an audit on FILE: a cluster file, PlanetLab traces, a ROADEF model, a folder of captured
    OpenStack answers, or the URL of a store. Nothing is changed anywhere.
    """
    given = parsed(parameters)
    name, view = read_view(file, **source)
    report = execute(
        view,
        goal,
        strategy,
        given,
        best=select == "best",
        scope=None if scope_file is None else read_scope(scope_file),
        seed=seed,
        bandwidth=bandwidth,
        progress_wanted=shown,
    )
    if html is not None:
        write_report(Path(html), report, name)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        show_report(output(), report, name, actions)
        if html is not None:
            click.echo(f"Report: {html}")


def execute(
    view: View,
    goal: str | None,
    strategy: str | None,
    parameters: dict[str, Any],
    *,
    best: bool = False,
    scope: Any = None,
    seed: int = 0,
    bandwidth: float = BANDWIDTH_MBIT,
    progress_wanted: bool | None = None,
) -> AuditReport:
    """Run an audit with plug-ins named by the user, with progress and warnings on stderr."""
    plugins = Plugins()
    if strategy is not None:
        named = plugins.strategy(strategy)
        if goal is not None and plugins.goal(goal).name != named.goal:
            raise InvalidInput(f"strategy {strategy} serves goal {named.goal}, not {goal}")
        tried = [named]
    else:
        tried = plugins.strategies_for(goal or "server_consolidation")[: None if best else 1]
    mask = evaluate_all(scope, Session(view))
    for warning in mask.warnings:
        click.echo(f"Warning: scope: {warning}", err=True)
    with progress(tried[0].goal, progress_wanted) as step:

        def audited(chosen: type[Strategy]) -> AuditReport:
            return run_audit(
                view,
                plugins.goal(chosen.goal),
                chosen(parameters),
                Context(
                    scope=mask.providers,
                    consumers=mask.consumers,
                    excluded=mask.excluded,
                    seed=seed,
                    progress=step if len(tried) == 1 else None,
                ),
                planner=plugins.planner(chosen.planner)(),
                bandwidth_mbit=bandwidth,
            )

        if len(tried) == 1:
            report = audited(tried[0])
        else:
            found = selected(
                plugins.goal(tried[0].goal),
                {chosen.name: partial(audited, chosen) for chosen in tried},
                lambda one: {i.name: i.value for i in one.indicators},
            )
            report = found.outcome
            for name, error in found.refused.items():
                click.echo(f"Warning: {name} is left out: {error.message}", err=True)
    for warning in report.warnings:
        click.echo(f"Warning: {warning}", err=True)
    return report


def read_scope(path: str) -> list[dict[str, Any]]:
    """Return the audit scope in a file; raises `InvalidInput` and `ScopeInvalid`."""
    try:
        return check(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path}: is neither JSON nor YAML: {' '.join(str(error).split())}"
        ) from error


def parsed(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Return parameters from KEY=VALUE; a value is JSON if it can be read as such, else text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not all(key.split(".")):
            raise click.UsageError(f"{pair!r} is not KEY=VALUE")
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            value = text
        at = found
        *path, last = key.split(".")
        for step in path:
            inner = at.setdefault(step, {})
            if not isinstance(inner, dict):
                raise click.UsageError(f"{pair!r}: {step} is a value already, not an object")
            at = inner
        at[last] = value
    return found
