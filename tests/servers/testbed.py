"""The real OpenStack control plane that `make interop` and `make interop-openstack` run against.

Its scripts live outside this repository; TACHYON_TESTBED names their folder. `up` starts what does
not run, `lib/exercise.py` does to servers and volumes what an optimiser would ask for,
`tempest-run` runs the suites of Watcher's users.
"""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
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


def up(*, fresh: bool = False) -> None:
    """Start what does not run, from the first state if `fresh`; minutes the first time.

    Raises:
        ServerError: the scripts are not there.
    """
    if not (FOLDER / "up").is_file():
        raise ServerError(
            f"the scripts of a real OpenStack are not in {FOLDER}: "
            "let the environment variable TACHYON_TESTBED name their folder"
        )
    _run("up", *(["--fresh"] if fresh else []))


def ironic_up() -> None:
    """Start Ironic beside the rest, with one deployed node for each compute host."""
    _run("ironic-up")


def service(action: str, *names: str) -> None:
    """Start, stop, restart or kill processes: `service("stop", "rabbitmq")`."""
    _run("svc", action, *names)


def _run(script: str, *arguments: str) -> None:
    subprocess.run([FOLDER / script, *arguments], env=environment(), check=True, timeout=900)


def clouds_yaml() -> Path:
    """Return the path of clouds.yaml with the cloud `CLOUD`."""
    return HOME / "clouds.yaml"


def clouds_of_services(folder: Path) -> Path:
    """Write a clouds.yaml whose cloud `CLOUD` is that of an optimiser's own user.

    Ironic shows an administrator of one project that project's nodes only, and all of them to a
    user with the role `service` in the project of the services.
    """
    told = clouds_yaml().read_text()
    for name, user in (("username", "watcher"), ("project_name", "service")):
        told = re.sub(rf"{name}: .*", f"{name}: {user}", told)
    path = folder / "clouds.yaml"
    path.write_text(told)
    return path


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


#: Runs a script whose every line of output waits until a line of input allows to go on.
_HELD = textwrap.dedent(
    """
    import builtins, runpy, sys

    said = builtins.print

    def held(*values, **options):
        said(*values, **(options | {"flush": True}))
        sys.stdin.readline()

    builtins.print = held
    runpy.run_path(sys.argv[1], run_name="__main__")
    """
)


class Exercise:
    """Runs the exercise, which stands still between two operations: `for line in exercise`.

    It waits before it begins with the next one, and in none: an operation that was stopped in its
    middle would end while nobody looks, and its own deadlines would pass.
    """

    def __iter__(self) -> Iterator[str]:
        settings = f'. "{HOME}/openrc"; . "{FOLDER}/lib/env.sh"'
        command = f'{settings}; exec "$TB_OS/python" -c "$HELD" "{FOLDER}/lib/exercise.py"'
        process = subprocess.Popen(
            ["bash", "-c", command],
            env=environment() | {"HELD": _HELD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            for line in process.stdout:
                yield line.rstrip()
                print(file=process.stdin, flush=True)
            if process.wait() != 0:
                raise ServerError(f"the exercise failed: {process.returncode}")
        finally:
            process.stdin.close()
            process.stdout.close()
            if process.poll() is None:
                process.kill()
                process.wait()
