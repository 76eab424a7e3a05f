"""What was sent, on disk: the simulator's memory from one command to the next.

One file per run, a JSON array per line, only ever appended to:

- ``["t", text]`` and ``["l", product_id, name, category, price, quantity]`` number the
  texts and order lines of the file, from 0 on, so that messages can be short
- ``["m", order_id, version_dt, sent_dt, date, user, restaurant, status, [line, ...],
  topic, partition, offset, broker_ms]`` is an acknowledged message
- ``["r", reason, topic, partition, offset]`` is one that must be refused
- ``["e", id, version_dt, name, login, menu]`` is a dictionary entry
- ``["end"]`` closes a run that was not cut off

A message is written when the broker has acknowledged it, an entry before it goes to
Redis.
"""

import fcntl
import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, TextIO

from palate.simulate.errors import JournalBusyError, JournalError
from palate.simulate.model import Entry, Line, MenuLine, Message, Position, Version

_FORGET = "Start anew with `palate simulate reset`, or give another --state folder."


class Listener(Protocol):
    """A consumer of what was sent, such as ``Truth``."""

    def add_message(
        self, version: Version, position: Position, broker_ms: int
    ) -> object:
        """Add a message with its position and the broker's time."""

    def add_refused(self, reason: str, position: Position) -> object:
        """Add a message that must be refused."""

    def add_entry(self, entry: Entry) -> object:
        """Add a dictionary entry."""


@dataclass(frozen=True)
class WorldSize:
    """What a world is made from."""

    seed: int = 7
    users: int = 100
    restaurants: int = 4
    dishes: int = 133


class Journal:
    """All runs of one world, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def world(self, **given: int | None) -> WorldSize:
        """Return the world of this journal, or the one given if there is none yet.

        :raises JournalError: if another world is asked for than the journal's
        """
        asked = {name: value for name, value in given.items() if value is not None}
        path = self.folder / "world.json"
        if not path.exists():
            return WorldSize(**asked)
        known: dict[str, int] = json.loads(path.read_text())
        for name, value in asked.items():
            if known[name] != value:
                raise JournalError(
                    f"{self.folder} holds a world of {name} {known[name]}, not {value}."
                    f" {_FORGET}"
                )
        return WorldSize(**known)

    @contextmanager
    def run(self, kind: str, size: WorldSize) -> Iterator["Run"]:
        """Open a new run; while it is open no other can be.

        :raises JournalBusyError: if another process writes
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock():
            (self.folder / "world.json").write_text(json.dumps(asdict(size)) + "\n")
            number = len(self.runs()) + 1
            with (self.folder / f"{number:04}-{kind}.jsonl").open("x") as file:
                yield Run(file, number)

    def runs(self) -> list[Path]:
        """Return the files of the runs, the earliest first."""
        return sorted(self.folder.glob("[0-9]*-*.jsonl"))

    def replay(self, listener: Listener) -> list[Path]:
        """Pass what was sent to the listener, in the order in which it was written.

        :return: the runs that were cut off, or still go on: what the broker
            acknowledged in their last moment may be missing
        """
        collecting = gc.isenabled()
        # Millions of tuples without a cycle among them: the collector would walk them
        # again and again.
        gc.disable()
        try:
            return [path for path in self.runs() if not _Reader().read(path, listener)]
        finally:
            if collecting:
                gc.enable()

    def forget(self) -> None:
        """Remove all runs and the world.

        :raises JournalBusyError: if another process writes
        """
        if self.folder.exists():
            with self._lock():
                for path in (*self.runs(), self.folder / "world.json"):
                    path.unlink(missing_ok=True)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise JournalBusyError(
                    f"Another `palate simulate` is writing to {self.folder}: wait for "
                    "it, stop it, or give another --state folder."
                ) from None
            yield


