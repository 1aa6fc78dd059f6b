"""The emulator: an OpenStack on loopback for tests, demos and benchmarks."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType

import yaml

from tachyon.graph.cluster_file import ClusterFile, read_cluster_file
from tachyon.graph.mutations import Cluster
from tachyon.graph.service.http_server import HttpServer
from tachyon.openstack.emulator.clock import Clock, ManualClock, SystemClock
from tachyon.openstack.emulator.cloud import REGION, Cloud
from tachyon.openstack.emulator.durations import Durations
from tachyon.openstack.emulator.faults import Fault, Faults
from tachyon.openstack.emulator.loading import load
from tachyon.openstack.emulator.notifications.bus import Bus, Notification
from tachyon.openstack.emulator.services.control import CONTROL
from tachyon.openstack.emulator.services.glance import GLANCE
from tachyon.openstack.emulator.services.ironic import IRONIC
from tachyon.openstack.emulator.services.keystone import KEYSTONE
from tachyon.openstack.emulator.services.maas import API_KEY, MAAS
from tachyon.openstack.emulator.services.nova import NOVA
from tachyon.openstack.emulator.services.placement import PLACEMENT
from tachyon.openstack.emulator.services.volume_actions import CINDER
from tachyon.openstack.emulator.web import application

SERVICES = (KEYSTONE, NOVA, PLACEMENT, CINDER, IRONIC, GLANCE, MAAS, CONTROL)
#: What `clouds.yaml` calls the emulated cloud.
NAME = "emulated"
_MAX_BODY = 16 * 2**20


class Emulator:
    """A stateful OpenStack that serves HTTP while it is open.

    ::

        with Emulator(cluster) as emulator:
            connection = connect(cloud=emulator.name, clouds_file=emulator.clouds_yaml)

    `cloud` is its state, `clock` its time, `faults` what goes wrong in it, `notifications` what it
    has sent so far.
    """

    name = NAME

    def __init__(
        self,
        cluster: Cluster | ClusterFile | str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        durations: Durations | None = None,
        transport_url: str | None = None,
        threads: int = 16,
    ) -> None:
        """Fill the cloud; it listens once it is started or entered.

        Args:
            cluster: what is in the cloud, or the cluster file that holds it.
            host: address to listen on.
            port: TCP port; 0 takes a free one.
            clock: the cloud's time; None: that of the machine.
            durations: of the cloud's work.
            transport_url: oslo.messaging's, for notifications; None: they are only kept.
            threads: requests served at the same time.

        Raises:
            ClusterFileError: the file is no cluster file.
        """
        if not isinstance(cluster, Cluster | ClusterFile):
            cluster = read_cluster_file(cluster)
        content = cluster.cluster if isinstance(cluster, ClusterFile) else cluster
        self.clock = clock or SystemClock()
        self.faults = Faults()
        self.bus = Bus(self.faults, transport_url)
        self.cloud = Cloud(self.clock, durations or Durations(), self.bus, self.faults)
        load(self.cloud, content)
        self._server = HttpServer(
            (host, port),
            application(self.cloud, SERVICES),
            threads=threads,
            connections=1000,
            timeout=60.0,
            shutdown_timeout=1.0,
            max_body=_MAX_BODY,
        )
        # One server on one port, which may be a free one that the system chooses.
        self._server.reuse_port = False
        self._serving = threading.Thread(
            target=self._server.serve, name="emulated-http", daemon=True
        )
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> Emulator:
        """Begin to serve; returns when the cloud can be reached."""
        self._server.prepare()
        self._serving.start()
        return self

    def close(self) -> None:
        """Stop serving and let no more time pass."""
        self._server.stop()
        self._serving.join(timeout=10)
        self.clock.close()
        self.bus.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Address below which all services are."""
        host, port = self._server.bind_addr[:2]
        return f"http://{host}:{port}"

    @property
    def auth_url(self) -> str:
        """Keystone's address."""
        return f"{self.url}/identity/v3"

    @property
    def maas_url(self) -> str:
        """MAAS's address."""
        return f"{self.url}/MAAS"

    @property
    def maas_key(self) -> str:
        """The API key of MAAS's user."""
        return API_KEY

    def clouds(self, user: str = "admin") -> str:
        """Return the text of a clouds.yaml with this cloud, as one of its users."""
        known = self.cloud.identity.users[user]
        project = self.cloud.identity.project_named("admin")
        auth = {
            "auth_url": self.auth_url,
            "username": known.name,
            "password": known.password,
            "project_name": project.name if project is not None else "",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        return yaml.safe_dump({"clouds": {NAME: {"auth": auth, "region_name": REGION}}})

    @property
    def clouds_yaml(self) -> Path:
        """Path of a clouds.yaml with this cloud; gone when the emulator closes."""
        return self.clouds_file("admin")

    def clouds_file(self, user: str) -> Path:
        """Return the path of a clouds.yaml with this cloud, as one of its users."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="tachyon-emulator-")
        path = Path(self._folder.name) / f"{user}.yaml"
        path.write_text(self.clouds(user))
        return path

    @property
    def requests(self) -> Counter[tuple[str, str, str]]:
        """Requests so far by (service, method, path template)."""
        with self.cloud.lock:
            return Counter(self.cloud.requests)

    @property
    def notifications(self) -> list[Notification]:
        """Notifications so far, those that a fault has lost left out."""
        with self.cloud.lock:
            return list(self.bus.sent)

    def arm(self, *faults: Fault) -> None:
        """Let things go wrong; see `faults`."""
        self.faults.arm(*faults)

    def advance(self, seconds: float) -> None:
        """Let emulated seconds pass; only with a `ManualClock`."""
        self._manual().advance(seconds)

    def settle(self) -> None:
        """Let all work under way end; only with a `ManualClock`."""
        self._manual().settle()

    def _manual(self) -> ManualClock:
        if not isinstance(self.clock, ManualClock):
            raise TypeError("the time of this cloud passes by itself")
        return self.clock
