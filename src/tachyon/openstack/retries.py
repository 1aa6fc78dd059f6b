"""When and how often a request to the cloud is repeated. Called by `service` and `maas`."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from tachyon.errors import CloudUnavailable

LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that are waited at most, whatever a service asks for in Retry-After.
_LONGEST = 60.0


class Retries(Struct, frozen=True, kw_only=True):
    """How often a request is repeated, and how long is waited before.

    The wait doubles from one repetition to the next and is cut by up to a half at random, so that
    many clients do not come back at the same moment.
    """

    times: int = 3
    interval: float = 2.0
    sleep: Callable[[float], None] = time.sleep

    def call(self, attempt: Callable[[int], T]) -> T:
        """Return what `attempt` returns; it is given the number of attempts before it.

        Raises:
            CloudUnavailable: of the last attempt, when none of them went through.
            CloudError: of any attempt, at once.
        """
        for made in range(self.times + 1):
            try:
                return attempt(made)
            except CloudUnavailable as error:
                if made == self.times:
                    raise
                wait = self._wait(made, error)
                LOG.info("%s; trying again in %.1f s", error, wait)
                self.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _wait(self, made: int, error: CloudUnavailable) -> float:
        asked = error.details.get("retry_after")
        if asked is not None:
            return min(float(asked), _LONGEST)
        longest: float = min(self.interval * 2**made, _LONGEST)
        return longest * random.uniform(0.5, 1.0)


#: Requests that must not be repeated, as nobody knows whether the first one was carried out.
NEVER = Retries(times=0)
