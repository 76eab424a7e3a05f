"""Runs: events go to Kafka and Redis, and into the journal."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

from palate.settings import Settings
from palate.simulate.errors import JournalError, SendError
from palate.simulate.journal import Journal, Run, WorldSize
from palate.simulate.messages import Topics
from palate.simulate.model import Arrival, Entry, Event, Position, Version
from palate.simulate.orders import FIRST_ORDER_ID
from palate.simulate.services import Dictionaries, Kafka
from palate.simulate.world import World
from palate.sources import catalog

log = logging.getLogger(__name__)

# Whose sender this stands in for, and the two forms that it sends.
_AREA = "food"
_FORMS = ("raw", "enriched")

_AT_ONCE = 500  # messages between two checks of acknowledgements
_RECENT = 1000

Report = Callable[[Event | None], None]
"""Called with each event that was sent; with None while nothing happens."""


@dataclass
class Past:
    """What a new run has to know of the earlier ones."""

    next_order_id: int = FIRST_ORDER_ID
    entries: list[Entry] = field(default_factory=list)
    recent: deque[Version] = field(default_factory=lambda: deque(maxlen=_RECENT))
    last_offsets: dict[tuple[str, int], int] = field(default_factory=dict)

    def add_message(self, version: Version, position: Position, _: int) -> None:
        """Add a message."""
        self.next_order_id = max(self.next_order_id, version.order_id + 1)
        self.recent.append(version)
        self._saw(position)

    def add_refused(self, _: str, position: Position) -> None:
        """Add a message that must be refused."""
        self._saw(position)

    def add_entry(self, entry: Entry) -> None:
        """Add a dictionary entry."""
        self.entries.append(entry)

    def check(self, position: Position) -> None:
        """Check that a message's position is after all earlier ones.

        :raises JournalError: if its topic was deleted and created anew
        """
        partition = (position.topic, position.partition)
        if position.offset <= self.last_offsets.get(partition, -1):
            raise JournalError(
                f"The topic {position.topic} was made anew since the last run, so what "
                "was sent before is gone. Start anew with `palate simulate reset`."
            )

    def _saw(self, position: Position) -> None:
        partition = (position.topic, position.partition)
        last = self.last_offsets.get(partition, -1)
        self.last_offsets[partition] = max(last, position.offset)


@dataclass
class Summary:
    """What a run has sent."""

    orders: set[int] = field(default_factory=set)
    messages: int = 0
    entries: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def __str__(self) -> str:
        rate = self.messages / self.seconds if self.seconds else 0
        refused = f", {self.refused.total():,} to be refused" if self.refused else ""
        return (
            f"{self.messages:,} messages ({len(self.orders):,} orders{refused}) and "
            f"{self.entries:,} dictionary entries in {self.seconds:.1f} s "
            f"({rate:,.0f} messages a second)"
        )

    def to_dict(self) -> dict[str, object]:
        """Return the summary for JSON."""
        return {
            "orders": len(self.orders),
            "messages": self.messages,
            "entries": self.entries,
            "refused": dict(sorted(self.refused.items())),
            "seconds": round(self.seconds, 3),
        }


class Sender:
    """Sends the events of one run."""

    def __init__(
        self,
        run: Run,
        past: Past,
        kafka: Kafka,
        dictionaries: Dictionaries,
        own_time: bool = False,
    ) -> None:
        """Send as ``run``.

        :param own_time: records have the world's time of sending, not the real one
        """
        self.summary = Summary()
        self.run = run
        self.past = past
        self._kafka = kafka
        self._dictionaries = dictionaries
        self._report: Report = lambda _: None
        self._own_time = own_time

    def send_all(self, events: Iterable[Event], report: Report) -> None:
        """Send the events as fast as they come."""
        with self._timed(report):
            for number, event in enumerate(events):
                self._send(event)
                if number % _AT_ONCE == 0:
                    self._note()

    def send_in_time(
        self, events: Iterable[Event], report: Report, until: float | None = None
    ) -> None:
        """Send each event when its time has come.

        :param until: when to stop, in seconds since 1970 UTC
        """
        with self._timed(report):
            for number, event in enumerate(events):
                at = event.at if until is None else min(event.at, until)
                if number % _AT_ONCE == 0 or time.time() < at:
                    self._note(wait=time.time() < at)
                while (pause := at - time.time()) > 0:
                    report(None)
                    time.sleep(min(pause, 0.2))
                if until is not None and event.at > until:
                    return
                self._send(event)

    @contextmanager
    def _timed(self, report: Report) -> Iterator[None]:
        self._report, begin = report, time.monotonic()
        try:
            yield
        except SendError:
            self.run.flush()
            raise
        except BaseException:
            # On Ctrl-C too: messages in flight still arrive, so they must be recorded.
            self._note(wait=True)
            self.run.end()
            raise
        self._note(wait=True)
        self.run.end()
        self.summary.seconds = time.monotonic() - begin

    def _send(self, event: Event) -> None:
        if isinstance(event, Arrival):
            self.run.add_entry(event.entry)
            self._dictionaries.write(event.entry)
            self.summary.entries += 1
            self._report(event)
        else:
            self._kafka.send(event, event.at * 1000 if self._own_time else None)

    def _note(self, wait: bool = False) -> None:
        summary = self.summary
        for message, position, broker_ms in self._kafka.acknowledged(wait):
            self.past.check(position)
            self.run.add(message, position, broker_ms)
            summary.messages += 1
            if message.version is not None:
                summary.orders.add(message.version.order_id)
            else:
                summary.refused[message.reason or ""] += 1
            self._report(message)
        self.run.flush()


@contextmanager
def sender(
    kind: str,
    settings: Settings,
    journal: Journal,
    size: WorldSize,
    own_time: bool = False,
) -> Iterator[tuple[Sender, World]]:
    """Open all that a run needs: the services, the journal, and the world as it is.

    :param kind: the name of the run in the journal
    """
    topics = topics_of(settings)
    with ExitStack() as stack:
        kafka = stack.enter_context(Kafka(settings, (topics.raw, topics.enriched)))
        dictionaries = Dictionaries(settings)
        stack.callback(dictionaries.close)
        run = stack.enter_context(journal.run(kind, size))
        past, world = _recall(journal, size)
        yield Sender(run, past, kafka, dictionaries, own_time), world


def write_dictionaries(
    settings: Settings,
    journal: Journal,
    size: WorldSize,
    entries_of: Callable[[World], Iterable[Entry]],
) -> Summary:
    """Write dictionary entries to Redis, as a run of their own.

    :param entries_of: which entries of the world as it is
    """
    summary, begin = Summary(), time.monotonic()
    dictionaries = Dictionaries(settings)
    with closing(dictionaries), journal.run("dictionaries", size) as run:
        _, world = _recall(journal, size)
        for entry in entries_of(world):
            run.add_entry(entry)
            dictionaries.write(entry)
            summary.entries += 1
        run.end()
    summary.seconds = time.monotonic() - begin
    return summary


def _recall(journal: Journal, size: WorldSize) -> tuple[Past, World]:
    past = Past()
    if cut_off := journal.replay(past):
        log.warning(
            "%s was cut off. What it sent last isn't noted, so the truth may lack it: "
            "`palate simulate reset` and a new topic start anew.",
            ", ".join(path.name for path in cut_off),
        )
    world = World(size.seed, size.users, size.restaurants, size.dishes)
    world.restore(past.entries)
    return past, world


def topics_of(settings: Settings) -> Topics:
    """Return the first topic of each form.

    :raises JournalError: if a form has no topic
    """
    topics = catalog.topics(settings, catalog.load_area(_AREA))
    by_form = {form: topic for topic, form in reversed(topics.items())}
    missing = [form for form in _FORMS if form not in by_form]
    if missing:
        raise JournalError(
            f"PALATE_TOPICS names no topic for the form {missing[0]!r}: add one."
        )
    return Topics(*(by_form[form] for form in _FORMS))
