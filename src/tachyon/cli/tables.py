"""An audit's report as tables for a terminal of 80 columns."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tachyon.cli.words import action_words, amount, duration, memory, runs
from tachyon.optimize.audit import AuditReport


def show_report(console: Console, report: AuditReport, source: str, actions: int) -> None:
    """Print a report: before and after, the indicators, and the first actions (0: all)."""
    console.print(
        Group(
            Text.assemble(
                (report.goal, "bold"), " by ", (report.strategy, "bold"), f" on {source}"
            ),
            _summary(report),
            _utilisation(report),
            *_indicators(report),
            *_plan(report, actions),
        )
    )


def _table(*headers: str, title: str | None = None) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False
    )
    for k, header in enumerate(headers):
        table.add_column(header, justify="left" if k == 0 else "right", overflow="fold")
    return table


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} → [bold]{after}[/]"


def _summary(report: AuditReport) -> RenderableType:
    before, after = report.before, report.after
    table = _table("", "before", "after")
    rows = [
        ("hosts in use", f"{before.hosts_in_use:,}", f"{after.hosts_in_use:,}"),
        ("hosts in service", f"{before.hosts_in_service:,}", f"{after.hosts_in_service:,}"),
        (
            f"weighted deviation ({', '.join(report.weights)})",
            f"{before.weighted_deviation:.4f}",
            f"{after.weighted_deviation:.4f}",
        ),
    ]
    for name, was, becomes in rows:
        table.add_row(name, was, becomes if was == becomes else f"[bold]{becomes}[/]")
    bound = report.facts.get("hosts_lower_bound")
    if bound is not None:
        table.add_row("[dim]no plan needs fewer hosts than[/]", "", f"[dim]{amount(bound)}[/]")
    table.caption = f"{before.hosts:,} compute hosts, {report.instances:,} instances"
    table.caption_justify = "left"
    return table


def _utilisation(report: AuditReport) -> RenderableType:
    fewer = report.after.hosts_in_use < report.before.hosts_in_use
    before = report.before.classes_in_use if fewer else report.before.classes
    after = report.after.classes_in_use if fewer else report.after.classes
    title = f"Utilisation of {'the hosts in use' if fewer else 'all hosts'}, %"
    table = _table("", "mean", "std deviation", "min", "max", title=title)
    for name, was in before.items():
        becomes = after[name]
        table.add_row(
            name,
            *(
                _change(f"{100 * getattr(was, m):.1f}", f"{100 * getattr(becomes, m):.1f}")
                for m in ("mean", "std_deviation", "min", "max")
            ),
        )
    return table


def _indicators(report: AuditReport) -> list[RenderableType]:
    table = _table("Efficacy", "value")
    for indicator in (*report.indicators, *report.global_efficacy):
        unit = f" {indicator.unit}" if indicator.unit else ""
        table.add_row(indicator.name, f"{amount(indicator.value)}{unit}")
    return [table]


def _plan(report: AuditReport, limit: int) -> list[RenderableType]:
    if not report.actions:
        return [Text("Nothing to do: the plan is empty.", style="bold")]
    shown = report.actions[: limit or None]
    title = (
        f"Plan: {len(report.actions):,} actions, {report.migrations:,} migrations, "
        f"{memory(report.cost.memory_mb)} to copy, {duration(report.cost.seconds)} one by one, "
        f"{duration(report.duration)} side by side"
    )
    table = _table("#", "after", "action", "resource", "where", "MB")
    for column in (0, 5):
        table.columns[column].justify = "right"
    for column in (1, 2, 3, 4):
        table.columns[column].justify = "left"
    numbers = {action.uuid: n for n, action in enumerate(report.actions, start=1)}
    for action in shown:
        kind, where = action_words(action)
        table.add_row(
            str(numbers[action.uuid]),
            runs(numbers[parent] for parent in action.parents),
            kind,
            escape(action.resource_name),
            escape(where),
            f"{action.movement.cost.memory_mb:,}" if action.movement else "",
        )
    found: list[RenderableType] = [Text(title, style="bold"), table]
    left = len(report.actions) - len(shown)
    if left:
        found.append(Text(f"… and {left:,} more; --actions 0 shows all.", style="dim"))
    return found
