"""Heat maps of hosts as inline SVG: one cell a host, in the same place before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from tachyon.cli.words import percent
from tachyon.optimize.audit import Host

#: Classes of cells: nothing used, ten steps of ten per cent, above the capacity.
BANDS = (
    "nothing used",
    *(f"{low}–{low + 10} %" for low in range(0, 100, 10)),
    "above 100 %",
)

#: Width of a map over its height.
_ASPECT = 1.5
#: Fewest columns: a map of few hosts does not get huge cells.
_COLUMNS_MIN = 10


def band(utilisation: float) -> int:
    """Return the position in `BANDS` of a share of the capacity."""
    if utilisation <= 0:
        return 0
    if utilisation > 1:
        return len(BANDS) - 1
    return min(10, math.floor(utilisation * 10) + 1)


def _load(host: Host, name: str, after: bool) -> float | None:
    return (host.after if after else host.before).get(name)


def heat_map(hosts: Sequence[Host], name: str, *, after: bool) -> str:
    """Return the map of a class or metric; hosts without capacity for it are left out."""
    shown = [h for h in hosts if _load(h, name, after) is not None]
    columns = max(_COLUMNS_MIN, math.ceil(math.sqrt(len(shown) * _ASPECT)))
    height = max(1, math.ceil(len(shown) / columns))
    moment = "after" if after else "before"
    loads = [_load(h, name, after) or 0.0 for h in shown]
    mean = sum(loads) / len(loads) if loads else 0.0
    used = sum(load > 0 for load in loads)
    label = f"{name} {moment}: {used} of {len(shown)} hosts used, mean {percent(mean)}"
    cells = "".join(
        _cell(host, load, k % columns, k // columns, after)
        for k, (host, load) in enumerate(zip(shown, loads, strict=True))
    )
    return (
        f'<svg class="heat" role="img" aria-label="{escape(label)}" '
        f'viewBox="-.05 -.05 {columns + 0.1:g} {height + 0.1:g}">{cells}</svg>'
    )


def _cell(host: Host, load: float, x: int, y: int, after: bool) -> str:
    service = host.service_after if after else host.service_before
    instances = host.instances_after if after else host.instances_before
    off = "" if service == "enabled" else " off"
    said = f"{host.name}: {percent(load)}, {instances} instances"
    said += f", {service}" if off else ""
    return (
        f'<rect class="r{band(load)}{off}" x="{x + 0.06:g}" y="{y + 0.06:g}" '
        f'width=".88" height=".88"><title>{escape(said)}</title></rect>'
    )


def legend() -> str:
    """Return the key to the colours."""
    steps = "".join(
        f'<rect class="r{k}" x="{(k - 1) * 14}" y="0" width="14" height="14"/>'
        for k in range(1, 11)
    )

    def box(classes: str, text: str) -> str:
        return (
            '<span><svg class="heat" style="display:inline;width:14px" viewBox="-.05 -.05 1.1 1.1" '
            f'aria-hidden="true"><rect class="{classes}" width="1" height="1"/></svg> {text}</span>'
        )

    return (
        f'<div class="legend">{box("r0", "nothing used")}'
        f'<span>0 % <svg viewBox="0 0 140 14" width="140" aria-hidden="true">{steps}</svg> 100 %'
        f"</span>{box('r11', 'above 100 %')}{box('r0 off', 'out of service (dashed)')}"
        "<span>Point at a cell for its host.</span></div>"
    )


def distribution(hosts: Sequence[Host], name: str) -> list[tuple[str, int, int]]:
    """Return for each band how many hosts are in it before and after."""
    counts = [[0, 0] for _ in BANDS]
    for host in hosts:
        for moment, after in enumerate((False, True)):
            load = _load(host, name, after)
            if load is not None:
                counts[band(load)][moment] += 1
    return [(text, *pair) for text, pair in zip(BANDS, map(tuple, counts), strict=True)]  # type: ignore[misc]
