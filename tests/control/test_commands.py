"""The control plane's commands as an operator runs them: processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tachyon import conf as options
from tachyon.control.objects import Database, Objects, migrations
from tests.cli.running import TACHYON, tachyon
from tests.service.raw import request

pytestmark = pytest.mark.integration

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A configuration of an API for whoever comes, on a database that is not there yet."""
    path = tmp_path / "tachyon.conf"
    path.write_text(
        "[DEFAULT]\ntransport_url = fake://\nenable_authentication = False\n"
        f"[database]\nconnection = sqlite:///{tmp_path / 'control.db'}\n"
        f"[graph]\nurl = sqlite:///{tmp_path / 'graph.db'}\n"
        "[api]\nport = 0\nworkers = 2\n"
    )
    return path


def test_a_new_installation_is_made_step_by_step(configuration: Path, tmp_path: Path) -> None:
    """Each command says what to do next, until the API serves; SIGTERM ends it cleanly."""
    option = ("--config-file", str(configuration))
    assert tachyon("db", "current", *option).out == "none\n"
    refused = tachyon("api", *option, code=2)
    assert "run `tachyon db upgrade`" in refused.err
    check = tachyon("status", "upgrade", "check", *option, code=2)
    assert "Failure" in check.out
    assert tachyon("db", "upgrade", *option).out == f"{migrations.head()}\n"
    assert "dummy" in tachyon("sync", *option).out
    assert tachyon("sync", *option).out == "nothing has changed\n"
    tachyon("status", "upgrade", "check", *option)
    with subprocess.Popen([TACHYON, "api", *option], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        for _ in range(6):
            assert request(url, "GET", "/v1/goals/dummy").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_purge_counts_asks_and_removes(configuration: Path, tmp_path: Path) -> None:
    """Nothing goes on a dry run or without a yes."""
    database = Database(f"sqlite:///{tmp_path / 'control.db'}")
    migrations.upgrade(database)
    objects = Objects(database)
    goal = objects.goals.create(name="old", display_name="Old")
    objects.goals.soft_delete(goal.id)
    purge = ("db", "purge", "--config-file", str(configuration))
    assert "Goals                    1" in tachyon(*purge, "--dry-run").out
    tachyon(*purge, stdin="n\n", code=130)
    assert "removed" not in tachyon(*purge, "-d", "90", "--yes").out
    assert objects.goals.count(deleted=True) == 1
    assert "1 rows removed." in tachyon(*purge, "-t", "old", "--yes").out
    assert objects.goals.count(deleted=True) == 0
    assert "negative" in tachyon(*purge, "-n", "-1", code=2).err


@pytest.mark.parametrize(
    ("program", "name"),
    [("oslo-config-generator", "tachyon.conf"), ("oslopolicy-sample-generator", "policy.yaml")],
)
def test_samples_are_what_the_generators_print(program: str, name: str, tmp_path: Path) -> None:
    """To the letter: `make samples` renews them."""
    made = tmp_path / name
    command = [Path(sys.executable).with_name(program), "--namespace", "tachyon"]
    subprocess.run(
        [*command, "--output-file", str(made)],
        check=True,
        capture_output=True,
    )
    assert made.read_text() == (SAMPLES / name).read_text()


def test_options_of_watchers_operators_are_read(tmp_path: Path) -> None:
    """Under the names that they have there."""
    path = tmp_path / "watcher.conf"
    path.write_text(
        "[nova]\nmigration_max_retries = 7\nmigration_interval = 0.5\n"
        "[collector]\ncollector_plugins = compute\n"
        "[watcher_cluster_data_model_collectors.compute]\nperiod = 60\n"
        "[watcher_decision_engine]\nnotification_topics = a.b\nmax_audit_workers = 5\n"
        "[cinder_client]\nregion_name = there\n"
    )
    conf = options.load(str(path))
    assert conf.watcher_applier.migration_max_retries == 7
    assert conf.watcher_applier.migration_interval == 0.5
    assert conf.collector.collectors == ["compute"]
    assert conf.collector.period == 60
    assert conf.notifications.topics == ["a.b"]
    assert conf.watcher_decision_engine.max_audit_workers == 5
    assert (conf.cinder.region_name, conf.nova.region_name) == ("there", None)
