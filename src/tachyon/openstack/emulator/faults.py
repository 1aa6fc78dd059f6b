"""Faults on demand: what the emulated cloud does wrong, how often, and where.

A fault is armed by a test, over Python or the control API, and goes off at the requests, pieces of
work or notifications that it matches until it has done so `times` times.
"""

from __future__ import annotations

import random
import re
import threading
from typing import Annotated, Literal

from msgspec import Meta, Struct


class RequestFault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="request"):
    """Something happens to requests.

    `latency` (seconds of real time) passes before anything else. Then the request is answered
    `status` without being carried out; or, with `reset`, the connection is closed: "before" it is
    carried out, or "after", so that only the answer is lost.
    """

    service: str = ".*"
    method: str = ".*"
    path: str = ".*"
    latency: Annotated[float, Meta(ge=0, le=600)] = 0.0
    status: Annotated[int, Meta(ge=400, le=599)] | None = None
    retry_after: int | None = None
    reset: Literal["before", "after"] | None = None
    times: Annotated[int, Meta(ge=1)] | None = 1
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0


class WorkFault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="work"):
    """Work fails: a live or cold migration, a resize, a boot, a volume's migration, power.

    `resource` matches the server's, volume's or node's uuid or name, `host` the destination.
    """

    kind: str = ".*"
    resource: str = ".*"
    host: str = ".*"
    times: Annotated[int, Meta(ge=1)] | None = 1
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0


class NotificationFault(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="notification"
):
    """Notifications are lost, or sent twice."""

    event_type: str = ".*"
    action: Literal["lose", "repeat"] = "lose"
    times: Annotated[int, Meta(ge=1)] | None = 1
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0


Fault = RequestFault | WorkFault | NotificationFault


class Faults:
    """The armed faults. The same seed and the same calls make the same faults go off."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._armed: list[tuple[Fault, list[int]]] = []
        self._random = random.Random(seed)

    def arm(self, *faults: Fault) -> None:
        """Arm faults; those armed first go off first."""
        with self._lock:
            self._armed += [(fault, [0]) for fault in faults]

    def clear(self) -> None:
        """Disarm all faults."""
        with self._lock:
            self._armed.clear()

    def armed(self) -> list[tuple[Fault, int]]:
        """Return the armed faults, and how often each has gone off."""
        with self._lock:
            return [(fault, done[0]) for fault, done in self._armed]

    def of_request(self, service: str, method: str, path: str) -> RequestFault | None:
        """Return the fault that goes off at a request."""
        if not self._armed:
            return None
        with self._lock:
            for fault, done in self._armed:
                if isinstance(fault, RequestFault) and self._goes_off(
                    fault,
                    done,
                    (fault.service, service),
                    (fault.method, method),
                    (fault.path, path),
                ):
                    return fault
        return None

    def of_work(self, kind: str, resource: tuple[str, ...], host: str | None = None) -> bool:
        """Tell whether work of a kind on a resource fails."""
        with self._lock:
            for fault, done in self._armed:
                if isinstance(fault, WorkFault):
                    name = next((n for n in resource if re.fullmatch(fault.resource, n)), None)
                    if name is not None and self._goes_off(
                        fault, done, (fault.kind, kind), (fault.host, host or "")
                    ):
                        return True
        return False

    def of_notification(self, event_type: str) -> NotificationFault | None:
        """Return the fault that goes off at a notification."""
        if not self._armed:
            return None
        with self._lock:
            for fault, done in self._armed:
                if isinstance(fault, NotificationFault) and self._goes_off(
                    fault, done, (fault.event_type, event_type)
                ):
                    return fault
        return None

    def _goes_off(self, fault: Fault, done: list[int], *pairs: tuple[str, str]) -> bool:
        if fault.times is not None and done[0] >= fault.times:
            return False
        if not all(re.fullmatch(pattern, text) for pattern, text in pairs):
            return False
        if fault.probability < 1 and self._random.random() >= fault.probability:
            return False
        done[0] += 1
        return True
