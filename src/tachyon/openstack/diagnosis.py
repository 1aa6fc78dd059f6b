"""What is missing in a cloud before it can be optimised: called by `tachyon doctor`.

Only reads, a handful of requests for each service. Every check stands alone: what one of them
meets does not keep the others from being made.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, Literal

import kombu
import kombu.exceptions
from msgspec import Struct
from oslo_config import cfg

from tachyon.errors import CloudError, CloudUnsupported, TachyonError
from tachyon.openstack.connection import Connection
from tachyon.openstack.failures import translated
from tachyon.openstack.power import power_control
from tachyon.openstack.service import Service

Level = Literal["ok", "warning", "error"]


class Finding(Struct, frozen=True):
    """What a check of a service found; `missing` says what to do about it, "" when all is well."""

    service: str
    check: str
    level: Level
    detail: str
    missing: str = ""


Check = Callable[[Connection, cfg.ConfigOpts], Iterator[Finding]]

#: Calls that collectors cannot do without: service → path, what may be asked along.
_CALLS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "nova": (
        ("/os-services", {"binary": "nova-compute"}),
        ("/os-hypervisors/detail", {"limit": 1}),
        ("/servers/detail", {"all_tenants": True, "limit": 1}),
        ("/os-aggregates", {}),
        ("/os-server-groups", {"all_projects": True, "limit": 1}),
    ),
    "placement": (("/resource_providers", {"name": "tachyon-doctor"}),),
    "cinder": (
        ("/os-services", {}),
        ("/scheduler-stats/get_pools", {"detail": True}),
        ("/volumes/detail", {"all_tenants": True, "limit": 1}),
    ),
    "ironic": (("/nodes/detail", {"limit": 1}),),
}
#: What an older Nova does not tell of.
_NOVA_FEATURES = (("2.96", "zones that servers are pinned to"), ("2.100", "scheduler hints"))
#: Services without which there is nothing to optimise.
_REQUIRED = {"nova", "placement"}


def diagnose(cloud: Connection, conf: cfg.ConfigOpts) -> list[Finding]:
    """Return what all checks found, in their order."""
    identity = list(_guarded("keystone", "identity", _identity, cloud, conf))
    if any(finding.level == "error" for finding in identity):
        # Nobody else would answer either.
        return identity
    checks: tuple[tuple[str, str, Check], ...] = (
        *((s.name, "calls", _calls_of(s)) for s in cloud.services if s.name != "keystone"),
        ("nova", "services", _compute_services),
        ("placement", "providers", _providers),
        ("cinder", "services", _storage_services),
        ("power", "control", _power),
        ("notifications", "transport", _notifications),
    )
    found = list(identity)
    for service, check, function in checks:
        found += _guarded(service, check, function, cloud, conf)
    return found


def _guarded(
    service: str, check: str, function: Check, cloud: Connection, conf: cfg.ConfigOpts
) -> Iterator[Finding]:
    try:
        yield from function(cloud, conf)
    except TachyonError as error:
        yield Finding(service, check, "error", error.message, _remedy(error))


def _remedy(error: TachyonError) -> str:
    return {
        "cloud_forbidden": "give the user the role that the service's policy asks for (admin)",
        "cloud_unavailable": "see whether the service runs and can be reached from here",
        "cloud_unsupported": "add the endpoint to the catalog, or upgrade the service",
        "configuration_invalid": "correct the configuration",
    }.get(error.code, "")


def _identity(cloud: Connection, _conf: cfg.ConfigOpts) -> Iterator[Finding]:
    with translated("keystone"):
        session = cloud.sdk.session
        access = session.auth.get_access(session)
        roles = sorted(access.role_names)
    user = f"{access.username} in {access.project_name or 'no project'}"
    yield Finding("keystone", "identity", "ok", user)
    if "admin" in roles:
        yield Finding("keystone", "roles", "ok", ", ".join(roles))
    else:
        yield Finding(
            "keystone",
            "roles",
            "warning",
            ", ".join(roles) or "none",
            "without admin, every policy that we need has to be opened one by one",
        )


def _calls_of(service: Service) -> Check:
    def check(cloud: Connection, _conf: cfg.ConfigOpts) -> Iterator[Finding]:
        if not cloud.has(service.name):
            level: Level = "error" if service.name in _REQUIRED else "warning"
            missing = "add it to the catalog" if level == "error" else "its model is left out"
            yield Finding(service.name, "endpoint", level, "not in the catalog", missing)
            return
        try:
            version = service.microversion
        except CloudUnsupported as error:
            yield Finding(service.name, "microversion", "error", error.message, "upgrade it")
            return
        lacking = [
            what
            for newer, what in _NOVA_FEATURES
            if service.name == "nova" and not service.supports(newer)
        ]
        yield Finding(
            service.name,
            "microversion",
            "warning" if lacking else "ok",
            str(version),
            f"not told: {', '.join(lacking)}" if lacking else "",
        )
        yield from _calls(service)

    return check


def _calls(service: Service) -> Iterator[Finding]:
    refused = False
    for path, params in _CALLS[service.name]:
        try:
            service.get(path, params)
        except CloudError as error:
            refused = True
            yield Finding(service.name, f"GET {path}", "error", error.message, _remedy(error))
    if not refused:
        yield Finding(service.name, "calls", "ok", f"{len(_CALLS[service.name])} allowed")


def _compute_services(cloud: Connection, _conf: cfg.ConfigOpts) -> Iterator[Finding]:
    params = {"binary": "nova-compute"}
    services = cloud.nova.entries("/os-services", "services", params)
    yield from _stale("nova", services)


def _storage_services(cloud: Connection, _conf: cfg.ConfigOpts) -> Iterator[Finding]:
    if cloud.has("cinder"):
        services = cloud.cinder.entries("/os-services", "services")
        yield from _stale("cinder", [s for s in services if s["binary"] == "cinder-volume"])


def _stale(service: str, services: list[dict[str, Any]]) -> Iterator[Finding]:
    if not services:
        yield Finding(service, "services", "warning", "none", "there is nothing to optimise")
        return
    down = [s["host"] for s in services if s["state"] != "up"]
    disabled = sum(s["status"] != "enabled" for s in services)
    told = f"{len(services)} services, {disabled} disabled, {len(down)} down"
    if down:
        yield Finding(service, "services", "warning", told, f"not reporting: {_few(down)}")
    else:
        yield Finding(service, "services", "ok", told)


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _providers(cloud: Connection, _conf: cfg.ConfigOpts) -> Iterator[Finding]:
    known = {
        p["uuid"] for p in cloud.placement.entries("/resource_providers", "resource_providers")
    }
    hypervisors = cloud.nova.entries("/os-hypervisors/detail", "hypervisors")
    without = [h["hypervisor_hostname"] for h in hypervisors if h["id"] not in known]
    told = f"{len(known)} providers for {len(hypervisors)} hypervisors"
    if without:
        missing = f"Placement does not know {_few(without)}"
        yield Finding("placement", "providers", "warning", told, missing)
    else:
        yield Finding("placement", "providers", "ok", told)


def _power(cloud: Connection, conf: cfg.ConfigOpts) -> Iterator[Finding]:
    if not conf.maas_client.url and not cloud.has("ironic"):
        missing = "hosts cannot be switched: there is neither Ironic nor [maas_client] url"
        yield Finding("power", "control", "warning", "none", missing)
        return
    control = power_control(cloud, conf)
    nodes = control.nodes()
    hosts = [n for n in nodes if n.compute_uuid is not None or n.hostname is not None]
    told = f"{control.name}: {len(nodes)} nodes, {len(hosts)} of them named as compute hosts"
    if nodes and not hosts:
        missing = "set extra.compute_node_id of nodes to the uuid of the hypervisor on them"
        yield Finding("power", "control", "warning", told, missing)
    else:
        yield Finding("power", "control", "ok", told)


def _notifications(_cloud: Connection, conf: cfg.ConfigOpts) -> Iterator[Finding]:
    url = conf.notifications.transport_url
    if not url:
        missing = "set [notifications] transport_url: until then only synchronisations tell"
        yield Finding("notifications", "transport", "warning", "none", missing)
        return
    silent = []
    try:
        with kombu.Connection(_kombu_url(url), connect_timeout=5) as broker:
            broker.ensure_connection(max_retries=1, timeout=5)
            for name in conf.notifications.topics:
                exchange = name.partition(".")[0]
                if not _is_declared(broker, exchange):
                    silent.append(exchange)
    except (kombu.exceptions.OperationalError, OSError) as error:
        missing = "see whether the broker runs and the URL's user may log in"
        yield Finding("notifications", "transport", "error", f"not reached: {error}", missing)
        return
    yield Finding("notifications", "transport", "ok", "reached")
    for exchange in silent:
        yield Finding(
            "notifications",
            f"exchange {exchange}",
            "warning",
            "nothing was ever sent to it",
            _SWITCHES.get(exchange, "switch the service's notifications on"),
        )


#: How each service is made to tell.
_SWITCHES = {
    "nova": "[oslo_messaging_notifications] driver = messagingv2, [notifications] "
    "notification_format = versioned and notify_on_state_change = vm_and_task_state",
    "openstack": "cinder.conf: [oslo_messaging_notifications] driver = messagingv2",
    "ironic": "ironic.conf: [DEFAULT] notification_level = info",
}


def _kombu_url(url: str) -> str:
    """Return an oslo.messaging URL as kombu writes it: several hosts are several URLs."""
    scheme, _, rest = url.partition("://")
    scheme = {"rabbit": "amqp", "kombu+memory": "memory"}.get(scheme, scheme)
    hosts, slash, path = rest.partition("/")
    path = urllib.parse.urlsplit(f"//{slash}{path}").path or "/"
    return ";".join(f"{scheme}://{host}{path}" for host in hosts.split(","))


def _is_declared(broker: Any, name: str) -> bool:
    # A passive declaration asks; it closes the channel when the answer is no.
    channel = broker.channel()
    try:
        kombu.Exchange(name, type="topic", durable=False, passive=True, channel=channel).declare()
    except broker.channel_errors:
        return False
    else:
        channel.close()
        return True
