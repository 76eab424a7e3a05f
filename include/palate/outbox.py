"""The outbox of tags: what is to be published, entered where it changes.

A state enters in the transaction that changes the tags, so neither can be there
without the other. It is the guest's whole state: a newer one takes the place of one
that still waits, and the outbox never has more rows than there are guests.
"""

from palate.database import Connection
from palate.render import execute, render
from palate.stage import Batch


def enter_tags(conn: Connection, batch: Batch) -> None:
    """Enter the tags of the guests whose tags this open batch has changed.

    Expects the temporary table ``changed_guests (user_id uuid)``, and ``cdm.user_tags``
    as it will be. Each state gets a version greater than any before it: one session at
    a time gives them, from here to its commit, so they ascend as the commits do.
    """
    values = {"load_dt": batch.load_dt}
    taken = execute(conn, render("publish/next_versions.sql"), values).fetchone()
    if taken is None:
        return
    last_version, guests = taken
    values |= {"last_version": last_version, "guests": guests}
    execute(conn, render("publish/enter_tags.sql"), values)
    batch.counts["guests_entered"] += guests
