"""Another cluster in the source's place: restored from a backup, or promoted."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.flights import source as names
from deploy.local import airline, connect
from deploy.local.cluster import Cluster
from palate.errors import SourceHeldError
from tests.flights.airline import Source, until
from tests.flights.loaded import Loaded

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.mark.timeout(900)
def test_point_22_cluster_that_was_restored_is_held_until_it_is_accepted(
    own: Source, tmp_path: Path
) -> None:
    stack = own.stack
    own.happen(20)
    with Loaded.of_stack(own) as loaded:
        loaded.reconcile()
        _back_up(own, tmp_path)
        own.happen(60, seed=31)
        with own.primary() as admin:
            for _ in range(4):
                admin.execute("CREATE TABLE IF NOT EXISTS public.wal AS SELECT 1")
                admin.execute("SELECT pg_switch_wal()")
                admin.execute("DROP TABLE public.wal")
        loaded.run()
        loaded.reconcile()
        assert loaded.alarms() == []
        was = loaded.rows("SELECT count(*) FROM dds.v_flight_history")

        _restore(own, tmp_path)
        own.happen(10, seed=37)
        own.settle()
        own.wait_for_standby()
        for _ in range(2):
            with pytest.raises(SourceHeldError, match="went back"):
                loaded.run()
        with pytest.raises(SourceHeldError, match="went back"):
            loaded.reconcile()
        assert loaded.alarms() == [("lsn", False)]

        assert loaded.accept() == 1
        loaded.run()
        loaded.reconcile(may_end_many=True)
        loaded.assert_equal()
        assert loaded.alarms() == [("lsn", True)]
        assert loaded.rows("SELECT count(*) FROM dds.v_flight_history") >= was
    assert stack.answers(connect.NAME)


def _back_up(source: Source, to: Path) -> None:
    stack = source.stack
    for part in (connect.NAME, airline.PRIMARY):
        stack.supervisor.stop(part)
    folder = Cluster(stack.var, airline.PRIMARY).folder
    subprocess.run(["cp", "-a", str(folder), str(to / "backup")], check=True)
    stack.up_services()


def _restore(source: Source, kept: Path) -> None:
    """Put the backup in the primary's place; make a new standby, take a snapshot."""
    stack = source.stack
    for part in (connect.NAME, airline.STANDBY, airline.PRIMARY):
        stack.supervisor.stop(part)
    for part in (airline.STANDBY, airline.PRIMARY):
        shutil.rmtree(Cluster(stack.var, part).folder)
    folder = Cluster(stack.var, airline.PRIMARY).folder
    subprocess.run(["cp", "-a", str(kept / "backup"), str(folder)], check=True)
    connect.offsets(stack.var).unlink()
    stack.supervisor.start_group(airline.PRIMARY)
    until(lambda: stack.answers(airline.PRIMARY), "the restored primary answers")
    source.drop_slot()
    stack.up_services()


@pytest.mark.timeout(900)
def test_point_22_promoted_standby_with_a_new_one_of_its_own(own: Source) -> None:
    stack = own.stack
    own.happen(30)
    with Loaded.of_stack(own) as loaded:
        loaded.reconcile()
        stack.supervisor.stop(connect.NAME)
        with own.application() as conn:
            conn.execute("DELETE FROM bookings.boarding_passes")
            conn.execute("INSERT INTO bookings.aircrafts VALUES ('NEW', '{}', 1)")
        own.wait_for_standby()
        stack.supervisor.stop(airline.PRIMARY)
        _promote(own)
        stack.supervisor.start_group(connect.NAME)
        until(lambda: stack.answers(connect.NAME), "the connector runs")
        own.happen(20, seed=17)
        env = stack.env()
        with loaded.changed(
            flights_standby_dsn=env["FLIGHTS_STANDBY_DSN"],
            flights_primary_dsn=env["FLIGHTS_PRIMARY_DSN"],
        ):
            loaded.run()
            assert loaded.unverified() == 1
            loaded.reconcile(may_end_many=True)
            loaded.assert_equal()
        assert loaded.alarms() == []


def _promote(source: Source) -> None:
    """Promote the standby; make a new one in the place of the primary that is gone."""
    stack = source.stack
    with source.standby() as conn:
        conn.execute("SELECT pg_promote()")
        conn.execute("SELECT pg_create_physical_replication_slot('airline_standby')")
    before = stack.ports
    stack.ports = replace(
        before, airline=before.airline_standby, airline_standby=before.airline
    )
    cluster = Cluster(stack.var, airline.PRIMARY)
    cluster.make_room()
    login = cluster.write(
        "pgpass", f"*:*:*:{names.STANDBY}:{source.secrets.airline_standby}\n"
    )
    primary = (
        f"host=127.0.0.1 port={stack.ports.airline} user={names.STANDBY}"
        f" passfile={login}"
    )
    cluster.fill(
        "pg_basebackup",
        f"--dbname={primary}",
        f"--pgdata={cluster.folder}",
        "--checkpoint=fast",
        "--write-recovery-conf",
    )
    cluster.configure("postgresql.auto.conf", "")
    airline._configure(cluster, stack.ports.airline_standby, primary)
    stack.supervisor.start_group(airline.PRIMARY)
    until(lambda: stack.answers(airline.STANDBY), "the new standby answers")
    connect.prepare(stack.var, stack.ports, source.secrets)
