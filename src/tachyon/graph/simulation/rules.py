"""Facts of the graph that decide where a consumer may go, as masks over provider rows.

Sources: Nova's filters of the same names (ComputeFilter, AvailabilityZoneFilter,
AggregateInstanceExtraSpecsFilter, AggregateMultiTenancyIsolation, ServerGroupAffinityFilter and
-AntiAffinityFilter, DifferentHostFilter, SameHostFilter) and Placement's required and forbidden
traits in flavor extra specs. Masks that depend on the view alone are made once per view.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import cast

import numpy as np

from tachyon.graph.entities import ResourceProvider
from tachyon.graph.simulation.state import VirtualState
from tachyon.graph.view.columns import I64, Bool
from tachyon.graph.view.view import View

AGGREGATE_SCOPE = "aggregate_instance_extra_specs:"
#: Keys of aggregate metadata that name the projects an aggregate is kept to; Nova allows suffixes.
TENANCY = "filter_tenant_id"
#: Policies that prefer hosts and refuse none begin so.
SOFT = "soft-"
_TRAIT = re.compile(r"^trait[0-9A-Za-z_-]*:([A-Z0-9_]+)$")


def owners(view: View, provider_type: str) -> I64:
    """Return, by row, the nearest ancestor or self of a type (−1: none)."""
    key = ("owners", provider_type)
    if key not in view.memo:
        view.memo[key] = view.tree.owners(provider_type)
    return cast(I64, view.memo[key])


def zone(view: View, provider: ResourceProvider) -> str | None:
    """Return a provider's availability zone: its own, else that of its first zoned aggregate."""
    if provider.availability_zone is not None:
        return provider.availability_zone
    for name in provider.aggregates:
        aggregate = view.host_aggregate(name)
        if aggregate is not None and aggregate.availability_zone is not None:
            return aggregate.availability_zone
    return None


def zone_mask(view: View, name: str) -> Bool:
    """Return which providers stand in a zone."""
    zones = view.memo.get("zones")
    if zones is None:
        zones = view.memo["zones"] = [
            None if p is None else zone(view, p) for p in view.providers.record
        ]
    key = ("zone", name)
    if key not in view.memo:
        view.memo[key] = np.array([z == name for z in zones], np.bool_)
    return cast(Bool, view.memo[key])


def stale_mask(view: View) -> Bool:
    """Return which providers' data could not be had at the last synchronisation."""
    if "stale" not in view.memo:
        view.memo["stale"] = np.array(
            [p is not None and p.extra.get("stale") is True for p in view.providers.record],
            np.bool_,
        )
    return cast(Bool, view.memo["stale"])


def trait_mask(view: View, name: str) -> Bool:
    """Return which providers have a trait themselves."""
    key = ("trait", name)
    if key not in view.memo:
        view.memo[key] = np.array(
            [p is not None and name in p.traits for p in view.providers.record], np.bool_
        )
    return cast(Bool, view.memo[key])


def flavor_traits(view: View, flavor_id: str | None) -> tuple[list[str], list[str]]:
    """Return the traits that a flavor requires and forbids."""
    flavor = view.flavor(flavor_id)
    required: list[str] = []
    forbidden: list[str] = []
    for key, value in sorted((flavor.extra_specs if flavor else {}).items()):
        found = _TRAIT.match(key)
        if found and value == "required":
            required.append(found.group(1))
        elif found and value == "forbidden":
            forbidden.append(found.group(1))
    return required, forbidden


def missing_traits(view: View, flavor_id: str | None, provider_type: str) -> dict[str, Bool]:
    """Return by required trait which hosts lack it: neither they nor a descendant have it."""
    owner = owners(view, provider_type)
    lacking: dict[str, Bool] = {}
    for name in flavor_traits(view, flavor_id)[0]:
        key = ("lacks", name, provider_type)
        if key not in view.memo:
            having = owner[trait_mask(view, name) & (owner >= 0)]
            mask = np.ones(view.provider_rows, np.bool_)
            mask[having] = False
            view.memo[key] = mask
        lacking[name] = view.memo[key]
    return lacking


def forbidden_traits(view: View, flavor_id: str | None) -> dict[str, Bool]:
    """Return by forbidden trait which providers have it."""
    return {name: trait_mask(view, name) for name in flavor_traits(view, flavor_id)[1]}


def refused_by_aggregates(view: View, flavor_id: str | None) -> dict[str, Bool]:
    """Return, by scoped extra spec, which hosts' aggregates do not have what it asks for."""
    flavor = view.flavor(flavor_id)
    refused: dict[str, Bool] = {}
    for key, wanted in sorted((flavor.extra_specs if flavor else {}).items()):
        if not key.startswith(AGGREGATE_SCOPE):
            continue
        name = key.removeprefix(AGGREGATE_SCOPE)
        memo = ("aggregate", name, wanted)
        if memo not in view.memo:
            view.memo[memo] = np.array(
                [
                    p is None or not satisfies(aggregate_values(view, p, name), wanted)
                    for p in view.providers.record
                ],
                np.bool_,
            )
        refused[name] = view.memo[memo]
    return refused


def aggregate_values(view: View, provider: ResourceProvider, name: str) -> set[str]:
    """Return the values that a provider's aggregates give for a metadata key."""
    found: set[str] = set()
    for aggregate_name in provider.aggregates:
        aggregate = view.host_aggregate(aggregate_name)
        if aggregate is not None and name in aggregate.metadata:
            found.update(v.strip() for v in aggregate.metadata[name].split(","))
    return found


