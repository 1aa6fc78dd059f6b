"""The connection to a cloud: what is repeated, what is refused, how lists are read to their end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tachyon import conf as options
from tachyon.errors import (
    CloudConflict,
    CloudError,
    CloudForbidden,
    CloudNotFound,
    CloudUnavailable,
    CloudUnsupported,
    ConfigurationError,
)
from tachyon.openstack.connection import connect
from tachyon.openstack.emulator import Emulator, RequestFault
from tests.connection.conftest import Connect

SERVERS = {"all_tenants": True}


def test_all_pages_of_a_list_are_read(emulator: Emulator, opened: Connect) -> None:
    cloud = opened()
    found = cloud.nova.entries("/servers/detail", "servers", {**SERVERS, "limit": 7})
    assert {s["id"] for s in found} == set(emulator.cloud.compute.servers)
    assert len(found) == 30
    assert cloud.requests["nova", "GET", 200] == 5
    volumes = cloud.cinder.entries("/volumes/detail", "volumes", {**SERVERS, "limit": 5})
    assert {v["id"] for v in volumes} == set(emulator.cloud.storage.volumes)


def test_server_groups_are_read_by_offset(emulator: Emulator, opened: Connect) -> None:
    asked = {"all_projects": True}
    found = opened().nova.slices("/os-server-groups", "server_groups", asked, limit=3)
    assert {g["id"] for g in found} == set(emulator.cloud.compute.groups)


@pytest.mark.parametrize(
    "fault",
    [
        RequestFault(service="nova", status=503, times=2),
        RequestFault(service="nova", status=429, retry_after=0, times=2),
        RequestFault(service="nova", reset="before", times=2),
        RequestFault(service="nova", reset="after", times=2),
    ],
    ids=["503", "429", "reset before", "reset after"],
)
def test_a_read_is_repeated_until_it_goes_through(
    emulator: Emulator, opened: Connect, fault: RequestFault
) -> None:
    cloud = opened()
    assert cloud.nova.microversion
    emulator.arm(fault)
    assert cloud.nova.get("/os-aggregates") == {"aggregates": []}


def test_a_read_that_never_goes_through_is_unavailable(emulator: Emulator, opened: Connect) -> None:
    cloud = opened(nova__http_retries=2)
    assert cloud.nova.microversion
    emulator.arm(RequestFault(service="nova", status=502, times=None))
    with pytest.raises(CloudUnavailable) as caught:
        cloud.nova.get("/os-aggregates")
    assert caught.value.temporary
    assert cloud.requests["nova", "GET", 502] == 3


@pytest.mark.parametrize("reset", ["before", "after"])
def test_what_is_not_idempotent_is_sent_once(
    emulator: Emulator, opened: Connect, reset: str
) -> None:
    cloud = opened()
    assert cloud.nova.microversion
    before = emulator.requests["nova", "POST", "/v2.1/os-server-groups"]
    emulator.arm(RequestFault(service="nova", method="POST", reset=reset, times=None))  # type: ignore[arg-type]
    with pytest.raises(CloudUnavailable):
        cloud.nova.post("/os-server-groups", {"server_group": {"name": "g", "policy": "affinity"}})
    assert emulator.requests["nova", "POST", "/v2.1/os-server-groups"] == before + 1


def test_a_deletion_whose_answer_is_lost_is_done(emulator: Emulator, opened: Connect) -> None:
    cloud = opened()
    group = {"server_group": {"name": "g", "policy": "affinity"}}
    key = cloud.nova.post("/os-server-groups", group)["server_group"]["id"]
    emulator.arm(RequestFault(service="nova", method="DELETE", reset="after"))
    cloud.nova.delete(f"/os-server-groups/{key}")
    assert key not in emulator.cloud.compute.groups
    with pytest.raises(CloudNotFound):
        cloud.nova.delete(f"/os-server-groups/{key}")


def test_a_generation_conflict_of_placement_is_not_repeated(
    emulator: Emulator, opened: Connect
) -> None:
    cloud = opened()
    uuid = next(iter(emulator.cloud.placement.providers))
    path = f"/resource_providers/{uuid}/traits"
    before = emulator.requests["placement", "PUT", "/resource_providers/{provider}/traits"]
    with pytest.raises(CloudConflict) as caught:
        cloud.placement.put(path, {"traits": [], "resource_provider_generation": 99_999})
    assert "generation conflict" in caught.value.message
    asked = emulator.requests["placement", "PUT", "/resource_providers/{provider}/traits"]
    assert asked == before + 1


def test_a_refusal_says_what_was_asked_and_why(opened: Connect) -> None:
    with pytest.raises(CloudNotFound) as caught:
        opened().nova.get("/servers/nobody")
    assert caught.value.details["http_status"] == 404
    assert caught.value.details["reason"] == "Instance nobody could not be found."
    assert "nova: GET /compute/v2.1/servers/nobody" in caught.value.message


def test_what_the_role_does_not_allow_is_forbidden(opened: Connect) -> None:
    cloud = opened(user="reader")
    with pytest.raises(CloudForbidden):
        cloud.nova.get("/os-hypervisors/detail")
    with pytest.raises(CloudForbidden):
        cloud.placement.get("/resource_providers")


def test_the_preferred_microversion_is_asked_for_where_it_is_there(opened: Connect) -> None:
    cloud = opened()
    assert (cloud.nova.microversion, cloud.placement.microversion) == ("2.100", "1.39")
    assert cloud.nova.supports("2.96")
    assert not cloud.nova.supports("2.101")


def test_a_microversion_that_is_not_offered_is_refused_with_both_ranges(opened: Connect) -> None:
    cloud = opened(nova__api_version="2.999")
    with pytest.raises(CloudUnsupported, match=r"nova offers microversions 2\.1 to 2\.104; 2\.999"):
        cloud.nova.get("/os-aggregates")


def test_a_microversion_that_is_none_is_a_configuration_error(opened: Connect) -> None:
    with pytest.raises(ConfigurationError, match="api_version = latest"):
        opened(nova__api_version="latest").nova.get("/os-aggregates")


def test_a_service_that_the_catalog_lacks_is_told(emulator: Emulator, opened: Connect) -> None:
    emulator.cloud.services.remove("baremetal")
    try:
        cloud = opened()
        assert not cloud.has("ironic")
        assert cloud.has("nova")
        with pytest.raises(CloudUnsupported):
            cloud.ironic.get("/nodes")
    finally:
        emulator.cloud.services.add("baremetal")


def test_a_cloud_that_does_not_listen_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(
        "clouds: {x: {auth: {auth_url: 'http://127.0.0.1:9/v3', username: u, password: p,"
        " project_name: q, user_domain_name: d, project_domain_name: d}}}"
    )
    conf = options.load()
    conf.set_override("http_retries", 0, group="nova")
    with connect(conf, cloud="x", clouds_file=path) as cloud, pytest.raises(CloudUnavailable):
        cloud.nova.get("/servers")


def test_an_unknown_cloud_and_missing_credentials_are_configuration_errors(
    emulator: Emulator, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="other"):
        connect(cloud="other", clouds_file=emulator.clouds_yaml)
    with pytest.raises(ConfigurationError, match=r"no such clouds\.yaml"):
        connect(cloud="other", clouds_file=tmp_path / "nothing")
    with pytest.raises(ConfigurationError, match="auth_type"):
        connect(options.load())


def test_a_wrong_password_is_forbidden(emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(emulator.clouds().replace("password: emulated", "password: guessed"))
    with connect(cloud=emulator.name, clouds_file=path) as cloud, pytest.raises(CloudForbidden):
        cloud.nova.get("/servers")


def test_option_groups_reach_a_cloud_as_clouds_yaml_does(
    emulator: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "tachyon.conf"
    path.write_text(
        f"""[keystone]
