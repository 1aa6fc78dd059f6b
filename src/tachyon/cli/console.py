"""The terminal: tables to stdout, progress to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from tachyon.optimize.strategies.context import Progress as Callback


def output() -> Console:
    """Return the console that results go to; narrow pipes get no less than 80 columns."""
    console = Console(highlight=False)
    if not console.is_terminal and console.width < 80:
        console.width = 80
    return console


@contextmanager
def progress(text: str, wanted: bool | None) -> Iterator[Callback | None]:
    """Show a bar on stderr while a block runs.

    Args:
        text: what is being done.
        wanted: None: only on a terminal.
    """
    shown = sys.stderr.isatty() if wanted is None else wanted
    if not shown:
        yield None
        return
    columns = (
        TextColumn("[bold]{task.fields[name]}"),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    # Not on a terminal, a line at the end is all that is wanted.
    with Progress(*columns, console=Console(stderr=True), transient=sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None, name=text)

        def step(done: int, total: int, said: str) -> None:
            bar.update(task, completed=done, total=total or None, description=said)

        yield step
