"""All is stopped and started again; then the primary is gone for good.

The standby is promoted, and the connector pointed at it.

On PostgreSQL 15 no logical slot survives that: the connector makes a new one, and reads
all rows anew. LSNs go on upwards.
"""

from dataclasses import replace

import pytest

from deploy.local import airline, connect
from tests.flights.airline import Source, until

pytestmark = pytest.mark.slow


def test_connector_goes_on_after_a_restart_and_at_the_promoted_standby(
    own: Source,
) -> None:
    own.happen(30)
    stack = own.stack
    stack.down()
    stack.up_services()
    own.equal()
    before = max(one.lsn or 0 for one in own.messages())
    stack.supervisor.stop(connect.NAME)
    with own.application() as conn:
        conn.execute("DELETE FROM bookings.boarding_passes")
        conn.execute("INSERT INTO bookings.aircrafts VALUES ('NEW', '{}', 1)")
    own.wait_for_standby()
    stack.supervisor.stop(airline.PRIMARY)

    with own.standby() as conn:
        conn.execute("SELECT pg_promote()")
        slots = conn.execute("SELECT slot_type FROM pg_replication_slots").fetchall()
    assert slots == []
    stack.ports = replace(stack.ports, airline=stack.ports.airline_standby)
    connect.prepare(stack.var, stack.ports, own.secrets)
    stack.supervisor.start_group(connect.NAME)
    until(lambda: stack.answers(connect.NAME), "the connector runs")
    own.happen(30, seed=17)

    own.settle()
    found = own.differences()

    assert found.keys() <= {"boarding_passes"}
    for only_replayed, only_there, differing in found.values():
        assert only_replayed  # deleted while nobody listened
        assert not only_there
        assert not differing
    changes = [one.lsn or 0 for one in own.messages() if one.op in ("c", "u", "d")]
    assert max(changes) > before
