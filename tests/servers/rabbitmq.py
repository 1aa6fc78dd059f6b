"""RabbitMQ from Debian's packages: the message bus of a cloud, as oslo.messaging uses it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import kombu

from tests.servers.packages import apt_install, installation_lock
from tests.servers.process import HOST, Server, ServerError, free_port

_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMQ(Server):
    """One broker with the user ``guest``; nothing of it is durable unless a client says so."""

    name = "rabbitmq"
    start_timeout: ClassVar[float] = 120.0

    def install(self) -> None:
        with installation_lock():
            if not _PROGRAM.exists():
                apt_install("rabbitmq-server")
            if not _PROGRAM.exists():
                raise ServerError(f"RabbitMQ is installed, but {_PROGRAM} is not found")

    def initialise(self) -> None:
        self._names_port, self._peers_port = free_port(), free_port()
        (self.directory / "enabled_plugins").write_text("[].\n")
        (self.directory / "rabbitmq.conf").write_text(
            "log.file.level = warning\ndisk_free_limit.absolute = 50MB\n"
        )

    def command(self) -> list[str]:
        # The name server of Erlang belongs to the broker here, and ends with it.
        names = f"epmd -address {HOST} -port {self._names_port}"
        return ["sh", "-c", f"{names} & exec {_PROGRAM}"]

    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.directory),
            "RABBITMQ_NODENAME": f"tachyon{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._peers_port),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._names_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} "
            "+S 1:1 +sbwt none",
        }

    def ping(self) -> None:
        with kombu.Connection(self.url.replace("rabbit://", "amqp://"), connect_timeout=2) as bus:
            bus.connect()

    @property
    def url(self) -> str:
        return f"rabbit://guest:guest@{HOST}:{self.port}/"
