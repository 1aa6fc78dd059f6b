"""From a checked working set to the changes that a store writes, with their generations."""

from __future__ import annotations

from typing import cast

from msgspec.structs import replace

from tachyon.graph.entities import KINDS, Consumer, Entity, Kind, ResourceProvider
from tachyon.graph.store.checks import valid
from tachyon.graph.store.working_set import EntityChange, WorkingSet, same


def finish(work: WorkingSet, generation: int) -> list[EntityChange]:
    """Set generations on what changed and return it, in an order in which it can be written.

    Raises:
        InvalidInput: a field of a changed entity holds what no store could keep.
    """
    touched = _finish_consumers(work, generation)
    work.fetch("provider", touched)
    changes: list[EntityChange] = []
    for kind in KINDS:
        after = work.after[kind]
        if kind == "provider":
            for uuid in sorted(touched):
                after.setdefault(uuid, work.before[kind][uuid])
        for key, entity in after.items():
            before = work.before[kind][key]
            if entity is None or kind == "consumer":
                now = entity
            else:
                now = _settled(work, kind, key, before, entity)
            if isinstance(now, ResourceProvider) and (now is not before or key in touched):
                now = replace(now, generation=generation)
            if now is not before:
                changes.append(EntityChange(kind, key, before, now))
    return _parents_first(changes)


def _settled(
    work: WorkingSet, kind: Kind, key: str, before: Entity | None, after: Entity
) -> Entity:
    """Return `before` itself when nothing differs, and otherwise `after` in its valid form."""
    if before is not None and (after is before or same(before, after)):
        return before
    settled = valid(after, work.places[kind, key])
    if before is not None and same(before, settled):
        return before
    return settled


def _finish_consumers(work: WorkingSet, generation: int) -> set[str]:
    """Set generations on consumers; return the providers whose allocations changed."""
    touched: set[str] = set()
    after = work.after["consumer"]
    for uuid, entity in after.items():
        old = cast("Consumer | None", work.before["consumer"][uuid])
        now = None
        if entity is not None:
            settled = _settled(work, "consumer", uuid, old, entity)
            now = cast(Consumer, settled)
        was_held = old.allocations if old is not None else {}
        held = now.allocations if now is not None else {}
        if was_held != held:
            touched.update(
                p for p in was_held.keys() | held.keys() if was_held.get(p) != held.get(p)
            )
        if now is not None and now is not old:
            placed = generation if old is None or was_held != held else old.placed
            now = replace(now, generation=generation, placed=placed)
        after[uuid] = now
    return touched


def _parents_first(changes: list[EntityChange]) -> list[EntityChange]:
    """Order created providers so that a parent is written before its children."""
    created = {c.key: c for c in changes if c.kind == "provider" and c.before is None and c.after}
    if not any(cast(ResourceProvider, c.after).parent_uuid in created for c in created.values()):
        return changes
    ordered: dict[str, EntityChange] = {}
    for change in created.values():
        chain: list[EntityChange] = []
        above: EntityChange | None = change
        while above is not None and above.key not in ordered:
            chain.append(above)
            above = created.get(cast(ResourceProvider, above.after).parent_uuid or "")
        ordered.update((c.key, c) for c in reversed(chain))
    queue = iter(ordered.values())
    return [next(queue) if c.key in created and c.kind == "provider" else c for c in changes]
