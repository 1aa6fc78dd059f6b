"""The connection to a cloud: one identity, one session, and its services.

Built on openstacksdk and keystoneauth, from a cloud's name in clouds.yaml or from the option
groups `[keystone]`, `[nova]`, `[placement]`, `[cinder]` and `[ironic]` (docs/emulator.md shows
both). Nothing is sent before the first request.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

import openstack.config
import openstack.config.exceptions
import openstack.connection
import openstack.exceptions
import requests.adapters
from keystoneauth1 import exceptions as ksa
from keystoneauth1 import loading
from oslo_config import cfg

from tachyon import conf as options
from tachyon.errors import CloudError, ConfigurationError
from tachyon.openstack import maas
from tachyon.openstack.gathering import gather, gather_all
from tachyon.openstack.retries import Retries
from tachyon.openstack.service import Microversions, Service

T = TypeVar("T")
R = TypeVar("R")

#: What we can work with. Nova: hypervisors have uuids from 2.53, servers' flavors are embedded from
#: 2.47, a cold migration names its host from 2.56; 2.100 shows scheduler hints. Placement: consumer
#: generations from 1.28. Ironic: details of all nodes in one page list, conductor groups from 1.46.
MICROVERSIONS = {
    "nova": Microversions("2.56", "2.100"),
    "placement": Microversions("1.28", "1.39"),
    "cinder": Microversions("3.0", "3.70"),
    "ironic": Microversions("1.1", "1.78"),
}
#: Option group → the name by which openstacksdk knows the service.
_SDK_NAMES = {
    "keystone": "identity",
    "nova": "compute",
    "placement": "placement",
    "cinder": "block_storage",
    "ironic": "baremetal",
}


class Connection:
    """A cloud's services, asked as one user. Safe to use from many threads.

    `keystone`, `nova`, `placement`, `cinder` and `ironic` are `Service`s; `sdk` is openstacksdk's
    connection with the same identity, region and interfaces. `maas` is the MAAS that has the bare
    metal in Ironic's place, None where `[maas_client]` names none.

    Raises:
        ConfigurationError: `[maas_client]` has a url, but no key that can be used.
    """

    def __init__(self, sdk: openstack.connection.Connection, conf: cfg.ConfigOpts) -> None:
        self.sdk = sdk
        self._workers = conf.keystone.concurrency
        _widen(sdk, self._workers)
        self.keystone = self._service("keystone", conf)
        self.nova = self._service("nova", conf)
        self.placement = self._service("placement", conf)
        self.cinder = self._service("cinder", conf)
        self.ironic = self._service("ironic", conf)
        self.maas = maas.of_options(conf)
        self.services = (self.keystone, self.nova, self.placement, self.cinder, self.ironic)

    def _service(self, name: str, conf: cfg.ConfigOpts) -> Service:
        group = conf[name]
        versions = MICROVERSIONS.get(name)
        if versions is not None and group.api_version:
            versions = Microversions(group.api_version, group.api_version)
        return Service(
            name,
            lambda: getattr(self.sdk, _SDK_NAMES[name]),
            versions=versions,
            retries=Retries(times=group.http_retries, interval=group.http_retry_interval),
            timeout=group.timeout,
        )

    def has(self, name: str) -> bool:
        """Tell whether the catalog has a service: "nova", "cinder", "ironic" …

        Raises:
            CloudUnavailable: it is in the catalog, but it, or Keystone, does not answer.
            CloudForbidden: Keystone does not know us.
        """
        service: Service = getattr(self, name)
        try:
            # The proxy stays for the requests to come, so that nothing is asked twice.
            return service.proxy is not None
        except CloudError as error:
            if error.code == "cloud_unsupported":
                return False
            raise

    @property
    def requests(self) -> Counter[tuple[str, str, int]]:
        """Answers so far by (service, method, status); status 0 stands for none."""
        return Counter(
            {
                (service.name, method, status): count
                for service in self.services
                for (method, status), count in list(service.answers.items())
            }
        )

    def gather(self, function: Callable[[T], R], items: Iterable[T]) -> list[R | CloudError]:
        """Call `function` for each item by `[keystone] concurrency` threads; see `gather`."""
        return gather(function, items, workers=self._workers)

    def gather_all(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Call `function` for each item as `gather` does; the first error is raised."""
        return gather_all(function, items, workers=self._workers)

    def close(self) -> None:
        """Give back what the connection holds."""
        self.sdk.close()
        if self.maas is not None:
            self.maas.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def connect(
    conf: cfg.ConfigOpts | None = None,
    *,
    cloud: str | None = None,
    clouds_file: str | os.PathLike[str] | None = None,
) -> Connection:
    """Return the connection to a cloud.

    Args:
        conf: the options of `tachyon.conf`; None: their defaults.
        cloud: a name in clouds.yaml; None: `[keystone] cloud`, or else the credentials there.
        clouds_file: path of clouds.yaml; None: `[keystone] clouds_file`, or else where
            OpenStack's clients look, OS_CLIENT_CONFIG_FILE included.

    Raises:
        ConfigurationError: there is no such cloud, or the options lack something.
    """
    conf = conf or options.load()
    cloud = cloud or conf.keystone.cloud
    path = clouds_file or conf.keystone.clouds_file or os.environ.get("OS_CLIENT_CONFIG_FILE")
    try:
        region = _region_of_file(conf, cloud, path) if cloud else _region_of_options(conf)
        return Connection(openstack.connection.Connection(config=region), conf)
    except openstack.exceptions.ConfigException as error:
        raise ConfigurationError(f"no connection to the cloud: {error}") from error
    except (ksa.ClientException, cfg.Error) as error:
        raise ConfigurationError(f"[keystone] cannot be used: {error}") from error


def _region_of_file(conf: cfg.ConfigOpts, cloud: str, path: str | os.PathLike[str] | None) -> Any:
    files = None if path is None else [os.fspath(path)]
    if files is not None and not os.path.exists(files[0]):
        raise ConfigurationError(f"{files[0]}: there is no such clouds.yaml")
    # Variables such as OS_USERNAME would mix another cloud's identity into the one that is named.
    loader = openstack.config.OpenStackConfig(
        config_files=files, load_envvars=False, app_name="tachyon"
    )
    return loader.get_one(cloud=cloud)


def _region_of_options(conf: cfg.ConfigOpts) -> Any:
    if not conf.keystone.auth_type:
        raise ConfigurationError(
            "[keystone] names neither a cloud in clouds.yaml nor an auth_type with credentials"
        )
    auth = loading.load_auth_from_conf_options(conf, "keystone")
    session = loading.load_session_from_conf_options(conf, "keystone", auth=auth)
    config: dict[str, Any] = {}
    for name, sdk_name in _SDK_NAMES.items():
        group = conf[name]
        given = {
            "service_type": group.service_type,
            "service_name": group.service_name,
            "region_name": group.region_name,
            "interface": group.valid_interfaces,
            "endpoint_override": group.endpoint_override,
        }
        config |= {f"{sdk_name}_{key}": value for key, value in given.items() if value}
    return openstack.config.cloud_region.CloudRegion(
        session=session,
        config={**openstack.config.defaults.get_defaults(), **config},
        region_name=conf.keystone.region_name,
        app_name="tachyon",
    )


def _widen(sdk: openstack.connection.Connection, workers: int) -> None:
    """Keep a connection alive for each thread; requests keeps ten for a host."""
    session = sdk.session.session
    for scheme, adapter in list(session.adapters.items()):
        if isinstance(adapter, requests.adapters.HTTPAdapter):
            adapter.init_poolmanager(max(10, workers), max(10, workers))
            session.mount(scheme, adapter)
