"""The command as a user runs it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

TACHYON = Path(sys.executable).with_name("tachyon")
ROOT = Path(__file__).resolve().parents[2]


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def tachyon(*arguments: str | Path, stdin: str = "", code: int | None = 0) -> Outcome:
    return run([str(TACHYON), *map(str, arguments)], stdin=stdin, code=code)


def run(
    command: list[str], *, stdin: str = "", code: int | None = 0, **environment: str
) -> Outcome:
    found = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "COLUMNS": "80", **environment},
    )
    outcome = Outcome(found.returncode, found.stdout, found.stderr)
    assert code is None or outcome.code == code, outcome
    return outcome
