"""The bell in Airflow's triggerer; ``palate.monitoring.bell`` decides when it rings.

An event has no payload: Airflow may drop or merge events (apache/airflow #56050), and
the ledger decides what a run takes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from palate_airflow import metrics

if TYPE_CHECKING:
    from palate.monitoring import bell
    from palate.settings import Settings

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 15.0
_SECONDS_BETWEEN_METRICS = 10.0
# The broker answers in milliseconds or not at all, and a trigger that ends waits for
# the current poll.
_KAFKA_SECONDS = 5


class KafkaBell(BaseEventTrigger):
    """Ring when messages begin to wait, and again while no run takes them.

    It also rings for dictionary entries that are due. The services' addresses come from
    the Airflow Connections; while one does not answer, it keeps trying.
    """

    def __init__(self, topics: list[str]) -> None:
        """Watch these topics.

        :param topics: part of the trigger's identity (apache/airflow #71460)
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.topics = topics

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and arguments that recreate it in the triggerer."""
        # Airflow stores this path, and would take another path for another trigger.
        return "kafka_bell.KafkaBell", {"topics": self.topics}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event whenever a run should start; never end."""
        loop = asyncio.get_running_loop()
        # One thread as long as the bell lives: neither client may be shared.
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bell")
        watch: bell.WaitingMessages | None = None
        failures = 0
        metrics_from = loop.time()
        try:
            while True:
                try:
                    if watch is None:
                        settings = await _settings()
                        watch = await loop.run_in_executor(thread, self._open, settings)
                    else:
                        await loop.run_in_executor(thread, watch.wait)
                    if loop.time() >= metrics_from:
                        metrics_from = loop.time() + _SECONDS_BETWEEN_METRICS
                        await loop.run_in_executor(thread, _send_metrics, settings)
                    is_ringing = await loop.run_in_executor(thread, watch.should_ring)
                # Any error: a trigger that ended would not be started again.
                except Exception as error:
                    if watch is not None:
                        thread.submit(watch.close)
                        watch = None
                    if not failures:
                        log.warning(
                            "The bell can't check and keeps trying; until then a run "
                            "starts every five minutes. %s",
                            error,
                        )
                    await asyncio.sleep(min(2.0**failures, _LONGEST_PAUSE))
                    failures += 1
                else:
                    if failures:
                        log.warning("The bell works again.")
                        failures = 0
                    if is_ringing:
                        yield TriggerEvent(None)
        finally:
            if watch is not None:
                thread.submit(watch.close)
            thread.shutdown(wait=False)

    def _open(self, settings: Settings) -> bell.WaitingMessages:
        from palate.monitoring import bell

        logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the bell reports itself
        return bell.WaitingMessages(settings, self.topics)


def _send_metrics(settings: Settings) -> None:
    """Send metrics of how far the marts are behind, whether or not a run starts."""
    if metrics.are_received():
        from palate.reads import status

        metrics.send_waiting(status.log_states(settings))


async def _settings() -> Settings:
    from palate_airflow.connections import trigger_settings

    settings = await trigger_settings()
    return settings.model_copy(update={"palate_kafka_timeout": _KAFKA_SECONDS})
