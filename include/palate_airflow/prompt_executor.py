"""The executor of one machine, which reacts as soon as something happens (ADR 0019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.executors.local_executor import LocalExecutor

if TYPE_CHECKING:
    from airflow.executors.workloads import ExecutorWorkload
    from sqlalchemy.orm import Session

# A turn of the scheduler costs 16 ms of CPU. While a task runs, a short pause keeps the
# hop to the next one short; while none does, only a new run waits.
_SECONDS_AT_WORK = 0.05
_SECONDS_IDLE = 0.2


class PromptExecutor(LocalExecutor):
    """A LocalExecutor that paces the scheduler by what there is to do.

    The scheduler itself sleeps equally long between two turns whether tasks run or not,
    and a task's end does not wake it. Here the pause is part of the turn: it ends as
    soon as a task ends. ``[scheduler] scheduler_idle_sleep_time``, which is added,
    should be next to nothing.
    """

    _has_taken_work = False

    def queue_workload(self, workload: ExecutorWorkload, session: Session) -> None:
        """Take a task; there may be another one for the next turn."""
        self._has_taken_work = True
        super().queue_workload(workload, session)

    def sync(self) -> None:
        """Pause, unless tasks were taken in this turn; then do as a LocalExecutor."""
        if not self._has_taken_work:
            pause = _SECONDS_AT_WORK if self.running else _SECONDS_IDLE
            # It has no other way to wait, but forever.
            self.result_queue._reader.poll(pause)  # type: ignore[attr-defined]
        self._has_taken_work = False
        super().sync()
