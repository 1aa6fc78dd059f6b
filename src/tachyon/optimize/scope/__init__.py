"""Audit scopes: which part of the cluster an audit is about, as masks over a session's rows.

A scope is the JSON that clients of Watcher write (docs/scope.md). It is checked once (`check`, with
`SCHEMA` for whoever validates bodies) and evaluated against any session (`evaluate`): nothing is
copied or rebuilt, so any number of audits with scopes of their own share one view.
"""

from __future__ import annotations

from tachyon.optimize.scope.evaluation import KINDS, Kind, evaluate, evaluate_all
from tachyon.optimize.scope.mask import ScopeMask
from tachyon.optimize.scope.schema import SCHEMA, check

__all__ = ["KINDS", "SCHEMA", "Kind", "ScopeMask", "check", "evaluate", "evaluate_all"]
