"""Models as text: XML that is written when somebody reads it.

Watcher asks for a model's text several times an audit, to log it where hardly anybody logs it. For
100,000 instances that takes a second, so the text given out is written on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


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

    __hash__ = str.__hash__


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
