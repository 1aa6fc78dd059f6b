"""Scoring engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tachyon.control.api import paging
from tachyon.control.api.call import Answer, Call
from tachyon.control.api.rendering import links
from tachyon.control.objects import ScoringEngine


def _render(call: Call, engines: Sequence[ScoringEngine]) -> list[dict[str, Any]]:
    return [_show(call, engine, full=call.detail) for engine in engines]


def _show(call: Call, engine: ScoringEngine, *, full: bool) -> dict[str, Any]:
    return {
        "uuid": engine.uuid,
        "name": engine.name,
        "description": engine.description,
        "links": links(call, "scoring_engines", engine.uuid),
        **({"metainfo": engine.metainfo} if full else {}),
    }


def find(call: Call) -> Answer:
    """List scoring engines."""
    return paging.page(call, call.objects.scoring_engines, "scoring_engines", {}, _render)


def get(call: Call) -> Answer:
    """Show a scoring engine."""
    ident = call.path["scoring_engine"]
    engine = call.objects.scoring_engines.get(ident, deleted=call.deleted)
    return Answer(_show(call, engine, full=True))
