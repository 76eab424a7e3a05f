"""What a state of the pipeline means: good, a warning or bad, in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from palate.counted import counted, duration
from palate.incidents import Incident, Kind
from palate.landing import replays
from palate.monitoring import Freshness
from palate.reads.status import LogStatus, Status

# Of the promised time: what has waited for longer is likely to miss it.
_NEARLY = 0.5
_OWN = "own_message"
_SHOWN_INCIDENTS = 3


class State(StrEnum):
    """How well something is; what nobody knows is no better than ``WARN``."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


_RANK = list(State)


@dataclass(frozen=True)
class Tile:
    """One answer in words; ``page`` is the page of the cockpit that says more."""

    name: str
    label: str
    state: State
    value: str
    more: str
    page: str | None = None


def worst(states: Iterable[State]) -> State:
    """Return the worst of some states."""
    return max(states, key=_RANK.index)


def tiles(
    found: Status, topics: Iterable[str], incidents: Sequence[Incident]
) -> tuple[Tile, ...]:
    """Return the answers about freshness, lag, refused messages and incidents.

    :param topics: those of Kafka; other logs are feeds that Palate numbers itself
    """
    return (
        _promise(found),
        _behind(found, set(topics)),
        _refused(found, incidents),
        _open(found, incidents),
    )


def sentence(
    found: Status, topics: Iterable[str], incidents: Sequence[Incident]
) -> str:
    """Return the answer as one line: where the messages are, then what is not well."""
    silent = silence(found)
    names = set(topics)
    logs = [log for log in found.logs if log.lag and log.topic in names]
    said = []
    if logs:
        topic = _longest(logs).topic
        own = [log for log in logs if log.topic == topic]
        lag = counted(sum(log.lag for log in own), "message")
        least = "at least " if silent else ""
        said.append(f"{topic} is {least}{lag} behind, {_age(_longest(own))}")
    elif not silent:
        said.append("All messages are in the marts")
    if silent:
        said.append(_begun(silent))
    broken = [one.area for one in found.promises if not one.is_kept]
    if broken:
        said.append(f"The promise of {', '.join(broken)} is broken")
    if incidents:
        said.append(counted(len(incidents), "incident is open", "incidents are open"))
    if number := _refusals(found):
        is_one = number == 1 and "refused" not in found.cut
        what = "refused message is" if is_one else "refused messages are"
        said.append(_begun(f"{_number('refused', number, found)} {what} not dismissed"))
    if found.filling:
        new = counted(len(found.filling), "new table is", "new tables are")
        said.append(f"{new} being filled from the history")
    return ". ".join(said) + "."


def _begun(text: str) -> str:
    """Return text as a sentence begins."""
    return text[0].upper() + text[1:]


def silence(found: Status) -> str | None:
    """Return why nobody knows all that waits on the broker; None if it is known."""
    promise = found.promises[0]
    if promise.is_watched:
        names = ", ".join(found.unseen)
        there = "so nobody knows what waits there"
        return f"the watch does not see {names}, {there}" if names else None
    if promise.watched_dt is None:
        return "the watch has never run, so nobody sees what waits on the broker"
    return (
        f"the watch has not run since {promise.watched_dt:%F %T} UTC, so nobody sees "
        "what waits on the broker"
    )


def of_log(log: LogStatus, found: Status, is_feed: bool = False) -> State:
    """Return how well a log is, by how long its oldest message has waited.

    :param is_feed: it is Palate's own: the stages that take it take messages too
    """
    if log.why_stopped:
        return State.BAD
    if is_feed:
        return State.GOOD
    if log.lag:
        (promised,) = (
            one.promised_seconds for one in found.promises if one.area == log.area
        )
        return _of_age(log.oldest_waiting_seconds, promised)
    return State.GOOD if is_seen(log, found) else State.WARN


def is_seen(log: LogStatus, found: Status) -> bool:
    """Return whether it is known where a log of Kafka ends."""
    names = {log.topic, f"{log.topic}[{log.partition}]"}
    return found.promises[0].is_watched and names.isdisjoint(found.unseen)


def _of_age(seconds: float | None, promised: float) -> State:
    if seconds is None:
        return State.WARN
    if seconds > promised:
        return State.BAD
    return State.WARN if seconds > promised * _NEARLY else State.GOOD


