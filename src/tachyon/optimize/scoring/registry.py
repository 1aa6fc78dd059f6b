"""Scoring engines by name, those of containers included."""

from __future__ import annotations

from stevedore import ExtensionManager

from tachyon.errors import PluginNotFound
from tachyon.optimize.scoring.base import ScoringEngine

ENGINES = "tachyon.scoring_engines"
CONTAINERS = "tachyon.scoring_engine_containers"


class Scoring:
    """The engines that are installed. A plug-in that cannot be used is listed in `broken`."""

    def __init__(self) -> None:
        self.broken: dict[str, str] = {}
        self._engines: dict[str, ScoringEngine] | None = None

    def engine(self, name: str) -> ScoringEngine:
        """Return an engine; raises `PluginNotFound`."""
        known = self._engines if self._engines is not None else self.engines()
        found = known.get(name)
        if found is None:
            listed = ", ".join(known) or "none"
            raise PluginNotFound(
                f"no scoring engine {name} is installed; there are: {listed}", name=name
            )
        return found

    def engines(self) -> dict[str, ScoringEngine]:
        """Return all engines by name; containers are asked anew."""
        self.broken = {}
        found: dict[str, ScoringEngine] = {}
        for engine in self._each():
            found.setdefault(engine.name, engine)
        self._engines = dict(sorted(found.items()))
        return self._engines

    def _each(self) -> list[ScoringEngine]:
        engines: list[ScoringEngine] = []
        for group in (ENGINES, CONTAINERS):

            def failed(_: object, entry: object, error: BaseException, group: str = group) -> None:
                self.broken[f"{group}:{getattr(entry, 'name', entry)}"] = str(error)

            for extension in ExtensionManager(group, on_load_failure_callback=failed):
                try:
                    if group == ENGINES:
                        engines.append(extension.plugin())
                    else:
                        engines.extend(extension.plugin.engines())
                except Exception as error:
                    self.broken[f"{group}:{extension.name}"] = str(error)
        return engines
