"""The whole pipeline, Kafka to both marts, as a multiple of the floor."""

import time
from collections import defaultdict
from dataclasses import dataclass, field

from rich.progress import Progress

from bench import orders
from bench.broker import make_topic, send
from bench.floor import Floor
from bench.samples import Samples
from bench.services import Services, console, now
from palate.counted import counted
from palate.marts import compare
from palate.marts.definitions import load_marts
from palate.pipelines import run_pipeline
from palate.publish import stage as publish
from palate.settings import Settings
from palate.tags import stage as tags

_DATABASE = "bench_pipeline"
_AFTER_MARTS = (tags.STAGE, publish.STAGE)
FIRST_BATCH = orders.FIRST
# (messages, repetitions) on top of the first batch.
SMALL_BATCHES = ((5_000, 5), (1_000, 7), (100, 15), (5, 25))


@dataclass
class BatchTimes:
    """Seconds per message of one size of batch: each stage, and all of them."""

    messages: int
    stages: dict[str, Samples] = field(default_factory=dict)
    total: Samples = field(default_factory=Samples)

    def run(self, settings: Settings) -> None:
        """Run the pipeline over what waits on the broker; add the samples.

        The total is from Kafka to both marts; what follows them has a row of its own.
        """
        last = time.perf_counter()
        seconds: dict[str, float] = defaultdict(float)
        for outcome in run_pipeline(settings):
            at = time.perf_counter()
            # The marts run in parallel: what counts is when the last one is done.
            name = "marts" if outcome.stage.startswith("mart:") else outcome.stage
            seconds[name] += at - last
            last = at
        for name, took in seconds.items():
            samples = self.stages.setdefault(name, Samples())
            samples.values.append(took / self.messages)
        total = sum(seconds.values()) - sum(seconds[name] for name in _AFTER_MARTS)
        self.total.values.append(total / self.messages)


def measure(
    services: Services, *, repetitions: int, small: tuple[tuple[int, int], ...]
) -> tuple[Floor, list[BatchTimes]]:
    """Measure the floor and the pipeline in turns, then small batches.

    :raises RuntimeError: if the marts differ from the vault at the end
    """
    topic = f"bench-orders-{now():%Y%m%dT%H%M%S}"
    settings = services.settings(_DATABASE, topic)
    bootstrap = settings.kafka_bootstrap
    make_topic(bootstrap, topic)
    services.fill_dictionary(2 * FIRST_BATCH)
    total = 2 * repetitions + sum(times for _, times in small)
    with Progress(console=console) as progress:
        task = progress.add_task("Pipeline", total=total)
        sent = send(bootstrap, topic, 0, FIRST_BATCH)
        floor = Floor(services, topic)
        first = BatchTimes(FIRST_BATCH)
        for _ in range(repetitions):
            floor.measure()
            progress.advance(task)
            services.fresh_warehouse(_DATABASE)
            services.checkpoint()
            first.run(settings)
            progress.advance(task)
        results = [first]
        services.vacuum(_DATABASE)
        for messages, times in small:
            one = BatchTimes(messages)
            results.append(one)
            for _ in range(times):
                sent = send(bootstrap, topic, sent, messages)
                one.run(settings)
                progress.advance(task)
    check(settings)
    return floor, results


def check(settings: Settings) -> None:
    """Compare the marts with the vault.

    :raises RuntimeError: if they differ: then the times mean nothing
    """
    for name in load_marts("food"):
        number, examples = compare.differences(settings, name)
        if number:
            differing = counted(number, "row differs", "rows differ")
            message = f"{name}: {differing} from the vault, such as {examples}"
            raise RuntimeError(message)
