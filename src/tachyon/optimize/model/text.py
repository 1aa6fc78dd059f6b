"""Models as text: XML that is written when somebody reads it.

Watcher asks for a model's text several times an audit, to log it where hardly anybody logs it. For
100,000 instances that takes a second, so the text given out is written on first use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import quoteattr

from tachyon.optimize.model.elements import Element


class LazyText(str):
    """A string whose characters are made when they are first asked for.

    C code that reads a string's buffer without asking (`str.join`, a regular expression) sees an
    empty one; `str(text)` gives a plain string.
    """

    __slots__ = ("_made", "_make")

    _make: Callable[[], str] | None
    _made: str

    def __new__(cls, make: Callable[[], str]) -> LazyText:
        """Return a text that `make` writes, once."""
        text = super().__new__(cls)
        text._make = make
        return text

    def __str__(self) -> str:
        make = self._make
        if make is not None:
            self._made = make()
            self._make = None
        return self._made

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


def _delegate(name: str) -> Callable[..., Any]:
    method = getattr(str, name)

    def call(self: LazyText, *args: Any, **kwargs: Any) -> Any:
        plain = (str(arg) if isinstance(arg, LazyText) else arg for arg in args)
        return method(str(self), *plain, **kwargs)

    call.__name__ = name
    call.__doc__ = method.__doc__
    return call


_KEPT = frozenset(
    {"__class__", "__new__", "__init__", "__init_subclass__", "__subclasshook__", "__str__"}
    | {"__getattribute__", "__setattr__", "__delattr__", "__dir__", "__doc__", "__slots__"}
    | {"__reduce__", "__reduce_ex__", "__getnewargs__", "__sizeof__", "__getstate__", "maketrans"}
)

for _name in dir(str):
    if _name not in _KEPT and callable(getattr(str, _name)):
        setattr(LazyText, _name, _delegate(_name))


_SPECIAL = re.compile(r"[&<>\"\n\r\t]")


class XmlText:
    """Writes a model's XML: an element a line, what stands on it inside."""

    def __init__(self) -> None:
        self._lines = ["<ModelRoot>"]
        self._indent = "  "

    @contextmanager
    def inside(self, element: Element) -> Iterator[None]:
        """Write an element around all that is written meanwhile."""
        self._lines.append(f"{self._indent}<{_tag(element)}>")
        self._indent += "  "
        yield
        self._indent = self._indent[2:]
        self._lines.append(f"{self._indent}</{type(element).__name__}>")

    def write(self, element: Element, standing: Iterable[Element] = ()) -> None:
        """Write an element, and inside it what stands on it."""
        below = [f"{self._indent}  <{_tag(one)} />" for one in standing]
        if below:
            with self.inside(element):
                self._lines.extend(below)
        else:
            self._lines.append(f"{self._indent}<{_tag(element)} />")

    def done(self) -> str:
        """Return the text."""
        return "\n".join([*self._lines, "</ModelRoot>", ""])


def _tag(element: Element) -> str:
    fields = element.fields
    attributes = []
    for name, value in element.as_dict().items():
        text = fields[name].text(value)
        quoted = quoteattr(text) if _SPECIAL.search(text) else f'"{text}"'
        attributes.append(f" {name}={quoted}")
    return type(element).__name__ + "".join(attributes)
