"""What the rules of all kinds have in common: finding what they name, and saying what is not there.

A rule object may carry several keys, and each counts. Within a scope all include rules add up, and
so do all exclusions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
import numpy as np

from tachyon.graph.entities import HostAggregate
from tachyon.graph.simulation import Session
from tachyon.graph.simulation.rules import owners, zone_mask
from tachyon.graph.view.codes import Codes
from tachyon.graph.view.columns import I64, Bool
from tachyon.graph.view.view import View
from tachyon.optimize.scope.schema import Rule, is_wildcard

Entries = Sequence[Mapping[str, Any]]


class Rules:
    """The rules for one kind of model, and the warnings that came of them.

    Args:
        rules: those of the first block of the kind that holds any.
        session: what they are evaluated on.
        hosts: P; the providers that include rules choose from.
    """

    def __init__(self, rules: Sequence[Rule], session: Session, hosts: Bool) -> None:
        self.session = session
        self.view: View = session.view
        self.hosts = hosts
        #: Whether any rule says what to take, rather than what to leave out.
        self.choosing = any(key != "exclude" for rule in rules for key in rule)
        self.warnings: list[str] = []
        self._rules = rules

    def included(self, choose: Mapping[str, Callable[[Entries], Bool]]) -> Bool:
        """Return the hosts that include rules allow: the union of all rules, or all without any.

        Rules that match nothing leave nothing: a misspelt zone must not widen an audit to the
        whole cloud.
        """
        found = [
            choose[key](entries)
            for rule in self._rules
            for key, entries in rule.items()
            if key in choose
        ]
        if not found:
            return self.hosts.copy()
        mask: Bool = self.hosts & np.logical_or.reduce(found)
        if not mask.any() and self.hosts.any():
            self.warnings.append("no host is in scope")
        return mask

    def excluded(self, key: str) -> list[Mapping[str, Any]]:
        """Return the entries of all exclusions under a key."""
        return [
            entry
            for rule in self._rules
            for exclusion in rule.get("exclude", ())
            for entry in exclusion.get(key, ())
        ]

    def in_zones(self, entries: Entries) -> Bool:
        """Return the hosts in availability zones."""
        if is_wildcard(entries):
            return self.hosts
        mask = np.zeros_like(self.hosts)
        for name in (str(entry["name"]) for entry in entries):
            inside = zone_mask(self.view, name) & self.hosts
            if not inside.any() and self.view.availability_zone(name) is None:
                self.warnings.append(f"availability zone {name} does not exist")
            mask |= inside
        return mask

    def in_aggregates(self, entries: Entries) -> Bool:
        """Return the hosts in host aggregates, which go by id, name or uuid."""
        members = _members(self.view)
        mask = np.zeros_like(self.hosts)
        if is_wildcard(entries):
            for rows in members.values():
                mask[rows] = True
            return mask & self.hosts
        for entry in entries:
            ((key, wanted),) = entry.items()
            names = [wanted] if key == "name" else self._aggregates(key, wanted)
            if not any(n in members or self.view.host_aggregate(n) is not None for n in names):
                self.warnings.append(f"host aggregate {wanted} does not exist")
            for name in names:
                mask[members.get(name, [])] = True
        return mask & self.hosts

    def _aggregates(self, key: str, wanted: int | str) -> list[str]:
        records = self.view.records["host_aggregate"].values()
        return [
            a.name for a in records if isinstance(a, HostAggregate) and getattr(a, key) == wanted
        ]

    def named(self, entries: Entries, among: Bool, what: str) -> Bool:
        """Return the providers of some names."""
        at: dict[str, list[int]] = {}
        for row in np.flatnonzero(among).tolist() if entries else ():
            at.setdefault(self.view.provider_at(row).name, []).append(row)
        mask = np.zeros_like(among)
        for name in (str(entry["name"]) for entry in entries):
            if name not in at:
                self.warnings.append(f"{what} {name} does not exist")
            mask[at.get(name, [])] = True
        return mask

    def providers(self, entries: Entries, among: Bool, what: str) -> Bool:
        """Return the providers of some uuids."""
        return self._by_uuid(entries, self.view.providers.index, among, what)

    def consumers(self, entries: Entries, among: Bool, what: str) -> Bool:
        """Return the consumers of some uuids."""
        return self._by_uuid(entries, self.view.consumers.index, among, what)

    def _by_uuid(self, entries: Entries, index: Mapping[str, int], among: Bool, what: str) -> Bool:
        mask = np.zeros_like(among)
        for uuid in (str(entry["uuid"]) for entry in entries):
            row = index.get(uuid, -1)
            if 0 <= row < among.size and among[row]:
                mask[row] = True
            else:
                self.warnings.append(f"{what} {uuid} does not exist")
        return mask

    def of_projects(self, entries: Entries, among: Bool) -> Bool:
        """Return the consumers of projects; one that owns nothing here is no mistake."""
        codes = [self.view.codes.project.find(str(entry["uuid"])) for entry in entries]
        owned: Bool = np.isin(self.view.consumers.project, [c for c in codes if c >= 0])
        return among & owned

    def with_metadata(self, entries: Entries, among: Bool) -> Bool:
        """Return the consumers that have all pairs of one of the objects, in any letter case."""
        if not entries:
            return np.zeros_like(among)
        wanted = [{key: str(value).lower() for key, value in e.items()} for e in entries]
        codes, distinct = _metadata(self.view)
        matches: Bool = np.array(
            [any(_has(pairs, each) for each in wanted) for pairs in distinct], np.bool_
        )
        found: Bool = matches[codes]
        return among & found


def of_type(view: View, name: str) -> Bool:
    """Return the living consumers of a type."""
    mine: Bool = view.consumers.type == view.codes.type.find(name)
    return view.consumers.alive & mine


def homes_in(session: Session, providers: Bool, *, unplaced: bool = True) -> Bool:
    """Return the consumers whose host is among providers, and those that are nowhere."""
    # Row −1 is the last one.
    found: Bool = np.append(providers, unplaced)[session.homes()]
    return found


def with_parts(view: View, hosts: Bool, kind: str) -> Bool:
    """Return hosts together with the providers below them."""
    below: Bool = np.append(hosts, False)[owners(view, kind)]
    return view.providers.alive & below


def _has(pairs: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return all(key in pairs and str(pairs[key]).lower() == v for key, v in wanted.items())


def _metadata(view: View) -> tuple[I64, list[dict[str, Any]]]:
    """Return by consumer row the number of its metadata, and the distinct metadata by number."""
    if "metadata" not in view.memo:
        codes = Codes()
        column = np.array([codes.code(text or "{}") for text in view.consumers.metadata], np.int64)
        view.memo["metadata"] = column, [msgspec.json.decode(text) for text in codes.values]
    return cast(tuple[I64, list[dict[str, Any]]], view.memo["metadata"])


def _members(view: View) -> dict[str, list[int]]:
    """Return the provider rows by host aggregate."""
    if "aggregates" not in view.memo:
        members: dict[str, list[int]] = {}
        for row, provider in enumerate(view.providers.record):
            for name in provider.aggregates if provider is not None else ():
                members.setdefault(name, []).append(row)
        view.memo["aggregates"] = members
    return cast(dict[str, list[int]], view.memo["aggregates"])
