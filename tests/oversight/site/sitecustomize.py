"""Lets a process hear of every plan that is made in it.

Tests call `install`. A Python process that they start imports this module by itself, its folder
being on PYTHONPATH, and leaves what it finds in the folder that `TACHYON_OVERSIGHT` names. Nothing
of Tachyon is imported before the process does so.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from uuid import uuid4

FOLDER = "TACHYON_OVERSIGHT"
ROOT = str(Path(__file__).resolve().parents[3])
PLANNERS = "tachyon.optimize.planners.base"

#: Called with what is wrong with a plan.
Tell = Callable[[str], None]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the module of planners as ever, and changes what it holds once it is loaded."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != PLANNERS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                _watch(module, self._tell)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install(tell: Tell) -> None:
    """Check every plan of this process from now on."""
    if PLANNERS in sys.modules:
        _watch(sys.modules[PLANNERS], tell)
    else:
        sys.meta_path.insert(0, _Finder(tell))


def _watch(module: ModuleType, tell: Tell) -> None:
    planner = module.Planner
    make = planner.plan

    def plan(self, session, proposals=(), limits=None, *args, **named):  # type: ignore[no-untyped-def]
        made = make(self, session, proposals, limits, *args, **named)
        if ROOT not in sys.path:
            sys.path.insert(0, ROOT)
        from tests.oversight.watching import problems_of

        problems = problems_of(session, made, dict(limits or {}))
        if problems:
            tell(f"{type(self).__name__} has made a plan that breaks rules: {problems[:5]}")
        return made

    planner.plan = plan


def _leave(text: str) -> None:
    Path(os.environ[FOLDER], uuid4().hex).write_text(text)


if __name__ == "sitecustomize" and FOLDER in os.environ:
    install(_leave)