def satisfies(values: set[str], wanted: str) -> bool:
    """Tell whether any value satisfies what an extra spec asks.

    Nova's operators: `<or> a <or> b`, `<in> text`, `s== s!= s< s<= s> s>=` on text, `= == != <= >=`
    on numbers (`=` means at least); no operator means equality.
    """
    words = wanted.split()
    if not words:
        return "" in values
    if words[0] == "<or>":
        return bool(values.intersection(words[1::2]))
    if len(words) > 1 and words[0] == "<in>":
        return any(words[1] in value for value in values)
    if len(words) > 1 and words[0] in _TEXT:
        return any(_TEXT[words[0]](value, words[1]) for value in values)
    if len(words) > 1 and words[0] in _NUMBER:
        return any(_compare(words[0], value, words[1]) for value in values)
    return wanted in values


_TEXT = {
    "s==": lambda a, b: a == b,
    "s!=": lambda a, b: a != b,
    "s<": lambda a, b: a < b,
    "s<=": lambda a, b: a <= b,
    "s>": lambda a, b: a > b,
    "s>=": lambda a, b: a >= b,
}
_NUMBER = {
    "=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def _compare(operator: str, value: str, wanted: str) -> bool:
    try:
        return bool(_NUMBER[operator](float(value), float(wanted)))
    except ValueError:
        return False


def group_members(state: VirtualState, group: str, but: int) -> dict[int, int]:
    """Return how many other members of a server group stand on each host row."""
    view = state.view
    code = view.codes.group.find(group)
    homes: list[int] = []
    if code >= 0:
        key = ("members", group)
        if key not in view.memo:
            view.memo[key] = np.flatnonzero((view.consumers.group == code) & view.consumers.alive)
        rows = view.memo[key]
        homes = state.homes()[rows[rows != but]].tolist()
    homes.extend(
        state.home(view.consumer_rows + at)
        for at, new in enumerate(state.new)
        if new.server_group == group and view.consumer_rows + at != but
    )
    return {home: count for home, count in Counter(homes).items() if home >= 0}


def refused_by_group(state: VirtualState, row: int) -> tuple[str, Bool] | None:
    """Return the policy and the hosts that a consumer's server group refuses; None for no rule."""
    group = state.view.server_group(state.group(row))
    if group is None or group.policy.startswith(SOFT):
        return None
    members = group_members(state, group.uuid, row)
    if group.policy == "affinity":
        if not members:
            return None
        refused = np.ones(state.view.provider_rows, np.bool_)
        refused[list(members)] = False
        return group.policy, refused
    most = _max_per_host(group.rules)
    refused = np.zeros(state.view.provider_rows, np.bool_)
    full = [home for home, count in members.items() if count >= most]
    refused[full] = True
    return group.policy, refused


def _max_per_host(rules: Mapping[str, int]) -> int:
    return rules.get("max_server_per_host", 1)


def disliked_by_group(state: VirtualState, row: int) -> Bool | None:
    """Return the hosts that a soft policy of a consumer's server group would rather avoid."""
    group = state.view.server_group(state.group(row))
    if group is None or not group.policy.startswith(SOFT):
        return None
    members = group_members(state, group.uuid, row)
    if not members:
        return None
    there = np.zeros(state.view.provider_rows, np.bool_)
    there[list(members)] = True
    return there if group.policy == "soft-anti-affinity" else ~there


def tenancies(view: View) -> dict[str, frozenset[str]]:
    """Return by name the projects that aggregates are kept to; empty where no aggregate is."""
    known = view.memo.get("tenancies")
    if known is None:
        known = view.memo["tenancies"] = {
            name: frozenset(projects)
            for name in view.records["host_aggregate"]
            if (projects := _tenants(view, name))
        }
    return cast("dict[str, frozenset[str]]", known)


def _tenants(view: View, name: str) -> set[str]:
    aggregate = view.host_aggregate(name)
    found: set[str] = set()
    for key, value in (aggregate.metadata if aggregate else {}).items():
        if key.startswith(TENANCY):
            found.update(part for v in value.split(",") if (part := v.strip()))
    return found


def refused_by_tenancy(view: View, project: str | None) -> Bool | None:
    """Return the hosts whose aggregates are all kept to other projects; None for no rule.

    A host passes when it is in no such aggregate, or in one that names the project.
    """
    kept = tenancies(view)
    if not kept:
        return None
    key = ("tenancy", project)
    if key not in view.memo:
        view.memo[key] = np.array(
            [
                p is not None
                and bool(named := [kept[a] for a in p.aggregates if a in kept])
                and not any(project in projects for projects in named)
                for p in view.providers.record
            ],
            np.bool_,
        )
    return cast(Bool, view.memo[key])


def hinted(state: VirtualState, row: int, hint: str) -> list[str]:
    """Return the consumers that a scheduler hint names, which may be one or a list."""
    named = state.scheduler_hints(row).get(hint)
    if isinstance(named, str):
        return [named]
    return [n for n in named if isinstance(n, str)] if isinstance(named, list) else []


def hosts_of(state: VirtualState, consumers: list[str]) -> Bool | None:
    """Return the hosts on which any of some consumers stand; None when none of them is placed."""
    rows = [state.find_consumer(uuid) for uuid in consumers]
    homes = [home for row in rows if row is not None and (home := state.home(row)) >= 0]
    if not homes:
        return None
    mask = np.zeros(state.view.provider_rows, np.bool_)
    mask[homes] = True
    return mask
