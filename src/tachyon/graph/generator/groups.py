"""Server groups, made of instances whose places already satisfy the policy."""

from __future__ import annotations

import numpy as np

from tachyon.graph.entities import Policy, ServerGroup
from tachyon.graph.generator.drawing import Ints, uuids
from tachyon.graph.mutations import Cluster

_POLICIES: tuple[Policy, ...] = ("anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity")
_MEMBERS_MAX = 5


def build_groups(
    cluster: Cluster, hosts: Ints, count: int, rng: np.random.Generator
) -> dict[int, str]:
    """Add `count` server groups of two to five members, fewer where instances are too few.

    Args:
        cluster: what to add to.
        hosts: shape (instances,): the host of each instance.
        count: how many groups.
        rng: of the random numbers.

    Returns:
        The uuid of the group of those instances (by row) that are in one.
    """
    group_of: dict[int, str] = {}
    waiting = rng.permutation(len(hosts)).tolist()
    neighbours: dict[int, list[int]] = {}
    for row, host in enumerate(hosts.tolist()):
        neighbours.setdefault(host, []).append(row)
    wanted = rng.integers(2, _MEMBERS_MAX + 1, size=count).tolist()
    for number, (uuid, size) in enumerate(zip(uuids(count, rng), wanted, strict=True)):
        policy = _POLICIES[number % len(_POLICIES)]
        while waiting and waiting[-1] in group_of:
            waiting.pop()
        if not waiting:
            break
        if policy == "affinity":
            together = neighbours[int(hosts[waiting[-1]])]
            members = [row for row in together if row not in group_of][:size]
        elif policy == "anti-affinity":
            members = _apart(waiting, hosts, group_of, size)
        else:
            members = [row for row in waiting[-size:] if row not in group_of]
        if len(members) < 2:
            waiting.pop()
            continue
        group_of.update(dict.fromkeys(members, uuid))
        cluster.server_groups.append(
            ServerGroup(uuid=uuid, name=f"group-{number + 1:04d}", policy=policy)
        )
    return group_of


def _apart(waiting: list[int], hosts: Ints, group_of: dict[int, str], size: int) -> list[int]:
    """Return waiting instances on different hosts, looking no further than a few."""
    members: dict[int, int] = {}
    for row in waiting[-1 : -4 * size : -1]:
        if row not in group_of:
            members.setdefault(int(hosts[row]), row)
        if len(members) == size:
            break
    return list(members.values())
