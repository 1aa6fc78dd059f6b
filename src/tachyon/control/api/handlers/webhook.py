"""Webhooks: events from outside that start audits."""

from __future__ import annotations

from tachyon.control.api.call import Answer, Call
from tachyon.control.api.handlers.audit import trigger
from tachyon.errors import InvalidInput


def create(call: Call) -> Answer:
    """Tell of an event that an audit of type EVENT waits for."""
    audit = call.objects.audits.get(call.path["audit"])
    if audit.audit_type != "EVENT":
        raise InvalidInput(f"Audit type {audit.audit_type} is disallowed.")
    if audit.state not in ("PENDING", "SUCCEEDED"):
        raise InvalidInput(f"Audit state {audit.state} is disallowed.")
    trigger(call, audit)
    return Answer()
