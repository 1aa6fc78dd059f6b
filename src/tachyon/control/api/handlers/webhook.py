"""Webhooks: events from outside that start audits."""

from __future__ import annotations

from tachyon.control.api.call import Answer, Call
from tachyon.control.api.handlers.audit import trigger
from tachyon.control.objects.audit import IDLE
from tachyon.errors import InvalidInput, StateConflict


def create(call: Call) -> Answer:
    """Tell of an event that an audit of type EVENT waits for."""
    audit = call.objects.audits.get(call.path["audit"])
    if audit.audit_type != "EVENT":
        raise InvalidInput(f"Audit type {audit.audit_type} is disallowed.")
    # Noted where no message can be lost: an engine finds it, whether or not the bus tells one.
    due = {"next_run_time": call.services.now()}
    try:
        audit = call.objects.audits.update(audit.id, due, where={"state": IDLE})
    except StateConflict:
        state = call.objects.audits.get(audit.id).state
        raise InvalidInput(f"Audit state {state} is disallowed.") from None
    trigger(call, audit)
    return Answer()
