"""The reload of a week, as a multiple of its first load; and of part of a history."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

from bench import orders
from bench.broker import make_topic, send
from bench.pipeline import check
from bench.samples import Samples
from bench.services import Services, console, now
from bench.store import stage
from bench.system.growth import load
from palate.engine.outcome import Batch, Caller
from palate.engine.plans import ReadFrom, Request
from palate.history import reload
from palate.pipelines import run_pipeline
from palate.settings import Settings
from tests.food import FOOD

_DATABASE = "bench_reload"


@dataclass
class Times:
    """Seconds of the first load, of the reload after it, and of each layer."""

    load: Samples = field(default_factory=Samples)
    reload: Samples = field(default_factory=Samples)
    layers: dict[str, Samples] = field(default_factory=dict)


def measure(services: Services, *, messages: int, repetitions: int) -> Times:
    """Load a week from Kafka into a fresh warehouse, then reload it, in turns.

    :raises RuntimeError: if the reload found anything to heal, or the marts are wrong
    """
    topic = f"bench-orders-{now():%Y%m%dT%H%M%S}"
    settings = services.settings(_DATABASE, topic)
    make_topic(settings.kafka_bootstrap, topic)
    services.fill_dictionary(messages)
    send(settings.kafka_bootstrap, topic, 0, messages)
    end = now() + timedelta(hours=1)
    times = Times()
    for number in range(1, repetitions + 1):
        services.fresh_warehouse(_DATABASE)
        services.checkpoint()
        with times.load.timed():
            list(run_pipeline(settings))
        services.checkpoint()
        with times.reload.timed():
            found = reload.run_all(
                settings,
                FOOD,
                Caller.in_shell("reload"),
                Request(end - timedelta(days=7), end),
            )
        if found.healed or found.differing or found.positions != messages:
            message = f"The reload found what is not there: {found.as_dict()}"
            raise RuntimeError(message)
        for layer in found.layers:
            times.layers.setdefault(layer.name, Samples()).values.append(layer.seconds)
        console.print(f"{number} of {repetitions}")
    check(settings)
    return times


def show(times: Times, messages: int = orders.FIRST) -> None:
    """Print the medians, and the ratio."""
    layers = ", ".join(
        f"{name} {samples.median:.1f}" for name, samples in times.layers.items()
    )
    pairs = zip(times.reload.values, times.load.values, strict=True)
    ratio = Samples([again / first for again, first in pairs])
    print(
        f"{messages:,} orders: first load {times.load.median:.1f} s, reload "
        f"{times.reload.median:.1f} s ({layers}): {ratio.median:.2f} times "
        f"({min(ratio.values):.2f} to {max(ratio.values):.2f})"
    )


_STAGED_AT_ONCE = 50_000


class _KilledError(BaseException):
    """Kills a reload right after a batch."""


@dataclass(frozen=True)
class Part:
    """Seconds for the newest orders of a history: first load, reload, with kills."""

    history: int
    load: float
    reload: float
    layers: dict[str, float]
    kills: int
    killed: float


def measure_part(services: Services, *, history: int, messages: int) -> Part:
    """Load a history; reload its newest orders, also killed after every third batch.

    Their guests have no others: the reloaded part is the same in a history of any
    length. It reads STG only, so no broker is involved.

    :raises RuntimeError: if a reload found anything to heal, or the marts are wrong
    """
    settings = services.settings(_DATABASE)
    services.fresh_warehouse(_DATABASE)
    services.fill_dictionary(history)
    for start in range(0, history - messages, _STAGED_AT_ONCE):
        number = min(_STAGED_AT_ONCE, history - messages - start)
        stage(settings, number, orders.of_regular)
        load(settings)
    services.vacuum(_DATABASE)
    services.checkpoint()
    stage(settings, messages, orders.of_regular)
    times = Samples()
    with times.timed():
        load(settings)
    services.vacuum(_DATABASE)
    services.checkpoint()
    request = Request(
        orders.sent_at(history - messages), orders.sent_at(history), ReadFrom.STG
    )
    with times.timed():
        found = _reload(settings, Caller.in_shell("reload"), request, messages)
    layers = {layer.name: layer.seconds for layer in found.layers}
    services.checkpoint()
    with times.timed():
        kills = _reload_killed(settings, request, messages)
    check(settings)
    first, again, killed = times.values
    return Part(history, first, again, layers, kills, killed)


def _reload(
    settings: Settings, caller: Caller, request: Request, messages: int
) -> reload.ReloadReport:
    found = reload.run_all(settings, FOOD, caller, request)
    if found.healed or found.differing or found.positions != messages:
        message = f"The reload found what is not there: {found.as_dict()}"
        raise RuntimeError(message)
    return found


def _reload_killed(settings: Settings, request: Request, messages: int) -> int:
    caller = Caller.in_shell("reload")
    for kills in count():
        batches = count(1)

        def on_batch(_: str, __: Batch, batches: "count[int]" = batches) -> None:
            if next(batches) >= 3:
                raise _KilledError

        try:
            _reload(settings, replace(caller, on_batch=on_batch), request, messages)
        except _KilledError:
            continue
        return kills
    return 0


def show_parts(parts: list[Part], messages: int) -> None:
    """Print each, and what ten times the history costs."""
    for part in parts:
        layers = ", ".join(f"{name} {value:.1f}" for name, value in part.layers.items())
        print(
            f"{messages:,} of {part.history:,} orders: first load {part.load:.1f} s, "
            f"reload {part.reload:.1f} s ({layers}): {part.reload / part.load:.2f} "
            f"times; killed {part.kills} times: {part.killed:.1f} s, "
            f"{part.killed / part.load:.2f} times"
        )
    if len(parts) > 1:
        ratio = parts[-1].reload / parts[0].reload
        longer = parts[-1].history / parts[0].history
        print(f"In a history {longer:.0f} times as long: {ratio:.2f} times as long.")
