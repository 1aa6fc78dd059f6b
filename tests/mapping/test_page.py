"""The mapping page is all there, and every repair says why."""

from __future__ import annotations

import hashlib

import pytest

from tachyon.graph.store.neo4j.statements import SCHEMA
from tests.mapping.statements import BLOCKS, STATEMENTS, Block, Statement

#: How many fenced Cypher blocks the page has.
BLOCK_COUNT = 15


def test_every_block_of_the_page_is_listed() -> None:
    assert len(BLOCKS) == BLOCK_COUNT
    assert len({block.digest for block in BLOCKS}) == BLOCK_COUNT
    assert len(STATEMENTS) == sum(len(block.statements) for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.statements[0].title)
def test_texts_are_those_of_the_page(block: Block) -> None:
    """The statements of a block, put together, are the page's text to the letter."""
    assert hashlib.sha256(block.text.encode()).hexdigest()[:16] == block.digest


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=lambda statement: statement.title)
def test_a_repair_has_a_reason(statement: Statement) -> None:
    assert (statement.repaired is None) == (statement.reason is None)
    assert statement.repaired != statement.text


def test_our_schema_has_every_index_of_the_page() -> None:
    """A uniqueness constraint of the index's name is an index, too."""
    asked = {title.removeprefix("index_") for title in STATEMENTS if title.startswith("index_")}
    assert len(asked) == 5
    assert asked <= SCHEMA.keys()
