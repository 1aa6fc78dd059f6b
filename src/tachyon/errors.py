"""Every error that Tachyon raises on purpose, in one hierarchy with stable codes.

::

    TachyonError
    ├── InvalidInput                 invalid_input             400
    │   ├── ClusterFileError         cluster_file_invalid      400
    │   ├── ParametersInvalid        parameters_invalid        400
    │   ├── ScopeInvalid             scope_invalid             400
    │   ├── TransitionNotAllowed     transition_not_allowed    400
    │   ├── RecordReferenced         record_referenced         400
    │   └── ConfigurationError       configuration_invalid     500 (start-up only)
    ├── NotFound                     not_found                 404
    │   ├── ProviderNotFound         provider_not_found        404
    │   ├── ConsumerNotFound         consumer_not_found        404
    │   ├── SessionNotFound          session_not_found         404
    │   ├── RecordNotFound           record_not_found          404
    │   └── PluginNotFound           plugin_not_found          404
    ├── Conflict                     conflict                  409
    │   ├── GenerationConflict       generation_conflict       409
    │   ├── ProviderInUse            provider_in_use           409
    │   ├── NotPlacedThere           not_placed_there          409
    │   ├── InventoryMissing         inventory_missing         409
    │   ├── UnitViolation            unit_violation            409
    │   ├── CapacityExceeded         capacity_exceeded         409
    │   ├── SessionClosed            session_closed            409
    │   ├── SessionConflict          session_conflict          409
    │   ├── NothingToUndo            nothing_to_undo           409
    │   ├── StateConflict            state_conflict            409
    │   ├── DuplicateRecord          duplicate_record          409
    │   ├── MetricsMissing           metrics_missing           409
    │   ├── NoDestination            no_destination            409
    │   ├── ActionFailed             action_failed             409
    │   ├── ActionSkipped            action_skipped            409
    │   └── Cancelled                cancelled                 409
    ├── Gone                         gone                      410
    │   ├── SessionExpired           session_expired           410
    │   └── GenerationTooOld         generation_too_old        410
    ├── LimitExceeded                limit_exceeded            429
    ├── Forbidden                    forbidden                 403
    ├── Unauthorized                 unauthorized              401
    ├── CloudError                   cloud_error               502
    │   ├── CloudNotFound            cloud_not_found           404
    │   ├── CloudConflict            cloud_conflict            409
    │   ├── CloudForbidden           cloud_forbidden           502
    │   ├── CloudUnsupported         cloud_unsupported         502
    │   └── CloudUnavailable (temp.) cloud_unavailable         503
    ├── StoreUnavailable (temporary) store_unavailable         503
    └── ServiceUnavailable (temp.)   service_unavailable       503

`code` is what clients may test for; it never changes. `details` holds the named facts behind the
message (plain JSON values). `temporary` says whether repeating the same call later can help.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class TachyonError(Exception):
    """Base of all errors; carries a message for people and `details` for programs."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    temporary: ClassVar[bool] = False

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.details))

    def to_dict(self) -> dict[str, Any]:
        """Return the error as the API sends it."""
        return {"code": self.code, "message": self.message, "details": self.details}


def _rebuild(cls: type[TachyonError], message: str, details: dict[str, Any]) -> TachyonError:
    error = cls.__new__(cls)
    TachyonError.__init__(error, message, **details)
    return error


class InvalidInput(TachyonError):
    """What the caller sent is wrong; `details["errors"]` lists each place with its reason."""

    code = "invalid_input"
    status = 400

    @classmethod
    def at(cls, problems: Sequence[tuple[str, str]]) -> InvalidInput:
        """Build the error from (path, reason) pairs, all of them reported at once."""
        lines = "; ".join(f"{path or '$'}: {reason}" for path, reason in problems)
        return cls(lines, errors=[{"path": p or "$", "reason": r} for p, r in problems])


class ClusterFileError(InvalidInput):
    """A cluster file, trace or instance file cannot be read; the message names the place."""

    code = "cluster_file_invalid"


