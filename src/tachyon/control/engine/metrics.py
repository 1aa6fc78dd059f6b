"""Measurements for strategies, from the datasources of the configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from oslo_config import cfg

from tachyon.conf.datasources import DEFAULT
from tachyon.errors import MetricsMissing
from tachyon.graph.view import View
from tachyon.openstack.telemetry.opening import open_datasources, verify
from tachyon.openstack.telemetry.selection import Datasources
from tachyon.optimize.strategies.forecasting import look_ahead
from tachyon.optimize.strategies.measurements import Measurements, MetricNeed
from tachyon.optimize.strategies.options import StrategyOptions


class Metrics:
    """The datasources, opened anew for every audit, so that a changed metric map counts at once.

    Args:
        conf: the options of `tachyon.conf`.
        session: returns a keystoneauth session; None where there is no cloud.
        clock: the time, in seconds since 1970; expected peaks lie behind it.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        session: Callable[[], Any] | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._conf = conf
        self._session = session

    def _datasources(self, options: StrategyOptions) -> Datasources:
        return open_datasources(self._conf, self._session, names=options.datasources)

    def verify(self, own: Iterable[tuple[str, ...]] = ()) -> None:
        """Check at start-up what would otherwise show in the first audit that measures.

        Args:
            own: the preferences of single strategies.

        Raises:
            ConfigurationError: the datasources of the options, or of a strategy, cannot be used.
        """
        common = tuple(self._conf.watcher_datasources.datasources)
        # Of the defaults nobody has asked for any by name; what is not there is not used.
        for names in dict.fromkeys((common, *own)):
            if names != DEFAULT:
                verify(open_datasources(self._conf, self._session, names=names))

    def measure(
        self, view: View, needs: Sequence[MetricNeed], options: StrategyOptions
    ) -> Measurements:
        """Return the answers to a strategy's needs.

        Raises:
            MetricsMissing: no datasource could be asked at all.
            CloudError: none could be asked for the series that a look ahead needs.
            ConfigurationError: the datasources cannot be used.
        """
        datasources = self._datasources(options)
        gathered = datasources.gather(view, needs)
        if gathered.failures and not any(gathered.sources.values()):
            said = "; ".join(
                why if why.startswith(f"{name}: ") else f"{name}: {why}"
                for name, why in gathered.failures.items()
            )
            raise MetricsMissing(f"no datasource answers: {said}", missing=[])
        measured = Measurements(gathered.values)
        if any(need.ahead > 0 for need in needs):
            measured = look_ahead(measured, needs, datasources, view, self._clock())
        return measured

    def state(self, needs: Sequence[MetricNeed], options: StrategyOptions) -> dict[str, Any]:
        """Return the datasource of some needs, whether it answers, and which metrics it has."""
        return dict(self._datasources(options).state([need.metric for need in needs]))
