"""Boolean expressions over performance units: `{vcpus} or ({cpu_util} and not {memory})`."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from tachyon.optimize.grammar.character import Node

#: Most parts of one expression: what people write has a handful.
_PARTS_MAX = 200
_WORDS = re.compile(
    r"""\s*(?: (\() | (\)) | \b(and|or|not)\b
      | ([^()\s][^()]*?) (?= \s*(?: [()] | \b(?:and|or|not)\b | $ )) )""",
    re.IGNORECASE | re.VERBOSE,
)


class SyntaxMistake(Exception):
    """An expression cannot be understood; `at` counts characters from 1."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(f"character {at}: {reason}")


class _Word(Struct, frozen=True):
    kind: str
    text: str
    at: int


def parse(text: str, leaf: Callable[[str, int], str]) -> Node:
    """Return the tree of an expression; NOT binds closest, then AND, then OR.

    Args:
        text: the expression.
        leaf: turns what stands between the operators into a unit's name; is told where it stands.

    Raises:
        SyntaxMistake: where, and why.
    """
    return _Parser(_words(text), len(text), leaf).whole()


def _words(text: str) -> list[_Word]:
    words: list[_Word] = []
    position = 0
    while position < len(text) and text[position:].strip():
        found = _WORDS.match(text, position)
        if found is None or found.end() == position:
            raise SyntaxMistake(position + 1, f"cannot read {text[position : position + 20]!r}")
        if found[1] or found[2]:
            words.append(_Word(found[1] or found[2], "", found.end()))
        elif found[3]:
            words.append(_Word(found[3].lower(), found[3], found.start(3) + 1))
        else:
            words.append(_Word("leaf", found[4].strip(), found.start(4) + 1))
        position = found.end()
        if len(words) > _PARTS_MAX:
            raise SyntaxMistake(position, f"has more than {_PARTS_MAX} parts")
    return words


class _Parser:
    def __init__(self, words: list[_Word], end: int, leaf: Callable[[str, int], str]) -> None:
        self.words = words
        self.end = end
        self.leaf = leaf
        self.next = 0

    def whole(self) -> Node:
        if not self.words:
            raise SyntaxMistake(1, "is empty")
        node = self.joined("or")
        if self.next < len(self.words):
            word = self.words[self.next]
            raise SyntaxMistake(word.at, f"unexpected {word.text or word.kind!r}")
        return node

    def joined(self, operator: str) -> Node:
        below = self.negated if operator == "and" else lambda: self.joined("and")
        operands = [below()]
        while self.peek() == operator:
            self.next += 1
            operands.append(below())
        if len(operands) == 1:
            return operands[0]
        return Node(operator=operator, operands=tuple(operands))

    def negated(self) -> Node:
        if self.peek() == "not":
            self.next += 1
            return Node(operator="not", operands=(self.negated(),))
        return self.atom()

    def atom(self) -> Node:
        kind = self.peek()
        if kind is None:
            raise SyntaxMistake(self.end + 1, "ends too early")
        word = self.words[self.next]
        self.next += 1
        if kind == "(":
            node = self.joined("or")
            if self.peek() != ")":
                raise SyntaxMistake(word.at, "this parenthesis is not closed")
            self.next += 1
            return node
        if kind != "leaf":
            raise SyntaxMistake(word.at, f"unexpected {word.text or word.kind!r}")
        return Node(unit=self.leaf(word.text, word.at))

    def peek(self) -> str | None:
        return self.words[self.next].kind if self.next < len(self.words) else None
