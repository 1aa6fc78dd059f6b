"""The Python examples in the README and the documentation run as they stand."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _pages() -> list[Path]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [page for page in pages if _BLOCK.search(page.read_text("utf-8"))]


@pytest.mark.parametrize("page", _pages(), ids=lambda page: page.name)
def test_examples_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    """All Python blocks of a page, one after another in one namespace, raise nothing."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    text = page.read_text("utf-8")
    for block in _BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        source = "\n" * line + block.group(1)
        exec(compile(source, str(page), "exec"), namespace)
