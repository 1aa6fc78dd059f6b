"""The rules of a cluster file that span several of its entries.

Called with every file read and before every file written. The rules are those that the graph has
for a transaction, so that a file that passes can be loaded: what is listed is listed once, parents
and providers of allocations exist, and an allocation has an inventory. Zones, aggregates, projects,
flavors and server groups are names and need no record; capacities are not checked, for a cloud may
well be overfull.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from tachyon.errors import ClusterFileError
from tachyon.graph.cluster_file.content import ClusterFile
from tachyon.graph.entities import KINDS
from tachyon.graph.mutations import Cluster

#: More problems than this in one message help nobody.
PROBLEMS_MAX = 20

Problem = tuple[str, str]

#: The lists of a cluster, each with the field that is the key of its entries.
LISTS: tuple[tuple[str, str], ...] = tuple((f"{kind}s", key) for kind, (_, key) in KINDS.items())


def bad_file(source: str, problems: list[Problem]) -> ClusterFileError:
    """Return the error that names the file and each (place, reason) in it."""
    named = "; ".join(f"{place}: {reason}" if place else reason for place, reason in problems)
    return ClusterFileError(
        f"{source}: {named}",
        file=source,
        errors=[{"path": place or "$", "reason": reason} for place, reason in problems],
    )


def check(content: ClusterFile, source: str) -> None:
    """Check all references.

    Raises:
        ClusterFileError: names the first `PROBLEMS_MAX` places with their reasons.
    """
    problems = list(islice(_problems(content), PROBLEMS_MAX + 1))
    if len(problems) > PROBLEMS_MAX:
        problems[PROBLEMS_MAX:] = [("$", "there are more problems than these")]
    if problems:
        raise bad_file(source, problems)


def _problems(content: ClusterFile) -> Iterator[Problem]:
    yield from _duplicates(content.cluster)
    yield from _parents(content.cluster)
    yield from _allocations(content.cluster)
    yield from _metrics(content)


def _duplicates(cluster: Cluster) -> Iterator[Problem]:
    for name, key in LISTS:
        entries = getattr(cluster, name)
        first: dict[str, int] = {}
        for position, entry in enumerate(entries):
            value = getattr(entry, key)
            seen = first.setdefault(value, position)
            if seen != position:
                yield (
                    f"$.{name}[{position}].{key}",
                    f"{value} is listed already at $.{name}[{seen}]",
                )


def _parents(cluster: Cluster) -> Iterator[Problem]:
    parents = {p.uuid: p.parent_uuid for p in cluster.providers}
    # Everything known to lead up to a root; each chain is walked once.
    sound: set[str] = set()
    for position, provider in enumerate(cluster.providers):
        place = f"$.providers[{position}].parent_uuid"
        if provider.parent_uuid is not None and provider.parent_uuid not in parents:
            yield place, f"there is no provider {provider.parent_uuid}"
            continue
        chain: list[str] = []
        above: str | None = provider.uuid
        while above is not None and above not in sound:
            if above in chain:
                yield place, f"{above} is its own ancestor"
                break
            chain.append(above)
            above = parents.get(above)
        sound.update(chain)


def _allocations(cluster: Cluster) -> Iterator[Problem]:
    classes = {p.uuid: p.inventories.keys() for p in cluster.providers}
    for position, consumer in enumerate(cluster.consumers):
        for uuid, resources in consumer.allocations.items():
            held = classes.get(uuid)
            if held is None:
                yield (
                    f"$.consumers[{position}].allocations.{uuid}",
                    f"there is no provider {uuid}",
                )
            elif not resources.keys() <= held:
                for missing in sorted(resources.keys() - held):
                    yield (
                        f"$.consumers[{position}].allocations.{uuid}.{missing}",
                        f"provider {uuid} has no inventory of {missing}",
                    )


def _metrics(content: ClusterFile) -> Iterator[Problem]:
    if not content.metrics:
        return
    providers = {p.uuid for p in content.cluster.providers}
    consumers = {c.uuid for c in content.cluster.consumers}
    names: dict[tuple[str, str], int] = {}
    for position, series in enumerate(content.metrics):
        place = f"$.metrics[{position}]"
        seen = names.setdefault((series.kind, series.name), position)
        if seen != position:
            yield f"{place}.name", f"{series.name} is listed already at $.metrics[{seen}]"
        known = consumers if series.kind == "consumer" else providers
        for uuid in series.values:
            if uuid not in known:
                yield f"{place}.values.{uuid}", f"there is no {series.kind} {uuid}"
        for uuid in series.capacity:
            if uuid not in providers:
                yield f"{place}.capacity.{uuid}", f"there is no provider {uuid}"
