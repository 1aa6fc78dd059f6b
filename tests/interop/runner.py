"""Runs upstream's tests with our models in place of its own. A program of Watcher's environment.

    python -m tests.interop.runner --suite unit --graphs URL --output results.json

`--graphs` is where models keep their graphs: the address of `tests.interop.graphs`, or `memory`
for graphs in this process; without it upstream's own models are run. The output is a JSON object
of test id → null for a pass, the last lines of the failure otherwise.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import traceback
import unittest
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.interop.suites import SUITES


class Results(unittest.TestResult):
    """What became of each test, also of testtools' kind, which hands over details."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, str | None] = {}

    def addSuccess(self, test: Any, details: Any = None) -> None:
        self.rows.setdefault(test.id(), None)

    def addFailure(self, test: Any, err: Any = None, details: Any = None) -> None:
        self.rows[test.id()] = _text(err, details)

    def addError(self, test: Any, err: Any = None, details: Any = None) -> None:
        self.rows[test.id()] = _text(err, details)

    def addSkip(self, test: Any, reason: Any = None, details: Any = None) -> None:
        self.rows[test.id()] = f"skipped: {reason}"

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self.rows[test.id()] = _text(err, None)


def _text(error: Any, details: Any) -> str:
    if error is not None:
        return "".join(traceback.format_exception(*error))[-2000:]
    found = [
        content.as_text()
        for name, content in sorted((details or {}).items())
        if name.startswith(("traceback", "reason"))
    ]
    return "\n".join(found)[-2000:]


def _tests(suite: unittest.TestSuite) -> Iterator[Any]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _tests(test)
        else:
            yield test


def main() -> None:
    """Run a suite."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.runner")
    parser.add_argument("--suite", choices=SUITES, required=True)
    parser.add_argument("--graphs", default="")
    parser.add_argument("--only", default="", help="part of the ids of the tests to run")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.lastResort = None
    # Before any other module of Watcher: it chooses the threads that services run on.
    importlib.import_module("watcher.tests.unit")
    if arguments.graphs:
        from tests.interop.graph_models import install

        install(arguments.graphs)
    results = Results()
    for name in SUITES[arguments.suite]:
        importlib.import_module(name)  # an error of the import is ours to see
        warnings.simplefilter("ignore")
        for test in _tests(unittest.defaultTestLoader.loadTestsFromName(name)):
            if arguments.only in test.id():
                test.run(results)
    arguments.output.write_text(json.dumps(results.rows, indent=1), encoding="utf-8")
    os._exit(0)  # upstream leaves threads behind


if __name__ == "__main__":
    main()
