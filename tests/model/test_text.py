"""A model's text is a string like any other, written when it is read."""

from __future__ import annotations

import copy
import pickle

import pytest

from tachyon.optimize.model.text import LazyText


@pytest.fixture
def written() -> list[int]:
    return []


@pytest.fixture
def text(written: list[int]) -> LazyText:
    def make() -> str:
        written.append(1)
        return "<a>text</a>"

    return LazyText(make)


def test_a_text_that_nobody_reads_is_never_written(text: LazyText, written: list[int]) -> None:
    assert isinstance(text, str)
    assert written == []


def test_a_text_is_written_once(text: LazyText, written: list[int]) -> None:
    assert str(text) == text == "<a>text</a>"
    assert len(text) == 11
    assert written == [1]


def test_it_can_do_what_strings_can(text: LazyText) -> None:
    assert "text" in text
    assert text != "other"
    assert text[1] == "a"
    assert next(iter(text)) == "<"
    assert text + "!" == "<a>text</a>!"
    assert f"{text}" == f"{text!s}" == "<a>text</a>"
    assert "%s" % text == "<a>text</a>"  # noqa: UP031 - as logging does
    assert text.encode() == b"<a>text</a>"
    assert text.startswith("<a>")
    assert text.upper() == "<A>TEXT</A>"
    assert text.split("text") == ["<a>", "</a>"]
    assert hash(text) == hash("<a>text</a>")
    assert {text: 1}["<a>text</a>"] == 1
    assert bool(text)
    assert repr(text) == repr("<a>text</a>")
    assert text < "b"
    assert pickle.loads(pickle.dumps(text)) == copy.deepcopy(text) == "<a>text</a>"