class ParametersInvalid(InvalidInput):
    """Parameters of an audit or strategy do not fit its schema."""

    code = "parameters_invalid"


class TransitionNotAllowed(InvalidInput):
    """An object of the control plane cannot go from the state it is in to the one asked for."""

    code = "transition_not_allowed"

    def __init__(self, old: str, new: str) -> None:
        super().__init__(f"State transition not allowed: ({old} -> {new})", old=old, new=new)


class RecordReferenced(InvalidInput):
    """An object of the control plane cannot be destroyed while others refer to it."""

    code = "record_referenced"

    def __init__(self, kind: str, ident: str, by: str) -> None:
        super().__init__(f"{kind} {ident} is referenced by {by}", kind=kind, ident=ident, by=by)


class ScopeInvalid(InvalidInput):
    """An audit scope does not have the form of one."""

    code = "scope_invalid"


class ConfigurationError(InvalidInput):
    """Options that cannot work together; raised at start-up, never while serving."""

    code = "configuration_invalid"
    status = 500


class NotFound(TachyonError):
    """Something named in the call does not exist."""

    code = "not_found"
    status = 404


class ProviderNotFound(NotFound):
    """No resource provider of that uuid."""

    code = "provider_not_found"

    def __init__(self, uuid: str) -> None:
        super().__init__(f"resource provider {uuid} does not exist", provider=uuid)


class ConsumerNotFound(NotFound):
    """No consumer of that uuid."""

    code = "consumer_not_found"

    def __init__(self, uuid: str) -> None:
        super().__init__(f"consumer {uuid} does not exist", consumer=uuid)


class SessionNotFound(NotFound):
    """No simulation session of that id."""

    code = "session_not_found"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"simulation session {session_id} does not exist", session=session_id)


class RecordNotFound(NotFound):
    """No object of the control plane by that uuid, name or number."""

    code = "record_not_found"

    def __init__(self, kind: str, ident: str) -> None:
        super().__init__(f"{kind} {ident} could not be found.", kind=kind, ident=ident)


class PluginNotFound(NotFound):
    """No plug-in of that name in its entry point group."""

    code = "plugin_not_found"


class Conflict(TachyonError):
    """The call was well formed, but the state it meets does not allow it."""

    code = "conflict"
    status = 409


class GenerationConflict(Conflict):
    """An expected generation has moved; `details["conflicts"]` names each one.

    A conflict is `{"kind", "key", "expected", "found"}`; `found` is null for what is gone.
    """

    code = "generation_conflict"

    def __init__(self, conflicts: Sequence[Mapping[str, Any]]) -> None:
        named = ", ".join(
            f"{c['kind']} {c['key']} (expected {c['expected']}, found {c['found']})"
            for c in conflicts
        )
        super().__init__(f"generation conflict: {named}", conflicts=[dict(c) for c in conflicts])


class ProviderInUse(Conflict):
    """A resource provider with allocations or children cannot be removed."""

    code = "provider_in_use"


class NotPlacedThere(Conflict):
    """A delta names a provider on which the consumer, in effect, holds nothing."""

    code = "not_placed_there"


class InventoryMissing(Conflict):
    """A provider has no inventory of a resource class that is asked of it."""

    code = "inventory_missing"

    def __init__(self, provider: str, resource_class: str) -> None:
        super().__init__(
            f"resource provider {provider} has no inventory of {resource_class}",
            provider=provider,
            resource_class=resource_class,
        )


class UnitViolation(Conflict):
    """An amount breaks min_unit, max_unit or step_size of an inventory."""

    code = "unit_violation"

    def __init__(self, provider: str, resource_class: str, amount: int, rule: str) -> None:
        super().__init__(
            f"{amount} {resource_class} on resource provider {provider} violates {rule}",
            provider=provider,
            resource_class=resource_class,
            required=amount,
            rule=rule,
        )