def _promise(found: Status) -> Tile:
    ordered = sorted(found.promises, key=_share, reverse=True)
    state, value = worst(map(_of_promise, ordered)), "Kept"
    more = "; ".join(f"{one.area}: {_waits(one)}" for one in ordered)
    if not all(one.is_kept for one in ordered):
        state, value = State.BAD, "Broken"
    elif silent := silence(found):
        state, value, more = State.WARN, "Not known", silent
    elif state != State.GOOD:
        value = "Nearly broken"
    return Tile("promise", "Promise of freshness", state, value, more)


def _of_promise(promise: Freshness) -> State:
    return _of_age(promise.waiting_seconds, promise.promised_seconds)


def _share(promise: Freshness) -> tuple[bool, float]:
    waiting = promise.waiting_seconds or 0
    return not promise.is_kept, waiting / promise.promised_seconds


def _waits(promise: Freshness) -> str:
    within = f"promised within {duration(promise.promised_seconds)}"
    if promise.waiting_seconds is None:
        return f"some wait, nobody knows for how long, {within}"
    if not promise.waiting_seconds:
        return f"nothing waits, {within}"
    return f"the oldest waits for {duration(promise.waiting_seconds)}, {within}"


def _behind(found: Status, topics: set[str]) -> Tile:
    behind = [log for log in found.logs if log.lag and log.topic in topics]
    lag = sum(log.lag for log in behind)
    state, value = State.GOOD, "Nothing waits"
    more = counted(sum(log.topic in topics for log in found.logs), "partition")
    if behind:
        oldest = _longest(behind)
        state = worst(of_log(log, found) for log in behind)
        value = f"{lag:,} behind"
        more = f"{oldest.topic}[{oldest.partition}], {_age(oldest)}"
    elif own := sum(log.lag for log in found.logs):
        more += f"; of Palate's own feeds {own:,} behind"
    if silent := silence(found):
        state = worst((state, State.WARN))
        value = f"At least {lag:,} behind" if lag else "Not known"
        more = more if lag else silent
    return Tile("lag", "Messages not in the marts", state, value, more)


def _longest(logs: Iterable[LogStatus]) -> LogStatus:
    """Return the log whose oldest message has waited the longest."""
    return max(logs, key=lambda log: (log.oldest_waiting_seconds or 0, log.lag))


def _age(log: LogStatus) -> str:
    if log.oldest_waiting_seconds is None:
        return "nobody knows for how long"
    return f"the oldest for {duration(log.oldest_waiting_seconds)}"


def _refused(found: Status, incidents: Sequence[Incident]) -> Tile:
    number = _refusals(found)
    own = found.refused.get(_OWN, 0)
    state = State.WARN if number > own else State.GOOD
    if any(one.kind is Kind.REFUSED_SHARE for one in incidents):
        state = State.BAD
    reasons = sorted(found.refused.items(), key=lambda one: (-one[1], one[0]))
    more = ", ".join(f"{reason} {count:,}" for reason, count in reasons)
    if "refused" in found.cut:
        more = ", ".join(reason for reason, _ in reasons)
    elif own:
        more += f". {replays.describe_own(own)}"
    value = _number("refused", number, found) if number else "None"
    return Tile(
        "refused",
        "Refused, not dismissed",
        state,
        _begun(value),
        more or "no message waits for a decision",
        "/refused",
    )


def _refusals(found: Status) -> int:
    return sum(found.refused.values())


def _number(name: str, number: int, found: Status) -> str:
    if name in found.cut:
        return f"more than {number:,}"
    return f"{number:,}"


def _open(found: Status, incidents: Sequence[Incident]) -> Tile:
    listed = "; ".join(
        f"{one.kind} {one.subject}" for one in incidents[:_SHOWN_INCIDENTS]
    )
    if len(incidents) > _SHOWN_INCIDENTS:
        listed += f"; {len(incidents) - _SHOWN_INCIDENTS:,} more"
    state = State.BAD if incidents else State.GOOD
    if silent := silence(found):
        state, listed = worst((state, State.WARN)), listed or silent
    return Tile(
        "incidents",
        "Open incidents",
        state,
        f"{len(incidents):,}" if incidents else "None",
        listed or "no alarm stands",
        "/incidents",
    )
