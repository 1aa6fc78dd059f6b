"""What datasources are made of: options, an identity in the cloud, a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from oslo_config import cfg

from tachyon.errors import ConfigurationError
from tachyon.openstack.retries import Retries
from tachyon.openstack.service import Service
from tachyon.openstack.telemetry.requester import openstack_requester


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a datasource may use.

    Attributes:
        conf: the options of `tachyon.conf`.
        session: returns a keystoneauth session; None where there is no cloud.
        clock: the time, in seconds since 1970.
        sleep: waits between repetitions.
    """

    conf: cfg.ConfigOpts
    session: Callable[[], Any] | None = None
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    @property
    def retries(self) -> Retries:
        """How queries are repeated."""
        group = self.conf.watcher_datasources
        return Retries(
            times=group.query_max_retries, interval=group.query_interval, sleep=self.sleep
        )

    def service(
        self, name: str, service_type: str, interface: str, region_name: str | None
    ) -> Service:
        """Return what asks a service of the catalog.

        Raises:
            ConfigurationError: there is no cloud to look it up in.
        """
        if self.session is None:
            raise ConfigurationError(f"datasource {name} needs the connection to a cloud")
        return openstack_requester(
            name,
            self.session(),
            service_type=service_type,
            interface=interface,
            region_name=region_name,
            retries=self.retries,
            timeout=self.conf.watcher_datasources.query_time_limit,
        )
