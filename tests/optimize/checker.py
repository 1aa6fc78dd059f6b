"""An independent checker of plans: replays the JSON of an audit on the entities it started from.

It shares no code with sessions, strategies or planners; the rules stand beside it, written from
Placement's, Nova's and Cinder's. One action at a time, slow, and meant to be obvious.

`run` executes actions in their order, one by one. `explore` executes them as an applier may: what
has no unfinished parent can start, in any order, and any number of them run side by side.
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

from tests.optimize.placement_rules import State
from tests.optimize.storage_rules import why_fixed

RESIZED = {"active", "stopped"}

#: Actions that name a consumer, and those that name a provider; others name nothing.
ABOUT_CONSUMERS = {"migrate", "volume_migrate", "stop", "resize"}
ABOUT = {*ABOUT_CONSUMERS, "change_nova_service_state", "change_node_power_state"}


class Replay(State):
    """A cluster on which a plan is executed; `problems` collects what must not happen."""

    def run(self, actions: list[dict[str, Any]]) -> Replay:
        self._check_graph(actions)
        for number, action in enumerate(actions):
            self._begin(number, action)
            self._end(action)
        return self

    def explore(
        self, actions: list[dict[str, Any]], rng: random.Random, *, eager: bool = False
    ) -> Replay:
        """Execute a plan in a random way that its graph allows.

        With `eager`, everything that may start has started before anything ends: the most that
        can ever run side by side.
        """
        self._check_graph(actions)
        number = {action["uuid"]: k for k, action in enumerate(actions)}
        missing = [len(action["parents"]) for action in actions]
        children: dict[str, list[int]] = defaultdict(list)
        for k, action in enumerate(actions):
            for parent in action["parents"]:
                children[parent].append(k)
        ready = [k for k, count in enumerate(missing) if not count]
        running: list[int] = []
        while ready or running:
            if ready and (eager or not running or rng.random() < 0.5):
                k = ready.pop(rng.randrange(len(ready)))
                self._begin(k, actions[k])
                running.append(k)
                self.most_running = max(self.most_running, len(running))
                continue
            k = running.pop(rng.randrange(len(running)))
            self._end(actions[k])
            for child in children[actions[k]["uuid"]]:
                missing[child] -= 1
                if not missing[child]:
                    ready.append(child)
        assert len(number) == len(actions)
        if any(missing):
            self._bad("a circle among the actions")
        return self

    def _check_graph(self, actions: list[dict[str, Any]]) -> None:
        """Every parent is listed before its child, once."""
        seen: set[str] = set()
        for number, action in enumerate(actions):
            if not set(action["parents"]) <= seen or action["uuid"] in seen:
                self._bad(f"action {number}: its parents are not listed before it")
            if len(set(action["parents"])) != len(action["parents"]):
                self._bad(f"action {number}: a parent is listed twice")
            seen.add(action["uuid"])

    def _begin(self, number: int, action: dict[str, Any]) -> None:
        before = len(self.problems)
        kind, uuid = action["action_type"], action["resource_id"]
        if action["movement"] is not None:
            self._depart(action)
        elif kind not in ABOUT:
            pass
        elif uuid not in (self.consumers if kind in ABOUT_CONSUMERS else self.providers):
            self._bad(f"there is no {uuid}")
        elif kind == "migrate":
            self._schedule(action)
        elif kind == "stop":
            self._check_untouchable(self.consumers[uuid])
        elif kind == "change_nova_service_state":
            self._service(action)
        elif kind == "change_node_power_state":
            self._switch(action)
        elif kind == "volume_migrate":
            self._retype(action)
        elif kind == "resize":
            self._grow(action)
        for at in range(before, len(self.problems)):
            self.problems[at] = f"action {number}: {self.problems[at]}"

    def _end(self, action: dict[str, Any]) -> None:
        if action["movement"] is not None:
            self._arrive(action)
        elif action["action_type"] == "resize":
            self._shrink(action)

    def _service(self, action: dict[str, Any]) -> None:
        host = self.providers[action["resource_id"]]
        state = action["input_parameters"]["state"]
        reason = action["input_parameters"].get("disabled_reason")
        reworded = host.disabled_reason == "watcher_disabled" and reason == "watcher_maintaining"
        if state == self.status[host.uuid] and not reworded:
            self._bad(f"{host.name} is {state} already")
        ours = host.disabled_reason == "watcher_disabled" or host.uuid in self.disabled_here
        if state == "enabled" and not ours:
            self._bad(f"{host.name} was not disabled by us")
        self.status[host.uuid] = state
        if state == "disabled":
            self.disabled_here.add(host.uuid)

    def _switch(self, action: dict[str, Any]) -> None:
        """A node goes on or off; never off under an instance."""
        node = self.providers[action["resource_id"]]
        state = action["input_parameters"]["state"]
        if (self.power[node.uuid] or "").removeprefix("power ") == state:
            self._bad(f"{node.name} is {state} already")
        self.power[node.uuid] = f"power {state}"
        named = node.extra.get("compute_node_id", node.uuid)
        hosts = {p.uuid for p in self.providers.values() if named in (p.uuid, p.name)}
        standing = [c for c, place in self.place.items() if place in hosts]
        standing += [c for c, target in self.underway.items() if target in hosts]
        if state == "off" and standing:
            self._bad(f"{node.name} is switched off under {standing[:3]}")

    def _retype(self, action: dict[str, Any]) -> None:
        """A volume gets another type; Cinder's scheduler takes it to a pool that offers it."""
        volume = self.consumers[action["resource_id"]]
        given, pools = action["input_parameters"], self.pools
        wanted = given.get("destination_type")
        if given["migration_type"] != "retype" or wanted is None:
            self._bad(f"{volume.uuid} has a destination, but no movement")
            return
        self._check_untouchable(volume)
        for problem in why_fixed(volume, self.states):
            self._bad(problem)
        if wanted == self.kinds[volume.uuid]:
            self._bad(f"volume {volume.uuid} is {wanted} already")
        served = {t for p in self.providers.values() for t in p.extra.get("volume_types", ())}
        if wanted not in served and wanted not in pools.types:
            self._bad(f"there is no volume type {wanted}")
        self.kinds[volume.uuid] = wanted
        source = self.place[volume.uuid]
        if source is not None and pools.offers(self.providers[source], wanted):
            return
        size = sum(held.get("DISK_GB", 0) for held in self.allocations[volume.uuid].values())
        offering = [
            p for p in pools.pools if pools.offers(p, wanted) and not pools.out_of_service(p)
        ]
        # The scheduler's weigher: the most room.
        target = max(offering, key=pools.room, default=None)
        if target is None or pools.room(target) < size:
            self._bad(f"no pool that offers {wanted} has room for {volume.uuid}")
            return
        pools.arrive(size, target.uuid)
        if source is not None:
            pools.leave(size, source)
        self._account(self.allocations[volume.uuid], -1)
        self.allocations[volume.uuid] = {target.uuid: {"DISK_GB": size}}
        self._account(self.allocations[volume.uuid], 1)
        self.place[volume.uuid] = target.uuid

    def _grow(self, action: dict[str, Any]) -> None:
        """A resize begins: until it is confirmed, both sizes count."""
        uuid = action["resource_id"]
        consumer, wanted = self.consumers[uuid], action["input_parameters"]["flavor"]
        self._check_untouchable(consumer)
        if consumer.state not in RESIZED:
            self._bad(f"{uuid} is {consumer.state}: no resize")
        named = [f for f in self.flavors.values() if wanted in (f.id, f.name)]
        if not named:
            self._bad(f"there is no flavor {wanted}")
            return
        amounts = {
            "VCPU": named[0].vcpus,
            "MEMORY_MB": named[0].memory_mb,
            "DISK_GB": named[0].disk_gb + named[0].ephemeral_gb,
        }
        self.growing[uuid] = {
            provider: {name: amounts.get(name, amount) for name, amount in held.items()}
            for provider, held in self.allocations[uuid].items()
        }
        self._account(self.growing[uuid], 1)
        self._check_capacity(self.growing[uuid])

    def _shrink(self, action: dict[str, Any]) -> None:
        """A resize is confirmed: the old size is gone."""
        uuid = action["resource_id"]
        if uuid in self.growing:
            self._account(self.allocations[uuid], -1)
            self.allocations[uuid] = self.growing.pop(uuid)

    def _schedule(self, action: dict[str, Any]) -> None:
        """An instance goes where Nova's scheduler wants; here it leaves the stage."""
        uuid = action["resource_id"]
        source = self.place[uuid]
        if (
            source is None
            or self.providers[source].name != (action["input_parameters"]["source_node"])
        ):
            self._bad(f"{uuid} is on {source}")
            return
        if "destination_node" in action["input_parameters"]:
            self._bad(f"{uuid} has a destination, but no movement")
        self._check_instance(self.consumers[uuid], action)
        if self.status[source] != "disabled":
            self._bad(f"the scheduler may choose {source} again")
        self._account(self.allocations[uuid], -1)
        self.allocations[uuid] = {}
        self.place[uuid] = None

    def _depart(self, action: dict[str, Any]) -> None:
        """An instance starts to migrate: from here on it is on both hosts."""
        uuid, movement = action["resource_id"], action["movement"]
        consumer = self.consumers[uuid]
        source, target = movement["source"], movement["destination"]
        if self.place[uuid] != source:
            self._bad(f"{uuid} is on {self.place[uuid]}, not on {source}")
        if source == target:
            self._bad(f"{uuid} stays where it is")
        self._check_instance(consumer, action)
        self._check_host(consumer, self.providers[source], self.providers[target])
        self._check_group(consumer, target)
        self._check_hints(consumer, target)
        self._check_limits(consumer, target, movement)
        if consumer.type == "volume":
            self._check_pool(consumer, self.providers[target], movement)
        new = movement["allocations"]
        self._check_amounts(consumer, new, target)
        arriving = {p: r for p, r in new.items() if self.root(p).uuid == target}
        self._account(arriving, 1)
        self._check_capacity(arriving)
        for name, loads in self.loads.items():
            self.load[name, target] += loads.get(uuid, 0.0)
        self.underway[uuid] = target
        if consumer.server_group:
            self.arriving[consumer.server_group].append(target)

    def _arrive(self, action: dict[str, Any]) -> None:
        """A migration ends: the instance leaves its source."""
        uuid, movement = action["resource_id"], action["movement"]
        source, target = movement["source"], movement["destination"]
        leaving = {p: r for p, r in self.allocations[uuid].items() if self.root(p).uuid == source}
        self._account(leaving, -1)
        self.pools.leave(sum(held.get("DISK_GB", 0) for held in leaving.values()), source)
        self.allocations[uuid] = movement["allocations"]
        for name, loads in self.loads.items():
            self.load[name, source] -= loads.get(uuid, 0.0)
        group = self.consumers[uuid].server_group
        if group:
            self.arriving[group].remove(target)
        del self.underway[uuid]
        self.place[uuid] = target
        self.moved[uuid] += 1

    def hosts_in_use(self) -> set[str]:
        return {
            place
            for place in self.place.values()
            if place and self.providers[place].type == "compute"
        }
