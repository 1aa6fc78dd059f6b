"""The shape of a JSON document: its keys and types, whatever the values."""

from __future__ import annotations

from typing import Any

#: Objects whose keys are names or ids: what counts is the shape of their values.
MAPS = frozenset(
    {
        "allocations",
        "extra",
        "extra_specs",
        "hosts",
        "inventories",
        "metadata",
        "provider_summaries",
        "resources",
        "scheduler_hints",
        "usages",
    }
)


def shape(value: Any, name: str = "") -> Any:
    """Return keys and types; entries of a list, and values of a map, are put on top of another."""
    if isinstance(value, dict):
        if name in MAPS:
            return {"*": merged([shape(v) for v in value.values()])}
        return {key: shape(v, key) for key, v in value.items()}
    if isinstance(value, list):
        return [merged([shape(v) for v in value])]
    return {type(value).__name__}


def merged(shapes: list[Any]) -> Any:
    """Return one shape that has what any of some shapes has."""
    result: Any = None
    for one in shapes:
        if result is None:
            result = one
        elif isinstance(result, dict) and isinstance(one, dict):
            keys = {**result, **one}
            result = {k: merged([s[k] for s in (result, one) if k in s]) for k in keys}
        elif isinstance(result, list) and isinstance(one, list):
            result = [merged([result[0], one[0]])]
        elif isinstance(result, set) and isinstance(one, set):
            result = result | one
        elif result == {"NoneType"}:
            result = one
    return result


def differences(real: Any, ours: Any, path: str = "$") -> list[str]:
    """Return where a shape differs from that of the real thing.

    What is null in the real thing, or empty on either side, says nothing about its type.
    """
    if real is None or ours is None or real == {"NoneType"}:
        return []
    if ours == {"NoneType"}:
        return [f"{path}: always null instead of {real}"]
    if isinstance(real, dict) and isinstance(ours, dict):
        found = [f"{path}.{k}: missing" for k in real if k not in ours and k != "*"]
        found += [f"{path}.{k}: only here" for k in ours if k not in real and k != "*"]
        shared = [k for k in real if k in ours]
        return found + [d for k in shared for d in differences(real[k], ours[k], f"{path}.{k}")]
    if isinstance(real, list) and isinstance(ours, list):
        return differences(real[0], ours[0], f"{path}[]")
    if isinstance(real, set) and isinstance(ours, set):
        if ours - real - {"NoneType"} and real - {"NoneType"}:
            return [f"{path}: {sorted(ours)} instead of {sorted(real)}"]
        return []
    return [f"{path}: {ours} instead of {real}"]
