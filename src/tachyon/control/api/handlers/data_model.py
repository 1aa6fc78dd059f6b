"""The data model: the cluster as strategies see it."""

from __future__ import annotations

from typing import Any, cast

from tachyon.control.api import selection
from tachyon.control.api.call import Answer, Call
from tachyon.control.api.data_model import TABLES, Rows, compute
from tachyon.errors import InvalidInput, NotFound, RecordNotFound
from tachyon.graph.simulation import Session
from tachyon.graph.view import View
from tachyon.optimize import scope
from tachyon.optimize.scope import Kind, ScopeMask


def get(call: Call) -> Answer:
    """Show the data model, all of it or the part that an audit is about."""
    asked = call.query.get("data_model_type", "compute")
    if asked not in TABLES or (asked != "compute" and not call.since(8)):
        raise NotFound(f"The {asked[:255]} data model could not be found")
    kind = cast(Kind, asked)
    rules = _scope(call)
    view = call.services.graph.view()
    mask = scope.evaluate(rules, kind, Session(view))
    return Answer({"context": _rows(call, kind, view, mask)})


def _rows(call: Call, kind: Kind, view: View, mask: ScopeMask) -> Rows:
    if kind == "compute":
        return compute.rows(view, mask, extended=call.since(6))
    return TABLES[kind](view, mask)


def _scope(call: Call) -> list[dict[str, Any]]:
    if "audit_uuid" not in call.query:
        return []
    ident = selection.uuid_of(call.query["audit_uuid"], "audit_uuid")
    try:
        return call.objects.audits.get(ident).scope
    except RecordNotFound as error:
        raise InvalidInput(f"Audit {ident} is invalid") from error
