"""Numbers in the form in which people read them."""

from __future__ import annotations

from collections.abc import Iterable

from tachyon.optimize.planners import Action


def amount(value: float | str) -> str:
    """Return a count or a measure with no more digits than it deserves."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4f}".rstrip("0")


def percent(share: float) -> str:
    """Return a share as whole per cent."""
    return f"{100 * share:.0f} %"


def memory(mb: float) -> str:
    """Return an amount of memory, given in MB, in a unit that keeps it short."""
    for unit in ("MB", "GB", "TB"):
        if mb < 1024:
            return f"{mb:,.0f} {unit}" if unit == "MB" else f"{mb:,.1f} {unit}"
        mb /= 1024
    return f"{mb:,.1f} PB"


def duration(seconds: float) -> str:
    """Return a time in at most two units."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms" if seconds else "0 s"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def runs(numbers: Iterable[int]) -> str:
    """Return numbers in order, those without a gap as "first–last"."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    return ", ".join("–".join(map(str, run)) for run in found)


def action_words(action: Action) -> tuple[str, str]:
    """Return what an action does, and where or how, in a few words each."""
    given = action.input_parameters
    match action.action_type:
        case "migrate":
            kind = f"{given.get('migration_type', '')} migration".strip()
            target = given.get("destination_node") or "where Nova wants"
            return kind, f"{given.get('source_node', '')} → {target}"
        case "change_nova_service_state":
            verb = str(given.get("state", "")).removesuffix("d")
            return f"{verb} service", str(given.get("disabled_reason") or "")
        case "change_node_power_state":
            return f"power {given.get('state', '')}", ""
        case "resize":
            return "resize", f"to {given.get('flavor', '')}"
        case "volume_migrate":
            target = given.get("destination_node") or given.get("destination_type") or ""
            return "volume migration", f"→ {target}"
        case other:
            return other.replace("_", " "), str(given.get("message") or given.get("duration") or "")
