"""The real OpenStack control plane that `make interop` and `make interop-openstack` run against.

Its scripts live outside this repository; TACHYON_TESTBED names their folder. `up` starts what does
not run, `lib/exercise.py` does to servers and volumes what an optimiser would ask for,
`tempest-run` runs the suites of Watcher's users.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.process import ServerError

FOLDER = Path(os.environ.get("TACHYON_TESTBED", Path(__file__).parents[3] / "shared" / "testbed"))
#: Where a user of its database may go, unlike a home.
HOME = Path(os.environ.get("TESTBED_HOME", "/var/tmp/tachyon-testbed"))
CLOUD = "testbed"
AUTH_URL = "http://127.0.0.1:5000/v3"
#: Of every account, in Keystone and on the servers.
PASSWORD = "testbed"
PORT_MYSQL = 13306
MEMCACHED = "127.0.0.1:11311"


def environment() -> dict[str, str]:
    """Return the environment of the testbed's scripts."""
    return os.environ | {"TESTBED_HOME": str(HOME)}


def up() -> None:
    """Start what does not run; takes some minutes the first time.

    Raises:
        ServerError: the scripts are not there.
    """
    if not (FOLDER / "up").is_file():
        raise ServerError(
            f"the scripts of a real OpenStack are not in {FOLDER}: "
            "let the environment variable TACHYON_TESTBED name their folder"
        )
    subprocess.run([FOLDER / "up"], env=environment(), check=True, timeout=900)


def clouds_yaml() -> Path:
    """Return the path of clouds.yaml with the cloud `CLOUD`."""
    return HOME / "clouds.yaml"


def rabbit_url() -> str:
    """Return the message bus of the services."""
    return f"rabbit://openstack:{PASSWORD}@127.0.0.1:5672/"


def database_url() -> str:
    """Return the SQL server of the services, without a database's name."""
    return f"mysql+pymysql://openstack:{PASSWORD}@127.0.0.1:{PORT_MYSQL}"


@contextmanager
def recorded(path: Path) -> Iterator[None]:
    """Write every notification to a file meanwhile, one JSON a line."""
    command = (
        f'. "{FOLDER}/lib/env.sh"; exec "$TB_OS/python" "{FOLDER}/lib/notifications.py" "{path}"'
    )
    recorder = subprocess.Popen(["bash", "-c", command], env=environment(), stdout=subprocess.PIPE)
    try:
        assert recorder.stdout is not None
        assert recorder.stdout.readline().strip() == b"listening"
        yield
    finally:
        recorder.terminate()
        recorder.wait()


class Exercise:
    """Runs the exercise and holds it still after each operation: `for line in exercise`."""

    def __iter__(self) -> Iterator[str]:
        settings = f'. "{HOME}/openrc"; . "{FOLDER}/lib/env.sh"'
        command = f'{settings}; exec "$TB_OS/python" "{FOLDER}/lib/exercise.py"'
        process = subprocess.Popen(
            ["bash", "-c", command], env=environment(), stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                os.kill(process.pid, signal.SIGSTOP)
                yield line.rstrip()
                os.kill(process.pid, signal.SIGCONT)
            assert process.wait() == 0
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGCONT)
                process.kill()
                process.wait()
