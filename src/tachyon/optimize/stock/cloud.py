"""The connection to the cloud as the user that Watcher's own clients are.

Tachyon's collectors and notification handlers ask the cloud through it; credentials, regions,
interfaces and endpoints are those of `[watcher_clients_auth]`, `[nova]`, `[placement]`, `[cinder]`
and `[ironic_client]`, which the operator has set for Watcher anyway.
"""

from __future__ import annotations

from typing import Any

import openstack.config
import openstack.connection
from oslo_config import cfg
from watcher.common import nova_helper

from tachyon import conf as options
from tachyon.openstack.connection import Connection

#: Name of a service in openstacksdk → group of Watcher's options.
_GROUPS = {
    "identity": "keystone",
    "compute": "nova",
    "placement": "placement",
    "block_storage": "cinder",
    "baremetal": "ironic_client",
}


def connect(conf: cfg.ConfigOpts) -> Connection:
    """Return a connection; nothing is sent before the first request.

    Args:
        conf: Watcher's configuration.
    """
    region = openstack.config.cloud_region.CloudRegion(
        # Watcher's helper knows which group holds credentials; only its session is taken.
        session=nova_helper.NovaHelper().connection.session,
        config={**openstack.config.defaults.get_defaults(), **_services(conf)},
        app_name="tachyon",
    )
    return Connection(openstack.connection.Connection(config=region), options.load())


def _services(conf: cfg.ConfigOpts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for service, name in _GROUPS.items():
        if name not in conf:
            continue
        group = conf[name]
        given = {
            "region_name": _option(group, "region_name"),
            "interface": _option(group, "valid_interfaces") or _option(group, "endpoint_type"),
            "endpoint_override": _option(group, "endpoint_override"),
        }
        found |= {f"{service}_{key}": value for key, value in given.items() if value}
    return found


def _option(group: Any, name: str) -> Any:
    # `get` of such a group raises for a name that it does not know.
    return group[name] if name in group else None  # noqa: SIM401
