"""`tachyon plugins`: what is installed."""

from __future__ import annotations

import click
import msgspec
from rich import box
from rich.table import Table

from tachyon.cli.console import output
from tachyon.optimize.plugins import Plugins


@click.command()
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def plugins(form: str) -> None:
    """List goals and strategies with their parameters."""
    found = Plugins()
    if form == "json":
        listed = {
            "goals": [
                {
                    "name": g.name,
                    "display_name": g.display_name,
                    "indicators": msgspec.to_builtins(g.indicators),
                }
                for g in found.goals.values()
            ],
            "strategies": [
                {
                    "name": s.name,
                    "display_name": s.display_name,
                    "goal": s.goal,
                    "parameters": s.schema,
                }
                for s in found.strategies.values()
            ],
            "broken": found.broken,
        }
        click.echo(msgspec.json.format(msgspec.json.encode(listed)).decode())
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
    for header in ("strategy", "parameter", "default", "meaning"):
        table.add_column(header, overflow="fold")
    for goal in found.goals.values():
        table.add_row(f"[bold]{goal.name}[/]", "", "", f"[bold]{goal.display_name}[/]")
        for strategy in found.strategies.values():
            if strategy.goal != goal.name:
                continue
            named = f"  {strategy.name}"
            for name, rule in strategy.schema.get("properties", {}).items():
                default = msgspec.json.encode(rule.get("default")).decode()
                table.add_row(named, name, default, rule.get("description", ""))
                named = ""
    console = output()
    console.print(table)
    for name, reason in found.broken.items():
        console.print(f"[bold red]{name}[/] cannot be loaded: {reason}")
