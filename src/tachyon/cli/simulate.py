"""`tachyon simulate`: a what-if session by hand, or from a script."""

from __future__ import annotations

import sys
from typing import Any, TextIO

import click

from tachyon.cli.console import output
from tachyon.cli.shell import Shell
from tachyon.cli.source import read_view, source_options
from tachyon.errors import TachyonError
from tachyon.graph.simulation import Session


@click.command()
@click.argument("file")
@click.option(
    "--script", type=click.File("r"), help="Commands, one a line ('-': stdin); # begins a comment."
)
@source_options
def simulate(file: str, script: TextIO | None, **source: Any) -> int:
    """Try changes on FILE without making them: move, undo, look at the metrics, ask where an
    instance could go and why not elsewhere. `help` lists the commands.

    A script ends at its first error, with exit code 1 and the line's number.
    """
    name, view = read_view(file, **source)
    shell = Shell(Session(view), output())
    if script is not None:
        return _run(shell, script)
    hosts, instances = shell.counts()
    shell.console.print(
        f"{name}: {hosts:,} hosts, {instances:,} instances; try `help`.", markup=False
    )
    shell.interact()
    return 0


def _run(shell: Shell, script: TextIO) -> int:
    for number, line in enumerate(script, start=1):
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        shell.console.print(f"> {text}", style="bold cyan", markup=False)
        try:
            if not shell.do(text):
                break
        except TachyonError as error:
            sys.stdout.flush()
            message = " ".join(error.message.split())
            print(f"tachyon: error: line {number}: {message}", file=sys.stderr)
            return 1
    return 0
