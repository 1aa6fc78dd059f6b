"""An audit's report as one HTML file: no script, no external asset, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from pathlib import Path

import msgspec

from tachyon.cli.heatmap import distribution, heat_map, legend
from tachyon.cli.words import action_words, amount, duration, memory, runs
from tachyon.errors import InvalidInput
from tachyon.optimize.audit import AuditReport

#: Most actions that are listed; a longer plan is to be read from the JSON form.
ACTIONS_MAX = 500


def write_report(path: Path, report: AuditReport, source: str) -> None:
    """Write the report of an audit on `source`; raises `InvalidInput` if it cannot be written."""
    try:
        path.write_text(render(report, source), encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written: {error.strerror}") from error


def render(report: AuditReport, source: str) -> str:
    """Return the report as an HTML document."""
    style = resources.files("tachyon.cli").joinpath("report.css").read_text("utf-8")
    title = f"{report.goal}: {source}"
    classes = _classes(report)
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(title)}</title>\n<style>\n{style}{_tab_style(len(classes))}</style>\n",
            "</head>\n<body>\n",
            _header(report, source),
            _tiles(report),
            _maps(report, classes),
            _utilisation(report),
            _efficacy(report),
            _actions(report),
            "</body>\n</html>\n",
        ]
    )


def _classes(report: AuditReport) -> list[str]:
    """Return the columns to show: those that the strategy judged by first."""
    there = list(report.before.classes)
    first = [name for name in report.weights if name in there]
    return first + [name for name in there if name not in first]


def _header(report: AuditReport, source: str) -> str:
    before = report.before
    return (
        f"<header><h1>{escape(report.goal.replace('_', ' ').capitalize())}</h1>"
        f'<p class="soft">{escape(source)}: {before.hosts:,} compute hosts, '
        f"{report.instances:,} instances. Strategy {escape(report.strategy)}, "
        f"{duration(sum(report.seconds.values()))} of work.</p></header>\n"
    )


def _tiles(report: AuditReport) -> str:
    before, after = report.before, report.after
    bound = report.facts.get("hosts_lower_bound")
    weighted = ", ".join(report.weights)
    tiles = [
        (
            "Hosts in use",
            _change(f"{before.hosts_in_use:,}", f"{after.hosts_in_use:,}"),
            "" if bound is None else f"no plan needs fewer than {amount(bound)}",
        ),
        (
            "Standard deviation",
            _change(f"{before.weighted_deviation:.3f}", f"{after.weighted_deviation:.3f}"),
            f"weighted, of {weighted}",
        ),
        (
            "Migrations",
            f"{report.migrations:,}",
            f"{len(report.actions):,} actions in all",
        ),
        (
            "Memory to copy",
            memory(report.cost.memory_mb),
            f"{duration(report.cost.seconds)} one by one",
        ),
    ]
    cells = "".join(
        f'<div class="tile"><div class="name">{escape(name)}</div>'
        f'<div class="value">{value}</div><div class="more">{escape(more)}</div></div>'
        for name, value, more in tiles
    )
    return f'<section class="tiles" aria-label="Summary">{cells}</section>\n'


def _change(before: str, after: str) -> str:
    if before == after:
        return escape(after)
    return f'<span class="was">{escape(before)} →</span> {escape(after)}'


def _tab_style(count: int) -> str:
    """Return the rules that show the map whose radio button is chosen."""
    chosen = ",".join(f"#c{k}:checked~.map.m{k}" for k in range(count))
    label = ",".join(f"#c{k}:checked~.tabs label[for=c{k}]" for k in range(count))
    focus = ",".join(f"#c{k}:focus-visible~.tabs label[for=c{k}]" for k in range(count))
    return (
        f"{chosen}{{display:block}}\n"
        f"{label}{{background:var(--accent);border-color:var(--accent);color:var(--card)}}\n"
        f"{focus}{{outline:2px solid var(--ink);outline-offset:2px}}\n"
        if count
        else ""
    )


def _maps(report: AuditReport, classes: Sequence[str]) -> str:
    buttons = "".join(
        f'<input class="choice" type="radio" name="class" id="c{k}"{" checked" if not k else ""}>'
        for k in range(len(classes))
    )
    labels = "".join(f'<label for="c{k}">{escape(name)}</label>' for k, name in enumerate(classes))
    maps = "".join(
        f'<div class="map m{k}"><div class="pair">'
        f"<div><h3>Before</h3>{heat_map(report.hosts, name, after=False)}</div>"
        f"<div><h3>After</h3>{heat_map(report.hosts, name, after=True)}</div></div>"
        f"{_distribution(report, name)}</div>"
        for k, name in enumerate(classes)
    )
    return (
        '<section><h2>Utilisation, host by host</h2><div class="panel">'
        f'{buttons}<div class="tabs">{labels}</div>{maps}{legend()}</div></section>\n'
    )


def _distribution(report: AuditReport, name: str) -> str:
    """Return the map in words and numbers, for those who do not see it."""
    rows = distribution(report.hosts, name)
    body = _rows([band, f"{was:,}", f"{becomes:,}"] for band, was, becomes in rows)
    return (
        "<details><summary class=soft>The same as a table</summary>"
        f"{_table(['Utilisation', 'Hosts before', 'Hosts after'], body)}</details>"
    )


def _table(headers: Sequence[str], body: str, numbers: bool = True) -> str:
    cells = "".join(
        f'<th scope="col"{" class=n" if numbers and k else ""}>{escape(h)}</th>'
        for k, h in enumerate(headers)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{cells}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _rows(rows: Iterable[Sequence[str]], numbers: bool = True) -> str:
    return "".join(
        "<tr>"
        + "".join(
            f"<td{' class=n' if numbers and k else ''}>{escape(c)}</td>" for k, c in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )


def _utilisation(report: AuditReport) -> str:
    rows = []
    for title, was, becomes in (
        ("all hosts", report.before.classes, report.after.classes),
        ("hosts in use", report.before.classes_in_use, report.after.classes_in_use),
    ):
        for name in was:
            cells = [f"{name}, {title}"]
            for metric in ("mean", "std_deviation", "min", "max"):
                pair = [f"{100 * getattr(m[name], metric):.1f}" for m in (was, becomes)]
                cells.append(pair[0] if pair[0] == pair[1] else " → ".join(pair))
            rows.append(cells)
    headers = ["Class", "Mean %", "Std deviation %", "Min %", "Max %"]
    return (
        f'<section><h2>Load</h2><div class="panel">{_table(headers, _rows(rows))}</div></section>\n'
    )


def _efficacy(report: AuditReport) -> str:
    rows = [
        (i.name, f"{amount(i.value)}{f' {i.unit}' if i.unit else ''}", i.description)
        for i in (*report.indicators, *report.global_efficacy)
    ]
    parameters = _rows(
        [(name, msgspec.json.encode(value).decode()) for name, value in report.parameters.items()],
        numbers=False,
    )
    return (
        '<section><h2>Efficacy</h2><div class="panel">'
        f"{_table(['Indicator', 'Value', 'Meaning'], _rows(rows, False), False)}"
        "<details><summary class=soft>Parameters of the strategy</summary>"
        f"{_table(['Parameter', 'Value'], parameters, False)}</details></div></section>\n"
    )


def _actions(report: AuditReport) -> str:
    if not report.actions:
        return "<section><h2>Plan</h2><p>Nothing to do: the plan is empty.</p></section>\n"
    rows = []
    numbers = {action.uuid: n for n, action in enumerate(report.actions, start=1)}
    for action in report.actions[:ACTIONS_MAX]:
        kind, where = action_words(action)
        cost = memory(action.movement.cost.memory_mb) if action.movement else ""
        after = runs(numbers[parent] for parent in action.parents)
        rows.append((str(numbers[action.uuid]), after, kind, action.resource_name, where, cost))
    left = len(report.actions) - len(rows)
    note = (
        f'<p class="soft">The first {len(rows):,} of {len(report.actions):,} actions; '
        "the JSON form holds all.</p>"
        if left
        else ""
    )
    headers = ["#", "After", "Action", "Resource", "Where", "To copy"]
    return (
        '<section><h2>Plan</h2><p class="soft">An action may start when those it comes after have '
        "ended. Every step finds its place free while its source is still taken, whatever "
        f'runs beside it.</p>{note}<div class="panel">'
        f"{_table(headers, _rows(rows, False), False)}"
        "</div></section>\n"
    )
