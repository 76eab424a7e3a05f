"""Another cluster in the source's place: restored from a backup, or promoted."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import airline, connect
from deploy.local.cluster import Cluster
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from palate.errors import SourceHeldError
from tests.flights.airline import Source, until
from tests.flights.loaded import Loaded

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture
def own() -> Iterator[Source]:
    """Run a source that this test alone has: it won't be what it was."""
    var = Path(tempfile.mkdtemp(prefix="palate-"))
    var.chmod(0o755)
    stack = Stack(var, Ports.free(), areas="food,flights")
    try:
        stack.up_services()
        found = Source(stack)
        found.fill()
        yield found
    finally:
        stack.down(wipe=True)
        shutil.rmtree(var, ignore_errors=True)


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
