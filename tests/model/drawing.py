"""Values that elements may have, the odd ones among them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

SIZES = {"vcpus": 4, "memory": 512, "disk": 10}
ROOM = {
    "vcpus": 16,
    "vcpu_reserved": 1,
    "vcpu_ratio": 2.0,
    "memory": 4096,
    "memory_mb_reserved": 512,
    "memory_ratio": 1.0,
    "disk": 100,
    "disk_gb_reserved": 0,
    "disk_ratio": 1.5,
}


def some(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {name: _drawn(value) for name, value in required.items()},
        optional={name: _drawn(value) for name, value in optional.items()},
    )


def _drawn(value: Any) -> st.SearchStrategy[Any]:
    return value if isinstance(value, st.SearchStrategy) else st.just(value)


amounts = st.integers(0, 64)
ratios = st.sampled_from([1.0, 1.5, 16.0])
names = st.sampled_from(["alpha", "beta", "gamma"])
documents = st.sampled_from([{}, {"a": "b"}, {"optimize": True, "nested": {"x": [1, "y"]}}])
ids = st.sampled_from(
    ["8ea272ec-52d2-475e-9151-0f3ed8c674d1", "777d7968-9b61-4cc0-844d-a95a6fc22d8c"]
)

#: Fields of hosts; most have room, some lack what they should have.
nodes = st.one_of(
    some({"hostname": names, **ROOM}, {"disabled_reason": st.sampled_from([None, "why"])}),
    some(
        {},
        {
            "hostname": names,
            "status": st.sampled_from(["enabled", "disabled", "forgotten"]),
            "state": st.sampled_from(["up", "down", "sideways"]),
            "disabled_reason": st.sampled_from([None, "watcher_disabled"]),
            **{name: ratios if name.endswith("ratio") else amounts for name in ROOM},
        },
    ),
)

instances = st.one_of(
    some({"name": names, "state": "active", **SIZES}, {"metadata": documents}),
    some(
        SIZES,
        {
            "name": names,
            "state": st.sampled_from(["active", "paused", "stopped", ""]),
            "metadata": documents,
            "project_id": ids,
            "locked": st.booleans(),
            "watcher_exclude": st.booleans(),
            "host": names,
            "hypervisor_hostname": names,
            "created": st.sampled_from(
                [datetime(2026, 2, 9, 18, 55, 13, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)]
            ),
            "pinned_az": st.sampled_from(["", "az-1"]),
            "flavor_extra_specs": st.sampled_from([{}, {"hw:cpu_policy": "dedicated"}]),
        },
    ),
    some({}, dict.fromkeys(SIZES, amounts)),
)

storage_nodes = some(
    {},
    {
        "zone": st.sampled_from(["nova", "az-1"]),
        "status": st.sampled_from(["enabled", "disabled"]),
        "state": st.sampled_from(["up", "down"]),
        "volume_type": st.sampled_from([[], ["lvm"], ["lvm", "ceph"]]),
        "human_id": names,
    },
)

pools = some(
    {},
    {
        "total_volumes": amounts,
        "total_capacity_gb": amounts,
        "free_capacity_gb": amounts,
        "provisioned_capacity_gb": amounts,
        "allocated_capacity_gb": amounts,
        "virtual_free": amounts,
    },
)

volumes = some(
    {},
    {
        "size": amounts,
        "status": st.sampled_from(["available", "in-use", "error_deleting"]),
        "attachments": st.sampled_from(
            [[], [{"server_id": "i0", "attachment_id": "a1"}], [{"key": "value"}]]
        ),
        "name": names,
        "multiattach": st.booleans(),
        "snapshot_id": st.one_of(st.none(), ids),
        "project_id": ids,
        "metadata": documents,
        "bootable": st.booleans(),
        "volume_type": st.sampled_from(["lvm", "ceph"]),
        "created_at": st.sampled_from(["2026-02-09T18:55:13.000000", "yesterday"]),
        "host": names,
        "human_id": names,
    },
)
