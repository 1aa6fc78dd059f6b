"""Aetos: Prometheus behind Keystone, asked with our token, found in the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tachyon.openstack.telemetry.prometheus import Prometheus
from tachyon.openstack.telemetry.surroundings import Surroundings


class Aetos(Prometheus):
    """Prometheus' API as Aetos serves it; the identity needs the role admin or service."""

    name: ClassVar[str] = "aetos"

    @classmethod
    def open(cls, names: Mapping[str, Any], surroundings: Surroundings) -> Aetos:
        """Return the service of type `metric-storage`, as `[aetos_client]` says."""
        group = surroundings.conf.aetos_client
        return cls(
            names,
            surroundings.service(cls.name, "metric-storage", group.interface, group.region_name),
            fqdn_label=group.fqdn_label,
            instance_uuid_label=group.instance_uuid_label,
            clock=surroundings.clock,
        )

    def verify(self) -> None:
        """Find out whether Aetos is there; raises `CloudError` where it is not."""
        self._ask("status/runtimeinfo", {})
