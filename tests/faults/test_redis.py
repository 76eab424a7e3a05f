"""Redis fails or has rubbish: orders load all the same, and names follow."""

import json
import time

import pytest

from deploy.local.stack import Stack
from tests.faults.conftest import MakeGround
from tests.faults.ground import Ground
from tests.faults.harm import kill, service, stopped
from tests.faults.table import Results
from tests.faults.traffic import RESTAURANTS, USERS
from tests.faults.worker import ENDLESS
from tests.model.history import Entry

RUBBISH = (
    b"",
    b"\xff\x00",
    b"null",
    b"[]",
    b"7",
    b'{"_id": "u0"}',
    b'{"_id": "u0", "name": "x", "update_ts_utc": "2023-02-30 00:00:00"}',
    b'{"_id": "u0", "name": "\\u0000", "update_ts_utc": "2023-02-03 00:00:00"}',
    b"{" * 100_000,
)


@pytest.mark.slow
def test_redis_pauses(ground: Ground, services: Stack, results: Results) -> None:
    """The orders are in the vault and counted before Redis answers again."""
    ground.send_traffic(30)
    with stopped(service(services, "redis")):
        ordinary = ("drain", "vault", "user_product_counters")
        assert ground.run(stages=ordinary)[0] == 0
        assert ground.run(stages=("dictionaries",))[0] == 1

    results.add("Redis paused", 1, ground.verdict())


@pytest.mark.parametrize("pulses", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_redis_is_slow(
    ground: Ground, services: Stack, results: Results, pulses: int
) -> None:
    """It stands still for most of the time, and answers in between."""
    ground.start(passes=ENDLESS)
    ground.start(passes=ENDLESS, stages=("sync",))
    process = service(services, "redis")
    for _ in range(pulses):
        ground.send_traffic(2)
        with stopped(process):
            time.sleep(0.3)
        time.sleep(0.1)
    ground.kill_workers()

    results.add("Redis slow, in pulses", pulses, ground.verdict())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_redis_killed(
    make_breakable_ground: MakeGround, breakable: Stack, results: Results
) -> None:
    """It comes back without a key, as a cache may, and is filled anew."""
    with make_breakable_ground() as ground:
        for _ in range(2):
            ground.start(passes=ENDLESS, pause=0.05)
        for _ in range(6):
            ground.send_traffic(20)
            kill(breakable, "redis")
            time.sleep(ground.random.uniform(0.1, 1))
            breakable.up_services()
            _fill_anew(ground)
        ground.kill_workers()

        results.add("Redis killed, and back without a key", 6, ground.verdict())


@pytest.mark.slow
def test_redis_down(
    make_breakable_ground: MakeGround, breakable: Stack, results: Results
) -> None:
    """The orders are counted all the same."""
    with make_breakable_ground() as ground:
        ground.send_traffic(30)
        breakable.supervisor.stop("redis")
        assert ground.run(stages=("drain", "vault", "user_product_counters"))[0] == 0
        code, made = ground.run(stages=("dictionaries",))
        breakable.up_services()

        assert code == 1
        assert "ServiceUnavailableError" in made.log.read_text()
        _fill_anew(ground)
        results.add("Redis down", 1, ground.verdict())


def test_keys_evicted(ground: Ground, results: Results) -> None:
    """What was known stays known."""
    ground.send_traffic(40)
    ground.settle()
    with ground.redis() as client:
        client.flushdb()
    ground.publish_again()
    ground.send_traffic(20)

    results.add("all keys evicted", 1, ground.verdict())


def test_wrong_types(ground: Ground, results: Results) -> None:
    """A list under a key counts as missing, and costs its neighbours nothing."""
    ground.send_traffic(30)
    wrong = (USERS[0], RESTAURANTS[0])
    with ground.redis() as client:
        for id in wrong:
            client.delete(id)
            client.rpush(id, "1", "2")
    ground.entries = [entry for entry in ground.entries if entry.id not in wrong]

    results.add("keys of another type", 2, ground.verdict())


def test_rubbish(ground: Ground, results: Results) -> None:
    ground.send_traffic(30)
    for value in RUBBISH:
        for id in (USERS[0], RESTAURANTS[0]):
            ground.put(Entry(id, value))
        ground.run(stages=("sync",))
    results.add("rubbish as values", 2 * len(RUBBISH), ground.verdict())


def test_entry_goes_back_in_time(ground: Ground, results: Results) -> None:
    """Both versions are kept, and each counts where its time says."""
    ground.send_traffic(40)
    ground.settle()
    for day in (9, 3, 1, 9):
        time_ = f"2023-08-0{day} 00:00:00"
        menu = [{"_id": "d1", "name": f"day {day}", "price": day, "category": "Суп"}]
        fields = {"name": f"day {day}", "update_ts_utc": time_}
        _put(ground, RESTAURANTS[0], menu=menu, **fields)
        _put(ground, USERS[0], login=f"day {day}", **fields)
        ground.run(stages=("sync", "user_product_counters", "user_category_counters"))

    results.add("entry goes back in time", 4, ground.verdict())


def _fill_anew(ground: Ground) -> None:
    with ground.redis() as client:
        client.flushdb()
    for entry in {entry.id: entry for entry in ground.entries}.values():
        ground.put(entry)
    ground.publish_again()


def _put(ground: Ground, id: str, **fields: object) -> None:
    ground.put(Entry(id, json.dumps({"_id": id, **fields}).encode()))
