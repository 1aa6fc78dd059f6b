"""Grafana as a proxy to the database behind one of its data sources.

What to ask of which database is the operator's to say, metric by metric: project (the number of
Grafana's data source), database, translator, the attribute that names a resource, and the query.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec
import numpy as np
from msgspec import Struct

from tachyon.errors import CloudError, ConfigurationError
from tachyon.openstack.telemetry.datasource import HttpDatasource, Points, Query, SeriesQuery, Value
from tachyon.openstack.telemetry.influxdb import InfluxDb
from tachyon.openstack.telemetry.reducing import reduced
from tachyon.openstack.telemetry.requester import HttpRequester, Requester
from tachyon.openstack.telemetry.resources import Resources
from tachyon.openstack.telemetry.surroundings import Surroundings

#: InfluxQL's names of aggregates.
_FUNCTIONS = {"mean": "mean", "min": "min", "max": "max", "count": "count"}


class GrafanaMetric(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one metric is asked for.

    Attributes:
        project: number of Grafana's data source.
        db: name of the database behind it.
        translator: of the database's language: influxdb.
        attribute: of a resource by which the database knows it: uuid, name, hostname …
        query: see `InfluxDb.statements`.
        tag: of the database's series that holds that attribute; with it, one request asks for all.
    """

    project: int | str
    db: str
    translator: str
    attribute: str
    query: str
    tag: str | None = None


class Grafana(HttpDatasource):
    """Grafana.

    Args:
        names: by metric, the fields of `GrafanaMetric`.
        requester: of `base_url`, with the token; None where it is not configured.
        translators: by name.
        clock: the time, in seconds since 1970.

    Raises:
        ConfigurationError: a metric's fields are not those; names all that is wrong.
    """

    name: ClassVar[str] = "grafana"
    default_names: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def __init__(
        self,
        names: Mapping[str, Any],
        requester: Requester,
        translators: Mapping[str, InfluxDb],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        asked = {m: _metric(m, fields) for m, fields in names.items() if fields is not None}
        super().__init__(asked, requester, clock=clock)
        self._translators = dict(translators)
        for metric, one in self.names.items():
            if one.translator not in self._translators:
                raise ConfigurationError(
                    f"grafana: {metric}: translator {one.translator!r} is not one of "
                    f"{', '.join(self._translators)}"
                )

    @classmethod
    def open(cls, names: Mapping[str, Any], surroundings: Surroundings) -> Grafana:
        """Return Grafana as `[grafana_client]` and the metric map say.

        What the map says of a metric stands before what the options say of it.
        """
        group = surroundings.conf.grafana_client
        where = urlsplit(group.base_url or "")
        if not (group.token and where.scheme and where.netloc and where.path):
            raise ConfigurationError(
                "[grafana_client] needs a token, and a base_url with scheme, host and path"
            )
        requester = HttpRequester(
            cls.name,
            group.base_url,
            headers={"Authorization": f"Bearer {group.token}"},
            retries=surroundings.retries,
            timeout=group.http_timeout,
        )
        kept = surroundings.conf.grafana_translators.retention_periods
        translators = {InfluxDb.name: InfluxDb({name: float(s) for name, s in kept.items()})}
        return cls(
            {**_of_options(group), **names}, requester, translators, clock=surroundings.clock
        )

    def check_availability(self) -> bool:
        """Tell whether each project that a metric names answers a query without statements."""
        try:
            for project in {one.project for one in self.names.values()}:
                self.requester.request("GET", f"{project}/query", params={"q": "SHOW DATABASES"})
        except CloudError:
            return False
        return bool(self.names)

    def list_metrics(self) -> set[str]:
        """Return the metrics that are configured; databases do not tell what a query needs."""
        return set(self.names)

    def _values(self, query: Query, name: Any, resources: Resources) -> Iterable[Value]:
        for label, rows in self._rows(
            name, resources, query.aggregate, query.period, query.granularity
        ):
            values = np.array([value for _, value in rows], np.float64)
            # A query that groups by time gives many rows; one that does not has reduced them.
            if query.aggregate == "count":
                yield label, float(values.sum())
            elif values.size:
                yield label, reduced(values, query.aggregate)

    def _points(self, query: SeriesQuery, name: Any, resources: Resources) -> Iterable[Points]:
        period = max(1.0, self._clock() - query.start)
        for label, rows in self._rows(name, resources, "mean", period, query.granularity):
            yield label, [moment for moment, _ in rows], [value for _, value in rows]

    def _rows(
        self,
        one: GrafanaMetric,
        resources: Resources,
        aggregate: str,
        period: float,
        granularity: float,
    ) -> Iterator[tuple[str, list[tuple[float, float]]]]:
        labels = resources.attribute(one.attribute)
        if labels is None:
            raise ConfigurationError(
                f"grafana: resources of type {resources.resource_type} have no attribute "
                f"{one.attribute!r}"
            )
        translator = self._translators[one.translator]
        function = _FUNCTIONS[aggregate]
        try:
            statements = list(
                translator.statements(
                    one.query,
                    labels,
                    aggregate=function,
                    period=period,
                    granularity=granularity,
                    tag=one.tag,
                )
            )
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigurationError(
                f"grafana: the query has fields beside {{0}} to {{4}}: {error}"
            ) from error
        for statement in statements:
            answer = self.requester.request(
                "GET",
                f"{one.project}/query",
                params=translator.parameters(statement, one.db),
            )
            yield from translator.rows(statement, answer, aggregate=function, tag=one.tag)


def _metric(metric: str, fields: Any) -> GrafanaMetric:
    if isinstance(fields, GrafanaMetric):
        return fields
    try:
        return msgspec.convert(fields, GrafanaMetric)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"grafana: {metric}: {error}") from error


def _of_options(group: Any) -> dict[str, dict[str, str]]:
    """Return the metrics that all five maps of the options have."""
    fields = {
        "project": group.project_id_map,
        "db": group.database_map,
        "attribute": group.attribute_map,
        "translator": group.translator_map,
        "query": group.query_map,
    }
    metrics = set.intersection(*(set(of_metric) for of_metric in fields.values()))
    return {m: {field: of[m] for field, of in fields.items()} for m in sorted(metrics)}
