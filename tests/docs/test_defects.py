"""Every test that docs/watcher-defects.md and docs/watcher-disagreements.md name is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (\d+) \|.*\|([^|]+)\|$", re.MULTILINE)
#: How many rows each page has.
PAGES = {"watcher-defects": 26, "watcher-disagreements": 18}


def _rows(page: str) -> dict[int, list[tuple[str, str]]]:
    text = (ROOT / f"docs/{page}.md").read_text("utf-8")
    return {int(number): re.findall(r"`(.+?)::(.+?)`", row) for number, row in _ROW.findall(text)}


ROWS = {(page, number): tests for page in PAGES for number, tests in _rows(page).items()}


@cache
def _tests_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES)
def test_no_row_is_left_out(page: str) -> None:
    assert list(_rows(page)) == list(range(1, PAGES[page] + 1))


@pytest.mark.parametrize(("page", "number"), ROWS)
def test_a_row_has_its_tests(page: str, number: int) -> None:
    tests = ROWS[page, number]
    assert tests
    assert [f"{path}::{name}" for path, name in tests if name not in _tests_of(path)] == []
