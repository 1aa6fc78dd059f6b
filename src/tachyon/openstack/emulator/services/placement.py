"""Placement: providers, inventories, traits, aggregates, usages, allocations."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tachyon.openstack.emulator.state.placement import Holder, Provider, free
from tachyon.openstack.emulator.web import Call, Refused, Route, ServiceType

_CONFLICT = "placement.concurrent_update"
_LINKS = ("inventories", "usages", "aggregates", "traits", "allocations")


def _root(_call: Call) -> Any:
    version = {
        "id": "v1.0",
        "links": [{"href": "", "rel": "self"}],
        "max_version": "1.39",
        "min_version": "1.0",
        "status": "CURRENT",
    }
    return {"versions": [version]}


def _provider(call: Call, provider: Provider) -> dict[str, Any]:
    path = f"/placement/resource_providers/{provider.uuid}"
    body: dict[str, Any] = {
        "generation": provider.generation,
        "links": [
            {"href": path, "rel": "self"},
            *({"href": f"{path}/{what}", "rel": what} for what in _LINKS),
        ],
        "name": provider.name,
        "uuid": provider.uuid,
    }
    if call.version >= (1, 14):
        body["parent_provider_uuid"] = provider.parent
        body["root_provider_uuid"] = provider.root
    return body


def _providers(call: Call) -> Any:
    placement, query = call.cloud.placement, call.query
    found = list(placement.providers.values())
    if "uuid" in query:
        found = [p for p in found if p.uuid == query["uuid"]]
    if "name" in query:
        found = [p for p in found if p.name == query["name"]]
    if "in_tree" in query:
        asked = placement.providers.get(query["in_tree"])
        found = [p for p in found if asked is not None and p.root == asked.root]
    for name, value in call.pairs:
        if name == "member_of":
            wanted = set(value.removeprefix("in:").split(","))
            found = [p for p in found if wanted & set(p.aggregates)]
        elif name == "required":
            needed = {t for t in value.split(",") if not t.startswith("!")}
            refused = {t[1:] for t in value.split(",") if t.startswith("!")}
            found = [p for p in found if needed <= set(p.traits) and not refused & set(p.traits)]
    return {"resource_providers": [_provider(call, p) for p in found]}


def _named(call: Call) -> Provider:
    return call.cloud.placement.provider(call.names["provider"])


def _with_generation(provider: Provider, **members: Any) -> dict[str, Any]:
    return {**members, "resource_provider_generation": provider.generation}


def _guard(provider: Provider, generation: Any) -> None:
    if generation != provider.generation:
        raise Refused(
            409,
            f"resource provider generation conflict: expected {generation}, "
            f"is {provider.generation}",
            _CONFLICT,
        )


def _inventories(call: Call) -> Any:
    provider = _named(call)
    return _with_generation(provider, inventories=provider.inventories)


_DEFAULTS = {
    "allocation_ratio": 1.0,
    "max_unit": 2**31 - 1,
    "min_unit": 1,
    "reserved": 0,
    "step_size": 1,
}


def _put_inventories(call: Call) -> Any:
    provider = _named(call)
    _guard(provider, call.member("resource_provider_generation"))
    wanted = call.member("inventories")
    in_use = [name for name, used in provider.used.items() if used and name not in wanted]
    if in_use:
        raise Refused(409, f"Inventory for {in_use[0]} is in use.", "placement.inventory.inuse")
    provider.inventories = {name: {**_DEFAULTS, **values} for name, values in wanted.items()}
    provider.generation += 1
    return _inventories(call)


def _traits(call: Call) -> Any:
    provider = _named(call)
    return _with_generation(provider, traits=provider.traits)


def _put_traits(call: Call) -> Any:
    provider = _named(call)
    _guard(provider, call.member("resource_provider_generation"))
    provider.traits = list(dict.fromkeys(call.member("traits")))
    provider.generation += 1
    return _traits(call)


def _aggregates(call: Call) -> Any:
    provider = _named(call)
    if call.version < (1, 19):
        return {"aggregates": provider.aggregates}
    return _with_generation(provider, aggregates=provider.aggregates)


def _put_aggregates(call: Call) -> Any:
    provider = _named(call)
    if call.version >= (1, 19):
        _guard(provider, call.member("resource_provider_generation"))
        provider.aggregates = list(dict.fromkeys(call.member("aggregates")))
        provider.generation += 1
    else:
        provider.aggregates = list(dict.fromkeys(call.body or []))
    return _aggregates(call)


def _usages(call: Call) -> Any:
    provider = _named(call)
    usages = {name: provider.used[name] for name in provider.inventories}
    return _with_generation(provider, usages=usages)


def _provider_allocations(call: Call) -> Any:
    provider = _named(call)
    holders = call.cloud.placement.holders
    allocations: dict[str, Any] = {}
    for uuid in provider.consumers:
        holder = holders[uuid]
        allocations[uuid] = {"resources": holder.held[provider.uuid]}
        if call.version >= (1, 28):
            allocations[uuid]["consumer_generation"] = holder.generation
    return _with_generation(provider, allocations=allocations)


def _allocations(call: Call) -> Any:
    placement = call.cloud.placement
    holder = placement.holders.get(call.names["consumer"])
    if holder is None:
        return {"allocations": {}}
    body: dict[str, Any] = {
        "allocations": {
            uuid: {"generation": placement.providers[uuid].generation, "resources": resources}
            for uuid, resources in holder.held.items()
        }
    }
    if call.version >= (1, 12):
        body |= {"project_id": holder.project_id, "user_id": holder.user_id}
    if call.version >= (1, 28):
        body["consumer_generation"] = holder.generation
    if call.version >= (1, 38):
        body["consumer_type"] = holder.kind
    return body


def _wanted(call: Call, uuid: str, asked: Any) -> Holder:
    """Return what is asked for a consumer, after a look at its generation."""
    if not isinstance(asked, dict) or not isinstance(asked.get("allocations"), dict):
        raise Refused(400, "JSON does not validate: 'allocations' is a required property")
    known = call.cloud.placement.holders.get(uuid)
    if call.version >= (1, 28):
        if "consumer_generation" not in asked:
            raise Refused(400, "JSON does not validate: 'consumer_generation' is required")
        found = None if known is None else known.generation
        if asked["consumer_generation"] != found:
            raise Refused(
                409,
                f"consumer generation conflict - expected {found} but got "
                f"{asked['consumer_generation']}",
                _CONFLICT,
            )
    try:
        held = {p: dict(a["resources"]) for p, a in asked["allocations"].items()}
    except (KeyError, TypeError):
        raise Refused(400, "JSON does not validate: 'resources' is a required property") from None
    return Holder(
        uuid=uuid,
        project_id=str(asked.get("project_id", "")),
        user_id=str(asked.get("user_id", "")),
        kind=str(asked.get("consumer_type", "unknown")),
        held=held,
    )


def _put_allocations(call: Call) -> Any:
    call.cloud.placement.write([_wanted(call, call.names["consumer"], call.body)])


def _post_allocations(call: Call) -> Any:
    if not isinstance(call.body, dict):
        raise Refused(400, "JSON does not validate")
    call.cloud.placement.write([_wanted(call, key, asked) for key, asked in call.body.items()])


def _delete_allocations(call: Call) -> Any:
    if not call.cloud.placement.delete(call.names["consumer"]):
        raise Refused(404, f"No allocations for consumer '{call.names['consumer']}'")


def _project_usages(call: Call) -> Any:
    project = call.query.get("project_id")
    by_kind: dict[str, Counter[str]] = {}
    counts: Counter[str] = Counter()
    for holder in call.cloud.placement.holders.values():
        if holder.project_id == project:
            by_kind.setdefault(holder.kind, Counter()).update(
                call.cloud.placement.resources(holder.held)
            )
            counts[holder.kind] += 1
    if call.version < (1, 38):
        total: Counter[str] = Counter()
        for usage in by_kind.values():
            total.update(usage)
        return {"usages": total}
    return {
        "usages": {
            kind: {**usage, "consumer_count": counts[kind]} for kind, usage in by_kind.items()
        }
    }


def _all_traits(call: Call) -> Any:
    traits = {trait for p in call.cloud.placement.providers.values() for trait in p.traits}
    return {"traits": sorted(traits)}


def _resource_classes(call: Call) -> Any:
    found = {name for p in call.cloud.placement.providers.values() for name in p.inventories}
    return {
        "resource_classes": [
            {"links": [{"href": f"/placement/resource_classes/{n}", "rel": "self"}], "name": n}
            for n in sorted(found)
        ]
    }


def _candidates(call: Call) -> Any:
    """Answer for one unnumbered group of resources, all of them from one provider."""
    try:
        asked = {
            name: int(amount)
            for part in call.query["resources"].split(",")
            for name, amount in [part.split(":")]
        }
    except (KeyError, ValueError):
        raise Refused(400, "Badly formed resources parameter.") from None
    needed = [t for n, value in call.pairs if n == "required" for t in value.split(",")]
    fitting = [
        p
        for p in call.cloud.placement.providers.values()
        if all(free(p, name) >= amount for name, amount in asked.items())
        and all((t[1:] not in p.traits) if t[:1] == "!" else t in p.traits for t in needed)
    ]
    limit = call.query.get("limit", "")
    if limit.isdigit():
        fitting = fitting[: int(limit)]
    return {
        "allocation_requests": [
            {"allocations": {p.uuid: {"resources": asked}}, "mappings": {"": [p.uuid]}}
            for p in fitting
        ],
        "provider_summaries": {p.uuid: _summary(p) for p in fitting},
    }


def _summary(provider: Provider) -> dict[str, Any]:
    return {
        "parent_provider_uuid": provider.parent,
        "resources": {
            name: {
                "capacity": int(free(provider, name) + provider.used[name]),
                "used": provider.used[name],
            }
            for name in provider.inventories
        },
        "root_provider_uuid": provider.root,
        "traits": provider.traits,
    }


def _error(status: int, message: str, code: str) -> Any:
    titles = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
    titles |= {406: "Not Acceptable", 409: "Conflict"}
    return {
        "errors": [
            {
                "status": status,
                "title": titles.get(status, "Error"),
                "detail": message,
                "code": code,
            }
        ]
    }


_PROVIDER = "/resource_providers/{provider}"

PLACEMENT = ServiceType(
    name="placement",
    prefix="/placement",
    error=_error,
    header="placement",
    oldest=(1, 0),
    newest=(1, 39),
    default=(1, 0),
    routes=(
        Route("GET", "/", _root, public=True),
        Route("GET", "/resource_providers", _providers, admin=True),
        Route("GET", _PROVIDER, lambda call: _provider(call, _named(call)), admin=True),
        Route("GET", f"{_PROVIDER}/inventories", _inventories, admin=True),
        Route("PUT", f"{_PROVIDER}/inventories", _put_inventories, admin=True),
        Route("GET", f"{_PROVIDER}/traits", _traits, admin=True),
        Route("PUT", f"{_PROVIDER}/traits", _put_traits, admin=True),
        Route("GET", f"{_PROVIDER}/aggregates", _aggregates, admin=True),
        Route("PUT", f"{_PROVIDER}/aggregates", _put_aggregates, admin=True),
        Route("GET", f"{_PROVIDER}/usages", _usages, admin=True),
        Route("GET", f"{_PROVIDER}/allocations", _provider_allocations, admin=True),
        Route("GET", "/allocations/{consumer}", _allocations, admin=True),
        Route("PUT", "/allocations/{consumer}", _put_allocations, status=204, admin=True),
        Route("DELETE", "/allocations/{consumer}", _delete_allocations, status=204, admin=True),
        Route("POST", "/allocations", _post_allocations, status=204, admin=True),
        Route("GET", "/usages", _project_usages, admin=True),
        Route("GET", "/traits", _all_traits, admin=True),
        Route("GET", "/resource_classes", _resource_classes, admin=True),
        Route("GET", "/allocation_candidates", _candidates, admin=True),
    ),
)
