"""A bad file gets one error that says which file, where in it, and why."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachyon.errors import ClusterFileError
from tachyon.graph.cluster_file import read_cluster_file

HEAD = {"format": "tachyon-cluster", "version": 1}
HOST = {"uuid": "h", "name": "h", "inventories": {"VCPU": {"total": 8}}}
VM = {"uuid": "v", "allocations": {"h": {"VCPU": 1}}}
SERIES = {"name": "cpu_usage", "unit": "percent", "kind": "consumer", "period": 300}


def document(**members: Any) -> bytes:
    return json.dumps({**HEAD, "providers": [HOST], "consumers": [VM], **members}).encode()


def failure(data: bytes, **options: Any) -> ClusterFileError:
    with pytest.raises(ClusterFileError) as caught:
        read_cluster_file(data, name="c.json", **options)
    assert str(caught.value).startswith("c.json: ")
    assert caught.value.details["file"] == "c.json"
    return caught.value


@pytest.mark.parametrize(
    ("data", "place", "reason"),
    [
        (b"", "line 1, column 1", "empty"),
        (b"\n  ", "line 1, column 1", "empty"),
        (b'{"format":\n\n  oops}', "line 3, column 3", "invalid"),
        ('{"extra": {"é": 1,\n "ü": "é", ]}}'.encode(), "line 2, column 12", "malformed"),
        (b'{"format": "tachyon-cluster",\n "version": 1', "line 2, column 14", "truncated"),
        (b'{"format": "tachyon-cluster", "version": 1} {}', "line 1, column 45", "trailing"),
        (b'{"format": "tachyon-cluster",\n"extra": {"a": NaN}}', "line 2, column 16", "invalid"),
        (b'{"extra": {"a": Infinity}}', "line 1, column 17", "invalid"),
        (b'{"generated_by":\n "\xff"}', "line 2, column 3", "UTF-8"),
        (b'{"format":\n "\xe9"}', "line 2, column 3", "UTF-8"),
        ("{}".encode("utf-16"), "line 1, column 1", "UTF-8"),
    ],
)
def test_a_syntax_error_has_line_and_column(data: bytes, place: str, reason: str) -> None:
    error = failure(data)
    assert error.details["errors"][0]["path"] == place
    assert reason in error.details["errors"][0]["reason"]


@pytest.mark.parametrize(
    ("data", "place", "reason"),
    [
        (b"[]", "$", "Expected `object`, got `array`"),
        (b"{}", "$.format", "expected 'tachyon-cluster', found nothing"),
        (b'{"format": "other", "x": 1}', "$.format", "found 'other'"),
        (b'{"format": 1}', "$.format", "found 1"),
        (b'{"format": "tachyon-cluster"}', "$.version", "version nothing"),
        (document(version=2), "$.version", "this release reads 1"),
        (document(version=2, novelty=1), "$.version", "this release reads 1"),
        (document(version=True), "$.version", "True is not known"),
        (document(version="1"), "$.version", "'1' is not known"),
        (document(hosts=[]), "$", "unknown field `hosts`"),
        (document(consumers=[VM, {}]), "$.consumers[1]", "missing required field `uuid`"),
        (document(consumers=[{**VM, "host": 1}]), "$.consumers[0]", "unknown field `host`"),
        (document(providers=[{**HOST, "state": "off"}]), "$.providers[0].state", "'off'"),
        (document(providers=[{**HOST, "uuid": "a\nb"}]), "$.providers[0].uuid", "regex"),
        (
            document(consumers=[{"uuid": "v", "allocations": {"a": {}, "h": {"VCPU": -1}}}]),
            "$.consumers[0].allocations.h.VCPU",
            ">= 0",
        ),
        (
            document(consumers=[{"uuid": "v", "allocations": {"a": {}, "h": {"vcpu": 1}}}]),
            "$.consumers[0].allocations.h.vcpu",
            "as a key",
        ),
        (
            document(providers=[HOST, {**HOST, "inventories": {"A": {"total": 1}, "B": {}}}]),
            "$.providers[1].inventories.B",
            "missing required field `total`",
        ),
        (
            document(providers=[{**HOST, "inventories": {"A": {"total": 1.5}}}]),
            "$.providers[0].inventories.A.total",
            "Expected `int`",
        ),
        (
            document(metrics=[{**SERIES, "values": {"v": [1, None, "x"]}}]),
            "$.metrics[0].values.v[2]",
            "got `str`",
        ),
        (
            document(metrics=[{**SERIES, "values": {"v": [1]}, "period": 0}]),
            "$.metrics[0].period",
            "> 0",
        ),
        (
            document(metrics=[{**SERIES, "values": {"v": [1]}, "start": "noon"}]),
            "$.metrics[0].start",
            "RFC3339",
        ),
        (document(extra={"a": 1}).replace(b'"a": 1', b'"a": 1e999'), "$.extra[...]", "range"),
    ],
)
def test_a_wrong_field_has_a_json_path(data: bytes, place: str, reason: str) -> None:
    error = failure(data)
    assert len(error.details["errors"]) == 1
    assert error.details["errors"][0]["path"] == place
    assert reason in error.details["errors"][0]["reason"]
    assert f"c.json: {place}: " in str(error)


@pytest.mark.parametrize(
    ("data", "place", "reason"),
    [
        (document(providers=[HOST, HOST]), "$.providers[1].uuid", "already at $.providers[0]"),
        (document(flavors=[{"id": "1"}] * 2), "$.flavors[1].id", "already at $.flavors[0]"),
        (
            document(providers=[{**HOST, "parent_uuid": "x"}]),
            "$.providers[0].parent_uuid",
            "there is no provider x",
        ),
        (
            document(providers=[{**HOST, "parent_uuid": "h"}]),
            "$.providers[0].parent_uuid",
            "h is its own ancestor",
        ),
        (
            document(
                providers=[
                    {**HOST, "parent_uuid": "i"},
                    {**HOST, "uuid": "i", "parent_uuid": "h"},
                ]
            ),
            "$.providers[0].parent_uuid",
            "h is its own ancestor",
        ),
        (
            document(consumers=[VM, {"uuid": "w", "allocations": {"x": {"VCPU": 1}}}]),
            "$.consumers[1].allocations.x",
            "there is no provider x",
        ),
        (
            document(consumers=[{"uuid": "w", "allocations": {"h": {"DISK_GB": 1}}}]),
            "$.consumers[0].allocations.h.DISK_GB",
            "provider h has no inventory of DISK_GB",
        ),
        (
            document(metrics=[{**SERIES, "values": {"x": []}}]),
            "$.metrics[0].values.x",
            "there is no consumer x",
        ),
        (
            document(metrics=[{**SERIES, "kind": "provider", "values": {"v": []}}]),
            "$.metrics[0].values.v",
            "there is no provider v",
        ),
        (
            document(metrics=[{**SERIES, "capacity": {"x": 1}}]),
            "$.metrics[0].capacity.x",
            "there is no provider x",
        ),
        (
            document(metrics=[SERIES, SERIES]),
            "$.metrics[1].name",
            "cpu_usage is listed already at $.metrics[0]",
        ),
    ],
)
def test_a_broken_reference_has_a_json_path(data: bytes, place: str, reason: str) -> None:
    (problem,) = failure(data).details["errors"]
    assert problem["path"] == place
    assert reason in problem["reason"]


def test_broken_references_are_reported_together_up_to_a_bound() -> None:
    def dangling(count: int) -> bytes:
        return document(
            consumers=[{"uuid": str(n), "allocations": {"x": {"VCPU": 1}}} for n in range(count)]
        )

    assert len(failure(dangling(3)).details["errors"]) == 3
    many = failure(dangling(100)).details["errors"]
    assert len(many) == 21
    assert "more problems" in many[-1]["reason"]


def test_deep_nesting_is_refused() -> None:
    assert "nested too deeply" in str(failure(b'{"extra": {"a": ' + b"[" * 100_000))


def test_damaged_gzip_is_refused() -> None:
    good = gzip.compress(document())
    assert "cut short" in str(failure(good[:-10]))
    assert "cannot be read" in str(failure(good[:12] + b"\xff\xff\xff" + good[15:]))
    assert "cannot be read" in str(failure(good[:-8] + b"\0" * 8))
    assert "cannot be read" in str(failure(good + b"garbage"))


def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert "more than 1000000 bytes" in str(failure(bomb, size_max=1_000_000))
    assert "more than 10 bytes" in str(failure(document(), size_max=10))


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "none.json", "No such file")):
        with pytest.raises(ClusterFileError, match=reason) as caught:
            read_cluster_file(path)
        assert str(caught.value).startswith(f"{path}: cannot be read")


@settings(max_examples=300)
@given(st.data())
def test_damage_of_any_kind_raises_nothing_else(data: st.DataObject) -> None:
    whole = document(
        metrics=[{**SERIES, "values": {"v": [1, None]}}], extra={"a": {"b": [1, "ü", None]}}
    )
    if data.draw(st.booleans()):
        whole = gzip.compress(whole, mtime=0)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(start + 4, len(whole))))
    junk = st.binary(max_size=4) | st.sampled_from([b"}", b"]", b"null", b'"', b"-1", b"{}", b"[]"])
    damaged = whole[:start] + data.draw(junk) + whole[end:]
    with suppress(ClusterFileError):
        read_cluster_file(damaged)
