"""What all elements of cluster models have in common.

An element is what strategies hold in their hands: a host, an instance, a pool … with Watcher's
fields. One that a model returned is *live*: it reads its values from the model's view when they
are first asked for, and what is written to it is so in the model. One that was made by its
constructor is *detached*, until it is added to a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy, deepcopy
from typing import Any, ClassVar, Protocol, Self
from xml.etree import ElementTree

from tachyon.optimize.model.elements.fields import UNSET, Field

#: The stages in which a live element is filled: the key alone, what most strategies read, all.
KEY, COMMON, ALL = range(3)

_ABSENT = object()


class Keeper(Protocol):
    """What a live element belongs to."""

    def fill(self, element: Element, values: dict[str, Any], stage: int) -> None:
        """Add to `values` what the element holds in a stage."""

    def note(self, element: Element, name: str, before: Any) -> None:
        """Note that a field was written; `before` is its old value, `UNSET` if it had none."""


class Element:
    """Base of all elements: attributes with types, and a mapping of them at the same time.

    Reading a field that is not set raises `NotImplementedError`, as Watcher's elements do. Equality
    is by class and content, the hash by identity.
    """

    # Beside the dictionary, so that the collector has nothing to follow in that.
    __slots__ = ("__dict__", "__weakref__", "_keeper", "_row", "_stage")

    fields: ClassVar[Mapping[str, Field]] = {}
    #: The field by which models know the element.
    key_field: ClassVar[str] = "uuid"

    _defaults: ClassVar[Mapping[str, Any]] = {}

    _keeper: Keeper | None
    _row: int
    _stage: int

    def __new__(cls, *_: object, **__: object) -> Self:
        """Return an element that belongs to no model."""
        made = object.__new__(cls)
        _set_keeper(made, None)
        _set_row(made, -1)
        _set_stage(made, ALL)
        return made

    def __init_subclass__(cls) -> None:
        cls._defaults = {
            name: field.default
            for name, field in cls.fields.items()
            if field.default is not UNSET and not field.nullable
        }

    def __init__(self, context: object = None, **values: Any) -> None:
        mine = self.__dict__
        fields = self.fields
        for name, default in self._defaults.items():
            if name not in values:
                mine[name] = copy(default)
        for name, value in values.items():
            field = fields.get(name)
            mine[name] = value if field is None else field.coerce(name, value)

    @classmethod
    def live(cls, keeper: Keeper, row: int, key: str) -> Self:
        """Return a live element of a row, of which nothing but the key is known yet."""
        made = object.__new__(cls)
        _set_keeper(made, keeper)
        _set_row(made, row)
        _set_stage(made, KEY)
        made.__dict__[cls.key_field] = key
        return made

    def __getattr__(self, name: str) -> Any:
        mine = self.__dict__
        while self._stage < ALL:
            self._fill(self._stage + 1)
            if name in mine:
                return mine[name]
        if name in self.fields:
            raise NotImplementedError(f"Cannot load '{name}' in the base class")
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def _fill(self, stage: int) -> None:
        keeper = self._keeper
        assert keeper is not None
        keeper.fill(self, self.__dict__, stage)
        _set_stage(self, stage)

    def _complete(self) -> dict[str, Any]:
        """Return the element's attributes, all fields that are set among them."""
        while self._stage < ALL:
            self._fill(self._stage + 1)
        return self.__dict__

    def __setattr__(self, name: str, value: Any) -> None:
        field = self.fields.get(name)
        if field is None:
            object.__setattr__(self, name, value)
            return
        shaped = field.coerce(name, value)
        mine = self._complete()
        before = mine.get(name, UNSET)
        mine[name] = shaped
        keeper = self._keeper
        if keeper is not None:
            keeper.note(self, name, before)

    def __delattr__(self, name: str) -> None:
        mine = self._complete()
        if name not in mine:
            raise AttributeError(name)
        before = mine.pop(name)
        if name in self.fields and self._keeper is not None:
            self._keeper.note(self, name, before)

    def attach(self, keeper: Keeper) -> None:
        """Let the element belong to a model from now on."""
        self._complete()
        _set_keeper(self, keeper)

    def detach(self) -> None:
        """Keep the element's values, and belong to no model any more."""
        self._complete()
        _set_keeper(self, None)
        _set_row(self, -1)

    def reopen(self, keeper: Keeper, row: int) -> None:
        """Forget the values of a live element, to read them from a newer view."""
        mine = self.__dict__
        key = mine[self.key_field]
        mine.clear()
        mine[self.key_field] = key
        _set_keeper(self, keeper)
        _set_row(self, row)
        _set_stage(self, KEY)

    def copy(self) -> Self:
        """Return a detached element of the same content."""
        made = type(self).__new__(type(self))
        made.__dict__.update(deepcopy(self._complete()))
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = memo[id(self)] = self.copy()
        return made

    def __copy__(self) -> Self:
        made = type(self).__new__(type(self))
        made.__dict__.update(self._complete())
        return made

    def __getstate__(self) -> dict[str, Any]:
        return dict(self._complete())

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not type(self):
            return NotImplemented
        key = self.key_field
        mine, theirs = self.__dict__, other.__dict__
        if mine.get(key) != theirs.get(key):
            return False
        mine, theirs = self._complete(), other._complete()
        return all(mine.get(n, _ABSENT) == theirs.get(n, _ABSENT) for n in self.fields)

    __hash__ = object.__hash__

    def obj_attr_is_set(self, name: str) -> bool:
        """Tell whether a field is set; raises `AttributeError` when there is no such field."""
        if name not in self.fields:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return name in self._complete()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that are set."""
        mine = self._complete()
        return {name: mine[name] for name in self.fields if name in mine}

    def prefixed(self, prefix: str) -> dict[str, Any]:
        """Return the fields that are set, their names with a prefix."""
        mine = self._complete()
        return {prefix + name: mine[name] for name in self.fields if name in mine}

    def as_xml_element(self) -> ElementTree.Element:
        """Return the fields that are set as an XML element named after the class."""
        fields = self.fields
        attributes = {name: fields[name].text(value) for name, value in self.as_dict().items()}
        return ElementTree.Element(type(self).__name__, attributes)

    @classmethod
    def from_xml_element(cls, element: ElementTree.Element) -> Self:
        """Return the element that `as_xml_element` wrote, or Watcher did."""
        fields = cls.fields
        return cls(
            **{
                name: None if text == "None" and name in fields and fields[name].nullable else text
                for name, text in element.attrib.items()
            }
        )

    def update(self, values: Mapping[str, Any]) -> None:
        """Write several attributes."""
        for name, value in values.items():
            setattr(self, name, value)

    def get(self, name: str, default: Any = UNSET) -> Any:
        """Return a field, `default` where it is given and the field is not set."""
        if default is not UNSET and not self.obj_attr_is_set(name):
            return default
        if name not in self.fields:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return getattr(self, name)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_dict())

    def __contains__(self, name: object) -> bool:
        return name in self.as_dict()

    def keys(self) -> Iterator[str]:
        """Return the names of the fields that are set."""
        return iter(self.as_dict())

    def values(self) -> Iterator[Any]:
        """Return the values of the fields that are set."""
        return iter(self.as_dict().values())

    def items(self) -> Iterator[tuple[str, Any]]:
        """Return the fields that are set."""
        return iter(self.as_dict().items())

    def __repr__(self) -> str:
        values = ",".join(
            f"{name}={self.__dict__[name]!r}" if name in self._complete() else f"{name}=<?>"
            for name in self.fields
        )
        return f"{type(self).__name__}({values})"


_set_keeper: Any = Element.__dict__["_keeper"].__set__
_set_row: Any = Element.__dict__["_row"].__set__
_set_stage: Any = Element.__dict__["_stage"].__set__