auth_type = password
auth_url = {emulator.auth_url}
username = admin
password = emulated
project_name = admin
user_domain_name = Default
project_domain_name = Default
[nova]
region_name = RegionOne
valid_interfaces = public
[placement]
endpoint_override = {emulator.url}/placement
"""
    )
    with connect(options.load(str(path))) as cloud:
        assert len(cloud.nova.entries("/servers", "servers", SERVERS)) == 30
        assert len(cloud.placement.get("/resource_providers")["resource_providers"]) == 6
        assert cloud.keystone.entries("/projects", "projects")
        assert cloud.cinder.get("/os-services")["services"]


def test_a_region_that_is_not_there_is_told(emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(emulator.clouds().replace("RegionOne", "Elsewhere"))
    with connect(cloud=emulator.name, clouds_file=path) as cloud, pytest.raises(CloudUnsupported):
        cloud.nova.get("/servers")


def test_gathered_calls_keep_their_order_and_their_errors(
    emulator: Emulator, opened: Connect
) -> None:
    cloud = opened(keystone__concurrency=4)
    uuids = list(emulator.cloud.placement.providers)
    asked = [*uuids[:3], "nobody", *uuids[3:]]
    found = cloud.gather(lambda u: cloud.placement.get(f"/resource_providers/{u}"), asked)
    assert [e["uuid"] for e in found if not isinstance(e, CloudError)] == uuids
    assert isinstance(found[3], CloudNotFound)
    with pytest.raises(CloudNotFound):
        cloud.gather_all(lambda u: cloud.placement.get(f"/resource_providers/{u}"), asked)


def test_gathering_stops_at_an_error_that_is_not_the_clouds(opened: Connect) -> None:
    def fails(item: int) -> int:
        raise ValueError(item)

    with pytest.raises(ValueError, match="1"):
        opened().gather(fails, [1, 2, 3])
    assert opened().gather(fails, []) == []
