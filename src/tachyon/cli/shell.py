"""The commands of `tachyon simulate`, each a question to a session or a change of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tachyon.cli.words import action_words, amount, percent
from tachyon.errors import ConsumerNotFound, InvalidInput, ProviderNotFound, TachyonError
from tachyon.graph.deltas import Move, UpdateProvider
from tachyon.graph.simulation import Session
from tachyon.graph.simulation.session import Usage
from tachyon.optimize.folding import by_name, compute_hosts, fold
from tachyon.optimize.planners import Weight

Command = Callable[[list[str]], None]

#: Most rows of a list; longer ones say how many are left out.
ROWS = 40


class Shell:
    """A session and the console that its answers go to."""

    def __init__(self, session: Session, console: Console) -> None:
        self.session = session
        self.console = console
        #: Commands by name: what to call, arguments, meaning.
        self.commands: dict[str, tuple[Command, str, str]] = {
            "hosts": (
                self._hosts,
                "[PART]",
                "list hosts (whose name holds PART) with their utilisation",
            ),
            "host": (self._host, "HOST", "show a host: usage and instances"),
            "show": (self._show, "INSTANCE", "show where an instance is and what it holds"),
            "destinations": (
                self._destinations,
                "INSTANCE [HOST]",
                "where it could go, and why not to the other hosts (or to one)",
            ),
            "move": (self._move, "INSTANCE HOST", "move an instance"),
            "disable": (self._disable, "HOST [REASON]", "disable a host's service"),
            "enable": (self._enable, "HOST", "enable a host's service"),
            "undo": (self._undo, "[COUNT]", "take back the last changes"),
            "history": (self._history, "", "list the changes in effect"),
            "metrics": (self._metrics, "", "load of all hosts now and at the start"),
            "plan": (self._plan, "", "the actions that lead from the start to here"),
            "help": (self._help, "", "list the commands"),
        }
        view = session.view
        self._hosts_by_name: dict[str, list[str]] = {}
        for row in view.provider_order.tolist():
            record = view.provider_at(row)
            self._hosts_by_name.setdefault(record.name, []).append(record.uuid)
        self._consumers_by_name: dict[str, list[int]] = {}
        for row in view.consumer_order.tolist():
            self._consumers_by_name.setdefault(view.consumers.name[row], []).append(row)

    def counts(self) -> tuple[int, int]:
        """Return how many hosts and instances there are."""
        mask = compute_hosts(self.session)
        homes = self.session.homes()
        return int(mask.sum()), int(mask[homes[homes >= 0]].sum())

    def interact(self) -> None:
        """Read commands from the terminal until the end of input or `quit`."""
        try:
            import readline  # noqa: F401 - line editing and history of input()
        except ImportError:
            pass
        while True:
            try:
                line = input("tachyon> ")
            except EOFError:
                self.console.print()
                return
            try:
                if not self.do(line):
                    return
            except TachyonError as error:
                self.console.print(f"[red]{escape(error.message)}[/]")

    def do(self, line: str) -> bool:
        """Run one command; return False when it was `quit`.

        Raises:
            TachyonError: the command is unknown, or what it asks for cannot be done.
        """
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise InvalidInput(f"cannot be read: {error}") from error
        if not words:
            return True
        name, *arguments = words
        if name in ("quit", "exit"):
            return False
        found = self.commands.get(name)
        if found is None:
            raise InvalidInput(f"there is no command {name}; `help` lists them")
        command, usage, _ = found
        required = [w for w in usage.split() if not w.startswith("[") and not w.endswith("]")]
        optional = usage.count("[")
        if not len(required) <= len(arguments) <= len(required) + optional:
            raise InvalidInput(f"usage: {name} {usage}".rstrip())
        command(arguments)
        return True

    def _provider(self, name: str) -> str:
        if self.session.view.providers.index.get(name, -1) >= 0:
            return name
        named = self._hosts_by_name.get(name, [])
        if len(named) > 1:
            raise InvalidInput(f"{len(named)} hosts are called {name}; use the uuid")
        if not named:
            raise ProviderNotFound(name)
        return named[0]

    def _consumer(self, name: str) -> str:
        view = self.session.view
        if name in view.consumers.index:
            return name
        rows = self._consumers_by_name.get(name, [])
        if len(rows) > 1:
            raise InvalidInput(f"{len(rows)} instances are called {name}; use the uuid")
        if not rows:
            raise ConsumerNotFound(name)
        return view.consumers.uuid[rows[0]]

    def _name(self, provider: str | None) -> str:
        """Return a provider's name, safe to print."""
        return "nowhere" if provider is None else escape(self.session.view.provider(provider).name)

    def _consumer_name(self, uuid: str) -> str:
        """Return a consumer's name, or its uuid if it has none, safe to print."""
        row = self.session.view.consumer_row(uuid)
        return escape(self.session.view.consumers.name[row] or uuid)

    def _table(self, *headers: str, texts: int = 1, title: str | None = None) -> Table:
        """Return an empty table whose columns behind the first `texts` hold numbers."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
        for k, header in enumerate(headers):
            table.add_column(header, justify="right" if k >= texts else "left")
        return table

    def _print(self, table: Table, left: int = 0) -> None:
        self.console.print(table)
        if left > 0:
            self.console.print(f"[dim]… and {left:,} more[/]")

    def _service(self, uuid: str) -> str:
        provider = self.session.provider(uuid)
        if provider.state != "up":
            return "down"
        return "maintenance" if provider.maintenance else provider.status

    def _usage(self, uuid: str) -> dict[str, Usage]:
        """Return the usage of a host with all that is below it."""
        return fold(self.session).usage(uuid)

    def _hosts(self, arguments: list[str]) -> None:
        part = arguments[0] if arguments else ""
        view, folded = self.session.view, fold(self.session)
        mask = compute_hosts(self.session)
        rows = [
            row
            for row in by_name(view, np.flatnonzero(mask).tolist())
            if part in view.provider_at(row).name
        ]
        classes = list(folded.metrics(mask))[:5]
        table = self._table("host", "service", *classes, texts=2)
        for row in rows[:ROWS]:
            record = view.provider_at(row)
            usage = folded.usage(record.uuid)
            table.add_row(
                self._name(record.uuid),
                self._service(record.uuid),
                *(
                    percent(usage[c].used / usage[c].capacity)
                    if c in usage and usage[c].capacity
                    else "–"
                    for c in classes
                ),
            )
        self._print(table, len(rows) - ROWS)

    def _host(self, arguments: list[str]) -> None:
        uuid = self._provider(arguments[0])
        table = self._table("", "used", "capacity", "free", title=self._name(uuid))
        for name, usage in self._usage(uuid).items():
            table.add_row(name, *(amount(x) for x in (usage.used, usage.capacity, usage.free)))
        self._print(table)
        view = self.session.view
        here = [
            c
            for row in view.tree.subtree(view.provider_row(uuid))
            for c in self.session.consumers_of(view.providers.uuid[row])
        ]
        names = [self._consumer_name(c) for c in dict.fromkeys(here)]
        shown = ", ".join(names[:ROWS]) or "none"
        left = f" … and {len(names) - ROWS:,} more" if len(names) > ROWS else ""
        self.console.print(f"{self._service(uuid)}; instances: {shown}{left}")

    def _show(self, arguments: list[str]) -> None:
        uuid = self._consumer(arguments[0])
        record, placement = self.session.view.consumer(uuid), self.session.placement(uuid)
        table = self._table("provider", "class", "amount", texts=2, title=self._consumer_name(uuid))
        for provider, resources in placement.allocations.items():
            for name, held in resources.items():
                table.add_row(self._name(provider), name, f"{held:,}")
        self._print(table)
        flags = [n for n in ("locked", "watcher_exclude") if getattr(record, n)]
        said = ", ".join([record.state, f"on {self._name(placement.host)}", *flags])
        self.console.print(f"{escape(uuid)}: {said}")

    def _destinations(self, arguments: list[str]) -> None:
        uuid = self._consumer(arguments[0])
        only = self._provider(arguments[1]) if len(arguments) > 1 else None
        found = self.session.destinations(uuid)
        table = self._table("host", "verdict", "reason", texts=3)
        valid = [u for u in found.uuids if only in (None, u)]
        refused = {u: r for u, r in found.refusals().items() if only in (None, u)}
        for host in valid[:ROWS]:
            table.add_row(self._name(host), "[green]valid[/]", "")
        for host, reasons in list(refused.items())[:ROWS]:
            said = "; ".join(r.message for r in reasons)
            table.add_row(self._name(host), "[red]refused[/]", escape(said))
        self._print(table, max(0, len(valid) - ROWS) + max(0, len(refused) - ROWS))
        self.console.print(f"{len(valid):,} valid, {len(refused):,} refused")

    def _move(self, arguments: list[str]) -> None:
        uuid, target = self._consumer(arguments[0]), self._provider(arguments[1])
        source = self.session.host(uuid)
        self.session.record(Move(consumer_uuid=uuid, to_provider=target))
        self.console.print(
            f"{self._consumer_name(uuid)}: {self._name(source)} → {self._name(target)}"
        )

    def _disable(self, arguments: list[str]) -> None:
        uuid = self._provider(arguments[0])
        reason = arguments[1] if len(arguments) > 1 else None
        self.session.record(
            UpdateProvider(provider_uuid=uuid, status="disabled", disabled_reason=reason)
        )
        self.console.print(f"{self._name(uuid)} is disabled")

    def _enable(self, arguments: list[str]) -> None:
        uuid = self._provider(arguments[0])
        self.session.record(
            UpdateProvider(provider_uuid=uuid, status="enabled", disabled_reason=None)
        )
        self.console.print(f"{self._name(uuid)} is enabled")

    def _undo(self, arguments: list[str]) -> None:
        text = arguments[0] if arguments else "1"
        if not text.isdigit() or text == "0":
            raise InvalidInput(f"{text!r} is not a number of changes")
        for delta in self.session.undo(int(text)):
            self.console.print(f"taken back: {self._told(delta)}")

    def _history(self, _: list[str]) -> None:
        for number, delta in enumerate(self.session.deltas, start=1):
            self.console.print(f"{number:4} {self._told(delta)}")
        if not self.session.deltas:
            self.console.print("nothing was changed")

    def _told(self, delta: object) -> str:
        if isinstance(delta, Move):
            to = self._name(delta.to_provider)
            return f"move {self._consumer_name(delta.consumer_uuid)} to {to}"
        if isinstance(delta, UpdateProvider):
            verb = "enable" if delta.status == "enabled" else "disable"
            return f"{verb} {self._name(delta.provider_uuid)}"
        return escape(str(delta))

    def _metrics(self, _: list[str]) -> None:
        mask = compute_hosts(self.session)
        before, after = fold(self.session.base()).metrics(mask), fold(self.session).metrics(mask)
        table = self._table("", "mean %", "std deviation %", "min %", "max %", "hosts used")
        for name, was in before.items():
            if not was.providers:
                continue
            cells = []
            for metric in ("mean", "std_deviation", "min", "max"):
                old, new = (f"{100 * getattr(m, metric):.2f}" for m in (was, after[name]))
                cells.append(new if old == new else f"{old} → [bold]{new}[/]")
            old, new = (f"{m.providers_used:,}" for m in (was, after[name]))
            cells.append(new if old == new else f"{old} → [bold]{new}[/]")
            table.add_row(name, *cells)
        self._print(table)

    def _plan(self, _: list[str]) -> None:
        plan = Weight().plan(self.session)
        for number, action in enumerate(plan.actions, start=1):
            kind, where = action_words(action)
            text = f"{kind} of {action.resource_name}" + (f": {where}" if where else "")
            self.console.print(f"{number:4} {escape(text)}")
        if not plan.actions:
            self.console.print("nothing to do")

    def _help(self, _: list[str]) -> None:
        table = self._table("command", "meaning", texts=2)
        for name, (_command, usage, meaning) in self.commands.items():
            table.add_row(escape(f"{name} {usage}".rstrip()), meaning)
        table.add_row("quit", "leave")
        self._print(table)
