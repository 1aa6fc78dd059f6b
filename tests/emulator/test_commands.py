"""`tachyon emulate` serves a file as a cloud; `tachyon doctor` tells what a cloud lacks."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import kombu
import pytest
from click.testing import CliRunner, Result

from tachyon.cli.main import cli
from tachyon.graph.cluster_file import write_cluster_file
from tachyon.graph.generator import generate
from tachyon.openstack.connection import connect
from tachyon.openstack.emulator import Emulator
from tests.waiting import PATIENCE


@pytest.fixture(scope="module")
def healthy() -> Iterator[Emulator]:
    with Emulator(generate(hosts=3, instances=6, seed=2, pools=2, volumes=2)) as emulator:
        yield emulator


def doctor(emulator: Emulator, *arguments: str, user: str = "admin") -> Result:
    clouds = emulator.clouds_file(user)
    environment = {"OS_CLIENT_CONFIG_FILE": str(clouds), "COLUMNS": "200"}
    given = ["doctor", "--os-cloud", emulator.name, *arguments]
    return CliRunner().invoke(cli, given, env=environment, standalone_mode=False)


def test_a_healthy_cloud_lacks_nothing_that_is_needed(healthy: Emulator) -> None:
    result = doctor(healthy)
    assert result.return_value == 0
    assert "0 errors" in result.output
    assert "3 services, 0 disabled, 0 down" in result.output
    assert "3 providers for 3 hypervisors" in result.output
    assert "set [notifications] transport_url" in result.output


def test_a_missing_role_is_an_error_at_each_call_that_it_forbids(healthy: Emulator) -> None:
    result = doctor(healthy, user="reader")
    assert result.return_value == 1
    assert "GET /os-hypervisors/detail" in result.output
    assert "GET /resource_providers" in result.output
    assert "give the user the role" in result.output


def test_a_service_that_does_not_report_is_named(healthy: Emulator) -> None:
    host = next(iter(healthy.cloud.compute.hosts.values()))
    host.alive = False
    try:
        result = doctor(healthy)
    finally:
        host.alive = True
    assert result.return_value == 0
    assert f"not reporting: {host.name}" in result.output


def test_a_service_that_the_catalog_lacks_is_named(healthy: Emulator) -> None:
    services = healthy.cloud.services
    for missing, code in (("baremetal", 0), ("placement", 1)):
        services.remove(missing)
        try:
            result = doctor(healthy)
        finally:
            services.add(missing)
        assert result.return_value == code
        assert "not in the catalog" in result.output


def test_a_hypervisor_without_a_provider_is_named(healthy: Emulator) -> None:
    providers = healthy.cloud.placement.providers
    uuid, provider = next(iter(providers.items()))
    del providers[uuid]
    try:
        result = doctor(healthy)
    finally:
        providers[uuid] = provider
    assert f"Placement does not know {provider.name}" in result.output


def test_a_microversion_that_is_too_old_is_told(healthy: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "tachyon.conf"
    path.write_text("[nova]\napi_version = 2.60\n[placement]\napi_version = 1.50\n")
    result = doctor(healthy, "--config-file", str(path))
    assert result.return_value == 1
    assert "not told: zones that servers are pinned to, scheduler hints" in result.output
    assert "placement offers microversions 1.0 to 1.39" in result.output


def test_services_that_never_sent_a_notification_are_named(healthy: Emulator) -> None:
    with kombu.Connection("memory://") as broker:
        exchange = kombu.Exchange("nova", type="topic", durable=False)
        exchange(broker.channel()).declare()
        result = doctor(healthy, "--transport-url", "kombu+memory:////")
    assert "exchange openstack" in result.output
    assert "exchange nova" not in result.output


def test_a_broker_that_is_away_is_an_error(healthy: Emulator) -> None:
    result = doctor(healthy, "--transport-url", "rabbit://guest:guest@127.0.0.1:9/")
    assert result.return_value == 1
    assert "not reached" in result.output


def test_an_identity_that_is_refused_ends_the_examination(
    healthy: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(healthy.clouds().replace("password: emulated", "password: guessed"))
    environment = {"OS_CLIENT_CONFIG_FILE": str(path), "COLUMNS": "200"}
    given = ["doctor", "--os-cloud", healthy.name]
    result = CliRunner().invoke(cli, given, env=environment, standalone_mode=False)
    assert result.return_value == 1
    assert "1 errors, 0 warnings" in result.output


@pytest.mark.integration
@pytest.mark.parametrize(
    "command",
    [["tachyon.cli.main", "emulate"], ["tachyon.openstack.emulator"]],
    ids=["tachyon emulate", "python -m"],
)
def test_a_cluster_file_is_served_until_the_process_is_told_to_stop(
    tmp_path: Path, command: list[str]
) -> None:
    path = tmp_path / "cloud.json"
    write_cluster_file(path, generate(hosts=3, instances=6, seed=2))
    module, *arguments = command
    run = f"import sys; from {module} import main; sys.exit(main())"
    if module == "tachyon.openstack.emulator":
        run = run.replace(module, f"{module}.__main__")
    with subprocess.Popen(
        [sys.executable, "-c", run, *arguments, str(path), "--time-scale", "10"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            lines = []
            while (line := process.stdout.readline()).strip():
                lines.append(line)
            clouds = tmp_path / "clouds.yaml"
            clouds.write_text("".join(lines))
            with connect(cloud="emulated", clouds_file=clouds) as cloud:
                params = {"all_tenants": True}
                assert len(cloud.nova.entries("/servers", "servers", params)) == 6
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0


@pytest.mark.integration
def test_a_file_that_is_no_cluster_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "cloud.json"
    path.write_text("{}")
    done = subprocess.run(
        [sys.executable, "-m", "tachyon.openstack.emulator", str(path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
