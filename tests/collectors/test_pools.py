"""Pools whose capacities are missing, unknown or endless become pools like all others."""

from __future__ import annotations

from typing import Any

import pytest

from tachyon.graph.entities import AMOUNT_MAX
from tachyon.openstack.mapping.storage import pool


def entry(**capabilities: Any) -> dict[str, Any]:
    return {"name": "a@b#c", "capabilities": capabilities}


@pytest.mark.parametrize("total", [None, "infinite", "unknown", -1, float("inf")])
def test_a_pool_of_no_known_size_takes_anything(total: Any) -> None:
    found = pool(entry(total_capacity_gb=total, free_capacity_gb=total), {}, 0)
    assert found.inventories["DISK_GB"].total == AMOUNT_MAX
    assert found.extra["virtual_free"] is None


@pytest.mark.parametrize(
    "missing",
    ["free_capacity_gb", "provisioned_capacity_gb", "allocated_capacity_gb", "reserved_percentage"],
)
def test_a_pool_may_lack_any_capacity(missing: str) -> None:
    capabilities = {
        "total_capacity_gb": 200.0,
        "free_capacity_gb": 150.0,
        "provisioned_capacity_gb": 60,
        "allocated_capacity_gb": 50,
        "reserved_percentage": 10,
    }
    del capabilities[missing]
    found = pool(entry(**capabilities), {"a@b": "nova"}, 3)
    assert found.inventories["DISK_GB"].total == 200
    assert (found.parent_uuid, found.availability_zone) == ("a@b", "nova")
    assert found.extra["total_volumes"] == 3


def test_what_is_left_to_promise_is_reckoned_as_cinder_does() -> None:
    capabilities = {
        "total_capacity_gb": 200.0,
        "free_capacity_gb": 150.0,
        "reserved_percentage": 10,
    }
    thick = pool(entry(**capabilities), {}, 0)
    assert thick.extra["virtual_free"] == 130.0
    thin = entry(
        **capabilities,
        thin_provisioning_support=True,
        max_over_subscription_ratio="20.0",
        provisioned_capacity_gb=500,
    )
    assert pool(thin, {}, 0).extra["virtual_free"] == 200 * 20 - 500 - 20
