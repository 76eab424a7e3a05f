"""The positions of an open batch, where the batch's statements find them."""

from psycopg.types.json import Jsonb

from palate.database import Connection
from palate.names import REPLAY_FEED
from palate.positions import Range
from palate.settings import Settings


def make_ranges(
    conn: Connection,
    settings: Settings,
    ranges: list[Range],
    *,
    judge_again: bool = False,
) -> None:
    """Make the temporary table ``batch_ranges`` of an open batch.

    A range of the replay feed stands for the positions that are queued in it.

    :param judge_again: whether what was refused may be accepted now
    """
    conn.execute(
        "CREATE TEMP TABLE batch_ranges ("
        ' topic text COLLATE "C", epoch integer, kafka_partition integer,'
        " from_offset bigint, to_offset bigint, form text, is_replay boolean"
        ") ON COMMIT DROP"
    )
    forms = settings.palate_topics
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO batch_ranges VALUES (%s, %s, %s, %s, %s, %s, FALSE)",
            [
                (
                    item.log.topic,
                    item.log.epoch,
                    item.log.partition,
                    item.start,
                    item.end,
                    forms.get(item.log.topic),
                )
                for item in ranges
                if item.log.topic != REPLAY_FEED
            ],
        )
    for item in ranges:
        if item.log.topic == REPLAY_FEED:
            conn.execute(
                "INSERT INTO batch_ranges SELECT DISTINCT topic, epoch,"
                " kafka_partition, kafka_offset, kafka_offset + 1,"
                " %(forms)s::jsonb ->> topic, %(judge_again)s FROM ops.replays"
                " WHERE replay_offset >= %(start)s AND replay_offset < %(end)s",
                {
                    "forms": Jsonb(forms),
                    "judge_again": judge_again,
                    "start": item.start,
                    "end": item.end,
                },
            )
