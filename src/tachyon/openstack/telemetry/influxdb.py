"""Translator from metric queries to InfluxQL behind Grafana, and back from its answers.

The answer has InfluxDB's form (`GET /query`): `{"results": [{"statement_id", "series": [{"name",
"tags", "columns", "values"}]}]}`; times are in milliseconds, as asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

#: Characters of all statements in one request; servers take 8 kB of address or more.
_STATEMENTS_MAX = 6_000


class Statement(Struct, frozen=True, kw_only=True):
    """A request's text, and the resource of each of its statements (None: told by a tag)."""

    text: str
    labels: tuple[str | None, ...]


class InfluxDb:
    """The translator `influxdb`.

    Args:
        retention_periods: name of each retention policy → seconds that it keeps.
    """

    name = "influxdb"

    def __init__(self, retention_periods: Mapping[str, float]) -> None:
        self._retentions = sorted(retention_periods.items(), key=lambda pair: (pair[1], pair[0]))

    def retention(self, period: float) -> str:
        """Return the policy that keeps the least more than a period; else that which keeps most."""
        for name, kept in self._retentions:
            if kept > period:
                return name
        return self._retentions[-1][0] if self._retentions else ""

    def statements(
        self,
        template: str,
        labels: Sequence[str],
        *,
        aggregate: str,
        period: float,
        granularity: float,
        tag: str | None,
    ) -> Iterator[Statement]:
        """Yield requests that together ask for all labels.

        Args:
            template: InfluxQL with the fields {0} aggregate, {1} what names the resource (in a
                regular expression), {2} period in seconds, {3} granularity in seconds and {4}
                retention policy.
            labels: how the resources are called there.
            aggregate: function of InfluxQL.
            period: in seconds.
            granularity: in seconds.
            tag: the tag that holds the label. With it one statement asks for all; without, each
                resource has a statement, and as many go into a request as an address may hold.

        Raises:
            KeyError, IndexError, ValueError: the template has fields that there are not.
        """

        def filled(label: str) -> str:
            return template.format(
                aggregate, label, int(period), int(granularity), self.retention(period)
            )

        if tag is not None:
            text = filled(".*")
            grouped = "," if " group by " in text.lower() else " GROUP BY"
            yield Statement(text=f'{text}{grouped} "{tag}"', labels=(None,))
            return
        texts: list[str] = []
        asked: list[str] = []
        for label in labels:
            text = filled(re.escape(label).replace(r"\-", "-"))
            if texts and sum(map(len, texts)) + len(text) > _STATEMENTS_MAX:
                yield Statement(text=";".join(texts), labels=tuple(asked))
                texts, asked = [], []
            texts.append(text)
            asked.append(label)
        if texts:
            yield Statement(text=";".join(texts), labels=tuple(asked))

    def parameters(self, statement: Statement, database: str) -> dict[str, str]:
        """Return the parameters of the request."""
        return {"db": database, "epoch": "ms", "q": statement.text}

    def rows(
        self, statement: Statement, answer: Mapping[str, Any], *, aggregate: str, tag: str | None
    ) -> Iterator[tuple[str, list[tuple[float, float]]]]:
        """Yield (label, [(seconds since 1970, value), …]) of the series in an answer.

        The value is in the column that is called like the aggregate, else in the first one that is
        not the time.
        """
        for position, result in enumerate(answer.get("results", ())):
            number = result.get("statement_id", position)
            for series in result.get("series", ()):
                label = statement.labels[number] if tag is None else series["tags"].get(tag)
                if label is None:
                    continue
                columns = series["columns"]
                value = columns.index(aggregate) if aggregate in columns else None
                if value is None:
                    value = next((i for i, c in enumerate(columns) if c != "time"), None)
                if value is None:
                    continue
                when = columns.index("time") if "time" in columns else None
                yield (
                    label,
                    [
                        (0.0 if when is None else float(row[when]) / 1e3, float(row[value]))
                        for row in series["values"]
                        if row[value] is not None
                    ],
                )
