"""Move the drain over offsets that nobody has any more: an operator's decision."""

from palate import gaps, staging
from palate.epochs import known_epoch
from palate.errors import NotFoundError
from palate.kafka import open_reader
from palate.positions import Log, Range, watermarks
from palate.settings import Settings
from palate.stage import Caller, Outcome, open_run


def accept_gap(
    settings: Settings,
    caller: Caller,
    topic: str,
    partition: int,
    end: int,
    who: str,
    why: str,
) -> Outcome:
    """Move the drain's watermark to ``end``, and enter who decided it and why.

    That is a batch of the drain, under its lock, with its entry in the ledger. The
    stages behind pass over the offsets like over any that no message has.

    :raises NotFoundError: if these offsets are not all gone from the broker, or were
        read already
    """
    with (
        open_run(settings, staging.STAGE, caller) as attempt,
        open_reader(settings) as r,
    ):
        state = r.state(topic)
        log = Log(topic, known_epoch(attempt.conn, state), partition)
        begin = state.begin.get(partition)
        if begin is None:
            numbers = ", ".join(str(number) for number in sorted(state.begin))
            message = f"{topic} has no partition {partition}. It has: {numbers}."
            raise NotFoundError(message)
        start = watermarks(attempt.conn, staging.STAGE).get(log, begin)
        if start >= begin:
            message = (
                f"{log} has no gap: the broker still has offset {begin} and all after "
                f"it, and the next one to read is {start}. Nothing was changed."
            )
            raise NotFoundError(message)
        if not start < end <= begin:
            message = (
                f"{log}: the offsets {start} to {begin - 1} are gone, so --to must be "
                f"at least {start + 1} and at most {begin}, the first one that the "
                "broker still has. Nothing was changed."
            )
            raise NotFoundError(message)
        with attempt.batch([Range(log, start, end)]) as batch:
            batch.counts["given_up"] = end - start
            gaps.note_accepted(attempt.conn, log, start, end, who, why)
        return attempt.outcome
