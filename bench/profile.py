"""Where the time goes: microseconds per order and SQL statement."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import psycopg
from rich import box
from rich.console import Console
from rich.table import Table

from palate import pipelines
from palate.engine.outcome import Caller
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.settings import Settings
from palate.vault import stage as vault
from tests.food import FOOD


@dataclass
class Statement:
    """One statement of a stage, over all its executions."""

    seconds: float = 0.0
    calls: int = 0
    rows: int = 0


@dataclass
class Profile:
    """Seconds per stage and per statement.

    :param explain: a regular expression; matching statements run under EXPLAIN ANALYZE,
        and their times are left out
    """

    explain: str | None = None
    statements: dict[tuple[str, str], Statement] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    plans: list[str] = field(default_factory=list)
    _stage: str = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage, and the statements it runs meanwhile."""
        self._stage = name
        start = time.perf_counter()
        yield
        self.stages[name] = self.stages.get(name, 0) + time.perf_counter() - start

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Time whatever is sent to PostgreSQL, except COPY."""
        execute = psycopg.Cursor.execute

        def explained(cursor: Any, query: Any, params: Any = None, **more: Any) -> Any:
            if self.explain and re.search(self.explain, str(query)):
                return self._explained(execute, cursor, query, params)
            return timed(cursor, query, params, **more)

        timed = self._timed(execute, lambda cursor, query, *_: str(query))
        with (
            patch.object(psycopg.Cursor, "execute", explained),
            self._patched(psycopg.Cursor, "executemany", lambda _, query, *__: query),
            self._patched(psycopg, "connect", lambda *_: "connect"),
            self._patched(psycopg.Transaction, "__exit__", lambda *_: "commit"),
        ):
            yield

    def _patched(self, owner: Any, name: str, label: Callable[..., str]) -> Any:
        return patch.object(owner, name, self._timed(getattr(owner, name), label))

    def _timed(
        self, function: Callable[..., Any], label: Callable[..., str]
    ) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **options)
            self._add(
                label(*arguments),
                time.perf_counter() - start,
                max(getattr(arguments[0] if arguments else None, "rowcount", 0), 0),
            )
            return result

        return timed

    def _explained(
        self, execute: Callable[..., Any], cursor: Any, query: Any, params: Any
    ) -> Any:
        execute(cursor, f"EXPLAIN (ANALYZE, BUFFERS, WAL)\n{query}", params)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        self.plans.append(f"{self._stage}: {sentence(str(query))}\n{plan}\n")
        return cursor

    def _add(self, statement: str, seconds: float, rows: int) -> None:
        key = self._stage, sentence(statement)
        found = self.statements.setdefault(key, Statement())
        found.seconds += seconds
        found.calls += 1
        found.rows += rows


def sentence(statement: str) -> str:
    """Return a statement's first comment, or its beginning."""
    lines = statement.strip().splitlines()
    start = next((i for i, line in enumerate(lines[:3]) if line[:2] == "--"), None)
    if start is None:
        return " ".join(statement.split())[:90]
    said = []
    for line in lines[start:]:
        if line[:2] != "--":
            break
        said.append(line[2:].strip())
    return " ".join(said)


def run_stages(settings: Settings, profile: Profile) -> None:
    """Run vault, dictionaries and the marts, one after the other."""
    with profile.watching():
        with profile.stage("vault"):
            vault.run(settings, FOOD, Caller.in_shell("vault"))
        with profile.stage("dictionaries"):
            pipelines.look_up(settings, Caller.in_shell("dictionaries"))
        for name in load_marts("food"):
            with profile.stage(name):
                marts.run(settings, name, Caller.in_shell(name))


def show(profile: Profile, orders: int, least: float) -> None:
    """Print the statements of each stage, the most expensive first.

    :param least: leave out what costs fewer microseconds per order than this
    """
    console = Console(width=120)
    for stage, seconds in profile.stages.items():
        title = f"{stage}: {seconds / orders * 1e6:.1f} us per order"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        for column in ("us/order", "ms/call", "calls", "rows"):
            table.add_column(column, justify="right", min_width=8)
        table.add_column("statement", no_wrap=True, max_width=76)
        mine = {k: v for (name, k), v in profile.statements.items() if name == stage}
        rest = seconds
        for text, one in sorted(mine.items(), key=lambda item: -item[1].seconds):
            rest -= one.seconds
            if one.seconds / orders * 1e6 >= least:
                table.add_row(
                    f"{one.seconds / orders * 1e6:.2f}",
                    f"{one.seconds / one.calls * 1e3:.2f}",
                    str(one.calls),
                    str(one.rows),
                    text,
                )
        table.add_row(f"{rest / orders * 1e6:.2f}", "", "", "", "outside PostgreSQL")
        console.print(table)
    total = sum(profile.stages.values()) / orders * 1e6
    console.print(f"All: {total:.1f} us per order")
    for plan in profile.plans:
        console.print(plan, highlight=False, soft_wrap=True)
