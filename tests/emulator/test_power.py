"""Hosts are switched on and off, through Ironic and through MAAS alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from oslo_config import cfg

from tachyon import conf as options
from tachyon.errors import CloudConflict, CloudForbidden, CloudNotFound, ConfigurationError
from tachyon.openstack.connection import Connection, connect
from tachyon.openstack.emulator import Emulator, RequestFault, WorkFault
from tachyon.openstack.power import PowerControl, power_control


@pytest.fixture
def cloud(metal: Emulator) -> Iterator[Connection]:
    with connect(cloud=metal.name, clouds_file=metal.clouds_yaml) as connection:
        yield connection


def options_for(metal: Emulator, kind: str) -> cfg.ConfigOpts:
    conf = options.load()
    if kind == "maas":
        conf.set_override("url", metal.maas_url, group="maas_client")
        conf.set_override("api_key", metal.maas_key, group="maas_client")
        conf.set_override("http_retry_interval", 0.0, group="maas_client")
    return conf


@pytest.fixture(params=["ironic", "maas"])
def control(request: pytest.FixtureRequest, metal: Emulator, cloud: Connection) -> PowerControl:
    return power_control(cloud, options_for(metal, request.param))


def test_nodes_name_the_compute_host_on_them(
    metal: Emulator, cloud: Connection, control: PowerControl
) -> None:
    hosts = metal.cloud.compute.hosts
    assert len(control.nodes()) == len(hosts)
    for node in control.nodes():
        assert node.power == "on"
        assert node.compute_uuid in metal.cloud.compute.hosts_by_uuid or node.hostname in hosts


def test_a_host_goes_down_with_its_node_and_comes_back(
    metal: Emulator, cloud: Connection, control: PowerControl
) -> None:
    node = "node-compute-6"
    control.switch(node, on=False)
    assert control.power(node) == "on"
    metal.settle()
    assert control.power(node) == "off"
    assert not metal.cloud.compute.hosts["compute-6"].up
    control.switch(node, on=True)
    metal.settle()
    assert control.power(node) == "on"
    assert metal.cloud.compute.hosts["compute-6"].up


def test_a_node_that_fails_to_switch_stays_as_it_is(
    metal: Emulator, cloud: Connection, control: PowerControl
) -> None:
    metal.arm(WorkFault(kind="power"))
    control.switch("node-compute-6", on=False)
    metal.settle()
    assert control.power("node-compute-6") == "on"
    assert metal.notifications[-1].event_type == "baremetal.node.power_set.error"


def test_an_unknown_node_is_told(cloud: Connection, control: PowerControl) -> None:
    with pytest.raises(CloudNotFound):
        control.power("nobody")


def test_a_node_being_switched_refuses_another_switch(metal: Emulator, cloud: Connection) -> None:
    control = power_control(cloud, options_for(metal, "ironic"))
    control.switch("node-compute-6", on=False)
    with pytest.raises(CloudConflict):
        control.switch("node-compute-6", on=True)


def test_reads_of_maas_are_repeated_and_switches_are_not(
    metal: Emulator, cloud: Connection
) -> None:
    control = power_control(cloud, options_for(metal, "maas"))
    metal.arm(RequestFault(service="maas", method="GET", status=503))
    assert control.nodes()
    metal.arm(RequestFault(service="maas", method="POST", reset="after"))
    before = metal.requests["maas", "POST", "/api/2.0/machines/{machine}"]
    with pytest.raises(Exception, match="maas cannot be reached"):
        control.switch("node-compute-6", on=False)
    assert metal.requests["maas", "POST", "/api/2.0/machines/{machine}"] == before + 1


def test_a_wrong_key_of_maas_is_told(metal: Emulator, cloud: Connection) -> None:
    conf = options_for(metal, "maas")
    conf.set_override("api_key", "a:b:c", group="maas_client")
    with pytest.raises(CloudForbidden, match="Invalid API key"):
        power_control(cloud, conf).nodes()
    conf.set_override("api_key", "abc", group="maas_client")
    with pytest.raises(ConfigurationError, match="CONSUMER:TOKEN:SECRET"):
        power_control(cloud, conf)


def test_maintenance_comes_with_its_reason_and_is_told(metal: Emulator, cloud: Connection) -> None:
    path = "/nodes/node-compute-1/maintenance"
    cloud.ironic.put(path, {"reason": "fan"})
    (node,) = [n for n in cloud.ironic.entries("/nodes/detail", "nodes") if n["maintenance"]]
    assert (node["name"], node["maintenance_reason"]) == ("metal-compute-1", "fan")
    cloud.ironic.delete(path)
    assert not any(n["maintenance"] for n in cloud.ironic.entries("/nodes/detail", "nodes"))
    assert [n.event_type for n in metal.notifications] == [
        f"baremetal.node.maintenance_set.{phase}" for phase in ("start", "end") * 2
    ]


def test_nodes_are_paged(metal: Emulator, cloud: Connection) -> None:
    found = cloud.ironic.entries("/nodes/detail", "nodes", {"limit": 4})
    assert {n["uuid"] for n in found} == set(metal.cloud.baremetal.nodes)
