"""One server process: how it starts, proves that it answers, dies and comes back.

What is common to PostgreSQL, MariaDB and Neo4j lives here, so that their modules only say how to
install, initialise and address their server.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

HOST = "127.0.0.1"


class ServerError(RuntimeError):
    """A server could not be installed, started or stopped. Tests that need it must fail."""


#: Where nobody is given a port by chance: the system takes those of outgoing connections, and of
#: servers that ask for any, from beyond (net.ipv4.ip_local_port_range).
_PORTS = range(15_000, 32_000)


def free_port() -> int:
    """Return a loopback port that nobody has at this moment, and that nobody is given by chance.

    So a server can be ended and come back on it, while clients all around make connections.
    """
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


class Server(ABC):
    """A database server that belongs to the caller: ``with PostgreSQL() as server: server.url``.

    The data directory and the port stay the same over :meth:`stop`, :meth:`kill` and
    :meth:`start`, so that a test can crash the server and look at what it kept. Leaving the
    ``with`` block ends the server and removes the directory.
    """

    name: ClassVar[str]
    #: Seconds that the server has to answer, and to end after it was told to.
    start_timeout: ClassVar[float] = 90.0
    stop_timeout: ClassVar[float] = 60.0
    #: What asks this server to shut down cleanly without waiting for its clients.
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    #: Users that run the server when we are root; the first that exists. Empty: as we are.
    users: ClassVar[Sequence[str]] = ()

    def __init__(self) -> None:
        self.port = 0
        self.directory = Path()
        self._process: subprocess.Popen[bytes] | None = None

    # What each server says of itself

    @abstractmethod
    def install(self) -> None:
        """Make sure that the server's programs are on this machine."""

    @abstractmethod
    def initialise(self) -> None:
        """Fill the empty ``self.directory`` with whatever the server needs to start."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""

    @abstractmethod
    def ping(self) -> None:
        """Ask the server something; raise anything if it does not answer yet."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find the server."""

    def prepare(self) -> None:  # noqa: B027 - most servers have nothing to prepare
        """Do what can only be done on the running server, once, before anyone uses it."""

    def environment(self) -> dict[str, str]:
        """Return variables to add to the server's environment."""
        return {}

    # Life

    def __enter__(self) -> Self:
        self.install()
        self.directory = Path(tempfile.mkdtemp(prefix=f"tachyon-{self.name}-"))
        try:
            if (user := self._user()) is not None:
                shutil.chown(self.directory, user.pw_uid, user.pw_gid)
            self.initialise()
            self._start_on_a_free_port()
            self.prepare()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.kill()  # its data go too, so there is nothing to shut down cleanly
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise ServerError(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> None:
        """Start on the present data directory and port; return when the server answers."""
        if self._process is not None:
            raise ServerError(f"{self.name} is running already, as process {self.pid}")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._as_user(self.command(), guarded=True),
                cwd=self.directory,
                env=os.environ | self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we pass it on as a clean stop
            )
        self._wait_until_it_answers(self._process)

    def stop(self) -> None:
        """Shut down cleanly; no error if the server does not run."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End the server and its children as a power cut would: no chance to write anything."""
        self._end(signal.SIGKILL)

    # Inside

    @property
    def _log(self) -> Path:
        return self.directory / "server.log"

    def _start_on_a_free_port(self, attempts: int = 3) -> None:
        """Another process may take a port between our look and the server's; then look again."""
        for attempt in range(1, attempts + 1):
            self.port = free_port()
            try:
                self.start()
            except ServerError:
                if attempt == attempts or "in use" not in self._log_tail().lower():
                    raise
            else:
                return

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.start_timeout
        while True:
            if (code := process.poll()) is not None:
                self._process = None
                raise ServerError(
                    f"{self.name} ended with {code} while starting:\n{self._log_tail()}"
                )
            try:
                self.ping()
            except Exception as error:
                if time.monotonic() > deadline:
                    self.kill()
                    raise ServerError(
                        f"{self.name} did not answer within {self.start_timeout:.0f} s "
                        f"({error}):\n{self._log_tail()}"
                    ) from error
                time.sleep(0.1)
            else:
                return

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        children = _children(process.pid)
        process.send_signal(how)
        try:
            process.wait(self.stop_timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServerError(
                f"{self.name} did not end within {self.stop_timeout:.0f} s of {how.name}:\n"
                f"{self._log_tail()}"
            ) from None
        finally:
            _make_sure_they_are_gone(children)

    def _log_tail(self, lines: int = 40) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"

    def _user(self) -> pwd.struct_passwd | None:
        """Return the account to run as, or None to run as ourselves."""
        if not self.users or os.geteuid() != 0:
            return None
        for name in self.users:
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
        raise ServerError(f"{self.name} refuses to run as root, and none of {self.users} exists")

    def _as_user(self, command: Sequence[str], *, guarded: bool = False) -> list[str]:
        """Prefix a command so that it runs unprivileged and, if guarded, ends when we do."""
        prefix = ["setpriv"]
        if guarded:
            # Sent by the kernel when this process dies, however it dies: no server is left over.
            prefix += ["--pdeathsig", self.stop_signal.name.removeprefix("SIG")]
        if (user := self._user()) is not None:
            prefix += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
        return [*prefix, "--", *command] if len(prefix) > 1 else list(command)

    def _run(self, command: Sequence[str]) -> None:
        """Run a preparing command as the server's user; raise with its output if it fails."""
        run(self._as_user(command), cwd=self.directory)


def run(command: Sequence[str], *, cwd: Path | None = None, timeout: float = 900.0) -> None:
    """Run a command to its end; a failure carries what it printed."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            text=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(f"cannot run {' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise ServerError(
            f"{' '.join(command)} failed with {done.returncode}:\n{done.stdout[-4000:]}"
        )


def _children(pid: int) -> list[int]:
    """Return the ids of the processes that a process has started, PostgreSQL's back ends e.g."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _make_sure_they_are_gone(pids: Iterable[int], seconds: float = 10.0) -> None:
    """Kill what a killed parent left behind and wait until it has let go of files and ports."""
    deadline = time.monotonic() + seconds
    for pid in pids:
        while _is_alive(pid) and time.monotonic() < deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}
