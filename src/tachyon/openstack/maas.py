"""MAAS 2.0: machines and their power, over HTTP with OAuth 1.0 (PLAINTEXT, as MAAS wants it).

Used in Ironic's place when `[maas_client] url` is set; see `power`.
"""

from __future__ import annotations

import secrets
import time
from typing import Any
from urllib.parse import quote

import msgspec
import requests
from oslo_config import cfg

from tachyon.errors import CloudError, ConfigurationError
from tachyon.openstack.failures import refusal, translated
from tachyon.openstack.retries import NEVER, Retries

Machine = dict[str, Any]


class Maas:
    """MAAS as the user of an API key. Raises as `Service` does."""

    def __init__(
        self, url: str, api_key: str, *, timeout: float = 60.0, retries: Retries | None = None
    ) -> None:
        """Describe a MAAS; nothing is sent yet.

        Args:
            url: with or without /api/2.0 behind it.
            api_key: CONSUMER:TOKEN:SECRET, as MAAS shows it to its user.
            timeout: seconds that one request may take.
            retries: of requests that only read.

        Raises:
            ConfigurationError: the key has not three parts.
        """
        parts = (api_key or "").split(":")
        if len(parts) != 3 or not all(parts):
            raise ConfigurationError("[maas_client] api_key is not CONSUMER:TOKEN:SECRET")
        self._consumer, self._token, self._secret = parts
        self._base = url.rstrip("/").removesuffix("/api/2.0") + "/api/2.0"
        self._timeout = timeout
        self._retries = retries or Retries()
        self._session = requests.Session()

    def machines(self) -> list[Machine]:
        """Return all machines."""
        found: list[Machine] = self._request("GET", "/machines/")
        return found

    def power_state(self, system_id: str) -> str:
        """Ask the machine's controller for its power state: "on", "off", "unknown", "error"."""
        answer = self._request("GET", f"/machines/{quote(system_id)}/", op="query_power_state")
        return str(answer["state"])

    def power(self, system_id: str, *, on: bool) -> None:
        """Switch a machine on or off; it takes a while after this returns."""
        op = "power_on" if on else "power_off"
        self._request("POST", f"/machines/{quote(system_id)}/", op=op)

    def close(self) -> None:
        """Give back the connections."""
        self._session.close()

    def _request(self, method: str, path: str, **params: str) -> Any:
        retries = self._retries if method == "GET" else NEVER
        return retries.call(lambda _: self._send(method, path, params))

    def _send(self, method: str, path: str, params: dict[str, str]) -> Any:
        with translated("maas"):
            response = self._session.request(
                method,
                self._base + path,
                params=params,
                headers={"Authorization": self._authorization(), "Accept": "application/json"},
                timeout=self._timeout,
            )
        if response.status_code >= 400:
            raise refusal(response, "maas")
        try:
            return msgspec.json.decode(response.content)
        except msgspec.DecodeError as error:
            raise CloudError(f"maas: {method} {path}: no JSON in the answer") from error

    def _authorization(self) -> str:
        values = {
            "oauth_version": "1.0",
            "oauth_signature_method": "PLAINTEXT",
            "oauth_consumer_key": self._consumer,
            "oauth_token": self._token,
            # A consumer of MAAS has no secret of its own: nothing stands before the ampersand.
            "oauth_signature": f"&{self._secret}",
            "oauth_nonce": secrets.token_hex(8),
            "oauth_timestamp": str(int(time.time())),
        }
        return "OAuth " + ", ".join(f'{k}="{quote(v, safe="")}"' for k, v in values.items())


def of_options(conf: cfg.ConfigOpts) -> Maas | None:
    """Return the MAAS of `[maas_client]`, or None when it has no url.

    Raises:
        ConfigurationError: there is a url, but no key that can be used.
    """
    group = conf.maas_client
    if not group.url:
        return None
    retries = Retries(times=group.http_retries, interval=group.http_retry_interval)
    return Maas(group.url, group.api_key or "", timeout=group.timeout, retries=retries)
