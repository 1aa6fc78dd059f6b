"""Workload characters: the specification's own examples, every mistake with its place, logic."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachyon.errors import InvalidInput
from tachyon.graph.entities import Consumer, Inventory, ResourceProvider
from tachyon.graph.mutations import Cluster
from tachyon.graph.view import View, build, snapshot_of
from tachyon.optimize.grammar import (
    characters_of,
    evaluate,
    fulfilment,
    read_character,
)

TOSCA = """
watcher:
  derived_from: tosca.nodes.Root
  description: '{vcpus} or {cpu_util}'
  properties:
    vcpus:
      required: true
      weight: -20
      type: integer
      constraints:
        - equal: 2
    cpu_util:
      required: true
      weight: 19
      type: integer
      constraints:
        - greater_than: 90
"""


def values(**given: float | None) -> dict[str, Any]:
    return {
        name.replace("__", "."): np.array([np.nan if v is None else v], float)
        for name, v in given.items()
    }


def holds(text: str, **given: float | None) -> bool | None:
    (found,) = evaluate(read_character(text), values(**given)).tolist()
    return None if np.isnan(found) else bool(found)


def test_the_example_of_the_specification_holds_by_its_processors_alone() -> None:
    assert holds(TOSCA, vcpus=2, cpu_util=89) is True
    assert holds(TOSCA, vcpus=4, cpu_util=91) is True
    assert holds(TOSCA, vcpus=4, cpu_util=89) is False


def test_a_named_character_keeps_its_name() -> None:
    indented = TOSCA.replace("\n", "\n  ")
    assert read_character(f"cpu_bound_workload:{indented}").name == "cpu_bound_workload"


def test_without_a_description_all_properties_must_hold() -> None:
    text = TOSCA.replace("  description: '{vcpus} or {cpu_util}'\n", "")
    assert holds(text, vcpus=2, cpu_util=89) is False
    assert holds(text, vcpus=2, cpu_util=91) is True


@pytest.mark.parametrize(
    ("text", "given", "truth"),
    [
        (
            "cpu_bound_workload: (vcpus = 2 Cores OR cpu_util > 90)",
            {"vcpus": 2, "cpu_util": 0},
            True,
        ),
        (
            "big_data_workload = (memory.usage > 2000 MB AND disk.device.iops < 1500 counts/s)",
            {"memory__usage": 2001, "disk__device__iops": 1499},
            True,
        ),
        ("memory.usage >= 2 GB", {"memory__usage": 2048}, True),
        ("memory.usage >= 2 GB", {"memory__usage": 2047}, False),
        ("not cpu_util < 10 %", {"cpu_util": 10}, True),
        ("cpu_util > 20 and cpu_util < 40", {"cpu_util": 30}, True),
        ("cpu_util > 20 and cpu_util < 40", {"cpu_util": 50}, False),
        ("vcpus = 1 or vcpus = 2 and cpu_util > 50", {"vcpus": 1, "cpu_util": 0}, True),
        ("(vcpus = 1 or vcpus = 2) and cpu_util > 50", {"vcpus": 1, "cpu_util": 0}, False),
    ],
)
def test_a_formula_says_the_same_in_one_line(
    text: str, given: dict[str, float], truth: bool
) -> None:
    assert holds(text, **given) is truth


def test_a_missing_value_leaves_open_what_it_could_decide_and_nothing_else() -> None:
    assert holds(TOSCA, vcpus=2, cpu_util=None) is True
    assert holds(TOSCA, vcpus=3, cpu_util=None) is None
    optional = TOSCA.replace(
        "required: true\n      weight: 19", "required: false\n      weight: 19"
    )
    assert holds(optional, vcpus=3, cpu_util=None) is True


def test_weights_say_how_much_each_unit_counts() -> None:
    character = read_character(TOSCA)
    (share,) = fulfilment(character, values(vcpus=2, cpu_util=10)).tolist()
    assert share == pytest.approx(40 / 41)
    (share,) = fulfilment(character, values(vcpus=1, cpu_util=99)).tolist()
    assert share == pytest.approx(1 / 41)
    assert np.isnan(fulfilment(character, values(vcpus=None, cpu_util=None)))


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("derived_from: tosca.nodes.Root", "derived_from: other", "watcher.derived_from"),
        ("'{vcpus} or {cpu_util}'", "'{vcpus} or {cpu}'", "watcher.description: character 12"),
        ("'{vcpus} or {cpu_util}'", "'{vcpus} or'", "watcher.description: character 11"),
        ("'{vcpus} or {cpu_util}'", "'({vcpus}'", "watcher.description: character 1"),
        ("'{vcpus} or {cpu_util}'", "'vcpus'", "watcher.description: character 1"),
        ("weight: -20", "weight: -21", "watcher.properties.vcpus.weight"),
        ("weight: 19", "weight: heavy", "watcher.properties.cpu_util.weight"),
        ("required: true\n      weight: 19", "required: 7", "watcher.properties.cpu_util.required"),
        ("- equal: 2", "- equals: 2", r"watcher.properties.vcpus.constraints\[0\]"),
        ("- equal: 2", "- equal: two", r"constraints\[0\].equal"),
        ("- greater_than: 90", "- in_range: [1]", r"constraints\[0\].in_range"),
        ("weight: -20", "kind: 1", "vcpus.kind"),
        ("  properties:", "  propertys:", "watcher.propertys"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(old: str, new: str, place: str) -> None:
    assert old in TOSCA
    with pytest.raises(InvalidInput, match=place):
        read_character(TOSCA.replace(old, new, 1))


def test_all_mistakes_are_named_at_once() -> None:
    text = TOSCA.replace("weight: -20", "weight: 99").replace("- greater_than", "- more_than")
    with pytest.raises(InvalidInput) as refused:
        read_character(text)
    assert len(refused.value.details["errors"]) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("vcpus", "expected RESOURCE OPERATOR VALUE"),
        ("vcpus = two", "expected RESOURCE OPERATOR VALUE"),
        ("memory.usage > 2 parsecs", "no unit of memory.usage"),
        ("vcpus = 2 [25]", "from -20 to 19"),
        ("vcpus = 2 or", "ends too early"),
        ("vcpus = 2)", "character"),
        ("watcher: &a [*a]", "expected RESOURCE|is no YAML"),
        ("x: " + "y" * 20_000, "more than 4000"),
        ("(" * 300 + "vcpus = 2" + ")" * 300, "more than 200 parts"),
        ("watcher:\n  - a\n b", "line"),
    ],
)
def test_a_formula_with_a_mistake_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        read_character(text)


def test_aliases_cannot_make_a_short_text_endless() -> None:
    bomb = "watcher: &a {x: 1}\nb: [*a, *a]"
    with pytest.raises(InvalidInput, match="aliases"):
        read_character(bomb)


@given(st.text(max_size=300))
def test_whatever_an_owner_writes_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert read_character(text).units


def test_truth_tables_are_those_of_three_valued_logic() -> None:
    """A naive model: all completions of what is not known agree, or nothing can be said."""
    text = "a > 0 and (b > 0 or not c > 0)"
    for trio in itertools.product([0.0, 1.0, None], repeat=3):
        choices = [[0, 1] if v is None else [v] for v in trio]
        outcomes = {bool(a and (b or not c)) for a, b, c in itertools.product(*choices)}
        found = holds(text, **dict(zip("abc", trio, strict=True)))
        if found is not None:
            assert outcomes == {found}
        else:
            assert len(outcomes) == 2


def cloud(*metadata: dict[str, str]) -> View:
    room = {"VCPU": Inventory(total=64), "MEMORY_MB": Inventory(total=65536)}
    return build(
        snapshot_of(
            Cluster(
                providers=[ResourceProvider(uuid="host", name="host", inventories=room)],
                consumers=[
                    Consumer(
                        uuid=f"vm-{number}",
                        allocations={"host": {"VCPU": number + 1, "MEMORY_MB": 2048}},
                        metadata=one,
                    )
                    for number, one in enumerate(metadata)
                ],
            )
        )
    )


def test_instances_are_judged_by_their_metadata_the_model_and_what_is_measured() -> None:
    text = "vcpus = 2 or cpu_util > 90"
    view = cloud(
        {"workload_character": text},
        {"watcher-workload-grammar": text},
        {"workload_character": text},
        {"other": "x"},
        {"workload_character": "vcpus = ?"},
    )
    characters = characters_of(view)
    assert characters.metrics() == {"instance_cpu_usage"}
    cpu = np.array([95.0, 10.0, np.nan, 99.0, 99.0])
    found = characters.holding(view, {"instance_cpu_usage": cpu})
    assert found == pytest.approx([1, 1, np.nan, np.nan, np.nan], nan_ok=True)
    assert list(characters.mistakes) == ["vm-4"]
    assert "vcpus = ?" in characters.mistakes["vm-4"]
    shares = characters.fulfilment(view, {"instance_cpu_usage": cpu})
    assert shares[1] == pytest.approx(0.5)