class CapacityExceeded(Conflict):
    """A provider has too little left of a class; names provider, class, available, required."""

    code = "capacity_exceeded"

    def __init__(self, provider: str, resource_class: str, available: float, required: int) -> None:
        super().__init__(
            f"resource provider {provider} has {available:g} {resource_class} available, "
            f"{required} required",
            provider=provider,
            resource_class=resource_class,
            available=available,
            required=required,
        )


class SessionClosed(Conflict):
    """The session was committed or rolled back; nothing more can be done with it."""

    code = "session_closed"

    def __init__(self, session_id: str, status: str) -> None:
        super().__init__(
            f"simulation session {session_id} is {status}", session=session_id, status=status
        )


class SessionConflict(Conflict):
    """Another writer changed the same session at the same time; read it again and repeat."""

    code = "session_conflict"
    temporary = True


class NothingToUndo(Conflict):
    """More deltas were to be undone than the session holds."""

    code = "nothing_to_undo"


class MetricsMissing(Conflict):
    """A strategy needs measurements that are not there; names metric and resources.

    `details["missing"]` lists `{"metric", "resource_type", "count", "resources"}`, with some of
    the resources.
    """

    code = "metrics_missing"


class NoDestination(Conflict):
    """What a strategy was told to move fits nowhere; `details["instances"]` names it."""

    code = "no_destination"


class StateConflict(Conflict):
    """A compare-and-set was lost: the object is no longer as the caller expected it.

    `details["expected"]` and `details["found"]` hold the compared fields.
    """

    code = "state_conflict"


class DuplicateRecord(Conflict):
    """A live object of the control plane has that name (or uuid) already."""

    code = "duplicate_record"


class Cancelled(Conflict):
    """Whoever started an audit has called it off."""

    code = "cancelled"


class ActionFailed(Conflict):
    """An action of a plan could not do, or did not do, what it should."""

    code = "action_failed"


class ActionSkipped(Conflict):
    """An action has nothing to do: its resource is gone, or already as it should be."""

    code = "action_skipped"


class Gone(TachyonError):
    """It existed, and is past."""

    code = "gone"
    status = 410


class SessionExpired(Gone):
    """The session's time to live ran out."""

    code = "session_expired"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"simulation session {session_id} has expired", session=session_id)


class GenerationTooOld(Gone):
    """The change log no longer reaches back to a generation; load the whole graph again."""

    code = "generation_too_old"

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(
            f"the change log starts after generation {oldest}; generation {asked} is too old",
            asked=asked,
            oldest=oldest,
        )


class LimitExceeded(TachyonError):
    """A configured bound is reached: body size, number of sessions, deltas or candidates."""

    code = "limit_exceeded"
    status = 429


class Unauthorized(TachyonError):
    """The call carries no valid identity."""

    code = "unauthorized"
    status = 401


class Forbidden(TachyonError):
    """The caller's roles do not allow the call."""

    code = "forbidden"
    status = 403


class StoreUnavailable(TachyonError):
    """The store cannot be reached or is too busy; repeating the call later can help."""

    code = "store_unavailable"
    status = 503
    temporary = True


class ServiceUnavailable(TachyonError):
    """Another process of the control plane does not answer; calling again later can help."""

    code = "service_unavailable"
    status = 503
    temporary = True


class CloudError(TachyonError):
    """A service of the cloud refused a request; `details` hold its status, method and path."""

    code = "cloud_error"
    status = 502


class CloudNotFound(CloudError):
    """What a request to the cloud names does not exist there (404)."""

    code = "cloud_not_found"
    status = 404


class CloudConflict(CloudError):
    """The state of the cloud does not allow a request, or a generation has moved (409)."""

    code = "cloud_conflict"
    status = 409


class CloudForbidden(CloudError):
    """The cloud does not know our identity (401), or its roles do not suffice (403)."""

    code = "cloud_forbidden"


class CloudUnsupported(CloudError):
    """The cloud lacks a service, or a microversion, without which we cannot go on."""

    code = "cloud_unsupported"


class CloudUnavailable(CloudError):
    """A service of the cloud cannot be reached or is too busy; asking again later can help."""

    code = "cloud_unavailable"
    status = 503
    temporary = True