class Run:
    """A run that is being written. Lines reach the file with ``flush``."""

    def __init__(self, file: TextIO, number: int) -> None:
        self.number = number
        self._file = file
        self._texts: dict[str, int] = {}
        self._lines: dict[Line, int] = {}

    def add(self, message: Message, position: Position, broker_ms: int) -> None:
        """Record a message that the broker has acknowledged."""
        topic, partition, offset = position
        place = f"{self._text(topic)},{partition},{offset}"
        version = message.version
        if version is None:
            self._file.write(f'["r","{message.reason}",{place}]\n')
            return
        lines = ",".join([str(self._line(line)) for line in version.lines])
        sent = f'"{version.sent_dt}"' if version.sent_dt is not None else "null"
        self._file.write(
            f'["m",{version.order_id},"{version.version_dt}",{sent},"{version.date}",'
            f"{self._text(version.user_id)},{self._text(version.restaurant_id)},"
            f"{self._text(version.status)},[{lines}],{place},{broker_ms}]\n"
        )

    def add_entry(self, entry: Entry) -> None:
        """Record a dictionary entry, at once: Redis gets it next."""
        menu = None
        if entry.menu is not None:
            menu = [[*line[:2], str(line.price), line.category] for line in entry.menu]
        self._put("e", entry.id, entry.version_dt, entry.name, entry.login, menu)
        self.flush()

    def flush(self) -> None:
        """Pass what was written to the operating system."""
        self._file.flush()

    def end(self) -> None:
        """Mark the run as complete: everything that was sent is recorded."""
        self._put("end")

    def _text(self, text: str) -> int:
        number = self._texts.get(text)
        if number is None:
            number = self._texts[text] = len(self._texts)
            self._put("t", text)
        return number

    def _line(self, line: Line) -> int:
        number = self._lines.get(line)
        if number is None:
            number = self._lines[line] = len(self._lines)
            self._put("l", *line[:3], str(line.price), line.quantity)
        return number

    def _put(self, *record: Any) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")


class _Reader:
    """Reads one file."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._lines: list[Line] = []

    def read(self, path: Path, listener: Listener) -> bool:
        """Pass all to the listener; return whether the run was ended properly."""
        ended = path.stat().st_size == 0
        with path.open() as file:
            for number, text in enumerate(file, 1):
                if not text.endswith("\n"):
                    break  # the last line of a run that was cut off, or goes on
                try:
                    ended = self._pass_on(json.loads(text), listener)
                except (ValueError, LookupError, TypeError) as error:
                    raise JournalError(
                        f"{path}, line {number} can't be read ({error}). {_FORGET}"
                    ) from None
        return ended

    def _pass_on(self, record: list[Any], listener: Listener) -> bool:
        kind, texts = record[0], self._texts
        if kind == "m":
            (
                _,
                order_id,
                version_dt,
                sent_dt,
                date,
                user,
                restaurant,
                status,
                lines,
            ) = record[:9]
            topic, partition, offset, broker_ms = record[9:]
            version = Version(
                order_id,
                version_dt,
                sent_dt,
                date,
                texts[user],
                texts[restaurant],
                texts[status],
                tuple([self._lines[line] for line in lines]),
            )
            position = Position(texts[topic], partition, offset)
            listener.add_message(version, position, broker_ms)
        elif kind == "r":
            _, reason, topic, partition, offset = record
            listener.add_refused(reason, Position(texts[topic], partition, offset))
        elif kind == "t":
            texts.append(record[1])
        elif kind == "l":
            _, product_id, name, category, price, quantity = record
            self._lines.append(
                Line(product_id, name, category, _price(price), quantity)
            )
        elif kind == "e":
            _, entry_id, version_dt, name, login, menu = record
            if menu is not None:
                menu = tuple(
                    MenuLine(product_id, dish, _price(price), category)
                    for product_id, dish, price, category in menu
                )
            listener.add_entry(Entry(entry_id, version_dt, name, login, menu))
        return bool(kind == "end")


def _price(text: str) -> int | Decimal:
    return int(text) if text.isdigit() else Decimal(text)
