"""The reload of a week, as a multiple of its first load."""

from dataclasses import dataclass, field
from datetime import timedelta

from bench import orders
from bench.broker import make_topic, send
from bench.pipeline import check
from bench.samples import Samples
from bench.services import Services, console, now
from palate import reload
from palate.intervals import Request
from palate.run import run_pipeline
from palate.stage import shell_caller

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
                settings, shell_caller("reload"), Request(end - timedelta(days=7), end)
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
