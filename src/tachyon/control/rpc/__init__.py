"""Calls between the services of the control plane: what each answers to, over oslo.messaging.

A service serves by `serve(transport, TOPIC, host, endpoint)` with an endpoint that has the
methods of the protocol; whoever calls it uses the client of the same module.
"""

from __future__ import annotations

from tachyon.control.rpc.applier import Applier, ApplierClient
from tachyon.control.rpc.decision_engine import DecisionEngine, DecisionEngineClient
from tachyon.control.rpc.transport import open_transport, serve

__all__ = [
    "Applier",
    "ApplierClient",
    "DecisionEngine",
    "DecisionEngineClient",
    "open_transport",
    "serve",
]
