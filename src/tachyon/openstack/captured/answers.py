"""The answers of a capture, sorted by what they are about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from tachyon.graph.cluster_file import bad_file, unpacked
from tachyon.openstack.mapping.answers import MISSHAPEN, Answer, misshapen

_T = TypeVar("_T")


class _Request(Struct):
    service: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)


class Captured(Struct):
    """One answer of a service, and what it was asked."""

    request: _Request
    status: int
    body: Any

    @property
    def version(self) -> tuple[int, int]:
        """The microversion that the answer was asked for in; (0, 0) if none was."""
        found = re.search(r"(\d+)\.(\d+)$", self.request.headers.get("OpenStack-API-Version", ""))
        return (int(found[1]), int(found[2])) if found else (0, 0)


#: Answers that list things: service, path, member of the body, key of each entry.
_LISTS = (
    ("nova", r"/os-hypervisors/detail", "hypervisors", "id"),
    ("nova", r"/os-services", "services", "host"),
    ("nova", r"/os-aggregates", "aggregates", "id"),
    ("nova", r"/os-server-groups", "server_groups", "id"),
    ("nova", r"/flavors/detail", "flavors", "id"),
    ("nova", r"/servers/detail", "servers", "id"),
    ("keystone", r"/projects", "projects", "id"),
    ("cinder", r"/os-services", "services", "host"),
    ("cinder", r"/scheduler-stats/get_pools", "pools", "name"),
    ("cinder", r"/types", "volume_types", "id"),
    ("cinder", r"/volumes/detail", "volumes", "id"),
    ("cinder", r"/snapshots/detail", "snapshots", "id"),
    ("placement", r"/resource_providers", "resource_providers", "uuid"),
)
#: Answers about one thing: service, path with its uuid, member of the body.
_SINGLES = (
    ("placement", r"/resource_providers/([^/]+)/inventories", "inventories"),
    ("placement", r"/resource_providers/([^/]+)/traits", "traits"),
    ("placement", r"/resource_providers/([^/]+)/allocations", "provider_allocations"),
    ("placement", r"/allocations/([^/]+)", "allocations"),
)


class Capture:
    """All answers, sorted: by (service, what), then by key."""

    def __init__(self, name: str, answers: Iterable[Captured]) -> None:
        self.name = name
        self._found: dict[tuple[str, str], dict[str, Any]] = {}
        # What newer microversions say wins, but what only older ones say (a hypervisor's totals)
        # is kept.
        for answer in sorted(answers, key=lambda a: a.version):
            if answer.request.method == "GET" and answer.status == 200:
                try:
                    self._sort_in(answer)
                except MISSHAPEN as error:
                    place = f"{answer.request.service} GET {answer.request.path}"
                    raise bad_file(name, [(place, misshapen(error))]) from error

    def _sort_in(self, answer: Captured) -> None:
        service, path = answer.request.service, answer.request.path.partition("?")[0]
        for wanted, pattern, member, key in _LISTS:
            if service == wanted and re.fullmatch(pattern, path):
                for entry in answer.body[member]:
                    # One service list holds all binaries; each is a kind of its own.
                    kind = entry["binary"] if member == "services" else member
                    known = self._found.setdefault((service, kind), {})
                    known[str(entry[key])] = {**known.get(str(entry[key]), {}), **entry}
        for wanted, pattern, member in _SINGLES:
            if service == wanted and (found := re.fullmatch(pattern, path)):
                body = answer.body[member.removeprefix("provider_")]
                self._found.setdefault((service, member), {})[found[1]] = body

    def all(self, service: str, what: str) -> list[Answer]:
        """Return the listed things of a kind."""
        return list(self._found.get((service, what), {}).values())

    def build(self, service: str, what: str, builder: Callable[[Answer], _T]) -> list[_T]:
        """Return what `builder` makes of each of the listed things of a kind.

        Raises:
            ClusterFileError: a thing has not the form that its service gives it.
        """
        built: list[_T] = []
        for key, entry in self._found.get((service, what), {}).items():
            try:
                built.append(builder(entry))
            except MISSHAPEN as error:
                place = f"{service} {what} {key}"
                raise bad_file(self.name, [(place, misshapen(error))]) from error
        return built

    def about(self, what: str) -> dict[str, Any]:
        """Return Placement's answers of a kind by the uuid that they are about."""
        return self._found.get(("placement", what), {})


def read_answer(file: Path) -> Captured:
    """Read one file of a capture.

    Raises:
        ClusterFileError: it is no captured answer.
    """
    try:
        return msgspec.json.decode(unpacked(file, name=str(file)), type=Captured)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_file(str(file), [("", f"is no captured answer: {error}")]) from error
