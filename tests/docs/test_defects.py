"""Every test that docs/watcher-defects.md names is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (\d+) \|.*\|([^|]+)\|$", re.MULTILINE)
_ROWS = {
    int(number): re.findall(r"`(.+?)::(.+?)`", tests)
    for number, tests in _ROW.findall((ROOT / "docs/watcher-defects.md").read_text("utf-8"))
}


@cache
def _tests_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_no_defect_is_left_out() -> None:
    assert list(_ROWS) == list(range(1, 27))


@pytest.mark.parametrize("number", _ROWS)
def test_a_defect_has_its_tests(number: int) -> None:
    assert _ROWS[number]
    assert [f"{p}::{name}" for p, name in _ROWS[number] if name not in _tests_of(p)] == []
