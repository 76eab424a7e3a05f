"""What real Redis servers refuse, said in sentences; and a cluster of three."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from deploy.local.ports import HOST, Ports
from palate.clients.redis_connection import open_redis, read_values
from palate.engine.outcome import Caller
from palate.errors import (
    AccessDeniedError,
    PalateError,
    ServiceUnavailableError,
    SettingsError,
)
from palate.outbox.tag_states import State
from palate.publish import redis_tags
from palate.publish import stage as publish
from palate.settings import Settings, load_settings
from tests.integration.published import change_tags
from tests.redis_servers import redis_cluster, redis_server, url_of

AWAY, DENIED, WRONG = ServiceUnavailableError, AccessDeniedError, SettingsError
# What the documentation grants, in a cluster.
RIGHTS = (
    "%R~* ~tags:* ~palate-version:* +mget +eval +get +set +del +cluster|slots +command"
)
# Guests whose ids a cluster could put into two slots.
GUESTS = ["g1", "g2", "a{b}c", "a}b", "{", "{}x", "{{g}}", "имя", ""]


def state(guest: str, version: int = 1, *tags: str) -> State:
    return State(guest, version, tuple((tag, "2023-08-01T00:00:00Z") for tag in tags))


@pytest.fixture
def server(tmp_path: Path) -> Iterator["redis.Redis"]:
    with redis_server(tmp_path, "--enable-protected-configs", "yes") as client:
        yield client


def _fill(server: "redis.Redis") -> str:
    server.config_set("maxmemory", "1")
    return url_of(server)


def _make_replica(server: "redis.Redis") -> str:
    server.replicaof(HOST, "1")
    return url_of(server)


def _lose_primary(server: "redis.Redis") -> str:
    server.config_set("replica-serve-stale-data", "no")
    return _make_replica(server)


def _break_disk(server: "redis.Redis") -> str:
    # A folder has the name under which it saves.
    folder = Path(server.config_get("dir")["dir"])
    (folder / "taken").mkdir()
    server.config_set("dbfilename", "taken")
    server.config_set("save", "3600 1")
    with pytest.raises(redis.ResponseError):
        server.save()
    server.bgsave()
    while server.info("persistence")["rdb_bgsave_in_progress"]:
        pass
    return url_of(server)


def _demand_replicas(server: "redis.Redis") -> str:
    server.config_set("min-replicas-to-write", 1)
    return url_of(server)


def _take_connections(server: "redis.Redis") -> str:
    server.config_set("maxclients", 1)
    return url_of(server)


def _ask_password(server: "redis.Redis") -> str:
    server.config_set("requirepass", "right")
    return url_of(server, ":wrong")


def _know_nobody(server: "redis.Redis") -> str:
    return url_of(server, "nobody:wrong")


def _forbid_writing(server: "redis.Redis") -> str:
    server.acl_setuser(
        "reader", enabled=True, passwords=["+pw"], keys=["*"], commands=["+mget"]
    )
    return url_of(server, "reader:pw")


def _forbid_keys(server: "redis.Redis") -> str:
    commands = ["+mget", "+eval", "+get", "+set", "+del"]
    server.acl_setuser(
        "other", enabled=True, passwords=["+pw"], keys=["else"], commands=commands
    )
    return url_of(server, "other:pw")


def _no_database(server: "redis.Redis") -> str:
    return url_of(server, database=99)


REFUSALS: dict[str, tuple[Callable[..., str], type[PalateError], str]] = {
    "full": (_fill, AWAY, "is full and takes no writes (maxmemory). Raise maxmemory"),
    "replica": (_make_replica, AWAY, "is a replica, which takes no writes. Name the"),
    "replica alone": (_lose_primary, AWAY, "is a replica that has lost its primary"),
    "disk": (_break_disk, AWAY, "can't write its data to its disk"),
    "few replicas": (_demand_replicas, AWAY, "has fewer replicas than it demands"),
    "connections": (_take_connections, AWAY, "has no connection left (maxclients)"),
    "password": (_ask_password, DENIED, "refuses the login of user default"),
    "user": (_know_nobody, DENIED, "refuses the login of user nobody"),
    "command": (_forbid_writing, DENIED, "does not let user reader do it"),
    "keys": (_forbid_keys, DENIED, "does not let user other do it"),
    "database": (_no_database, WRONG, "has no database 99"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal_is_a_sentence_with_its_cause(server: "redis.Redis", case: str) -> None:
    harm, kind, sentence = REFUSALS[case]
    url = harm(server)
    error = _write(_at(url))
    assert type(error) is kind
    assert sentence in str(error)
    assert f"{HOST}:{url.rpartition(':')[2].partition('/')[0]}" in str(error)
    assert "it runs" not in str(error)  # it does
    assert error.is_worth_retrying is (kind is AWAY)


def test_loading_server_is_told_from_one_that_is_away(tmp_path: Path) -> None:
    with redis_server(tmp_path) as client:
        client.mset({f"key-{number}": number for number in range(2_000)})
        client.save()
    slowly = ("--key-load-delay", "5000", "--loading-process-events-interval-bytes")
    with redis_server(tmp_path, *slowly, "1024") as client:
        error = _write(_at(url_of(client)))
    assert "is reading its data from disk after a start" in str(error)
    assert isinstance(error, AWAY)


def test_nobody_there_and_unknown_name_are_told_apart() -> None:
    port = Ports.free().redis
    error = _write(_at(f"redis://{HOST}:{port}/0"))
    assert f"{HOST}:{port} does not answer: nobody listens there. Check that it" in str(
        error
    )
    error = _write(_at("redis://nowhere.invalid:6379/0"))
    assert "the name nowhere.invalid is not known" in str(error)


def test_error_names_no_guest(server: "redis.Redis") -> None:
    error = _write(_at(_fill(server)), state("a guest's id", 1, "a tag"))
    assert "guest" not in str(error)
    assert "a tag" not in str(error)


def test_failures_of_outlets_end_as_the_one_that_time_may_heal(
    server: "redis.Redis", warehouse: Settings, connection: psycopg.Connection
) -> None:
    change_tags(connection, {"g1": ["a"]})
    denied = _changed(warehouse, redis_url=_forbid_writing(server))
    with pytest.raises(AccessDeniedError, match="does not let user reader"):
        publish.run(denied, Caller.in_shell("publish"))

    change_tags(connection, {"g1": ["b"]})
    nowhere = f"{HOST}:{Ports.free().kafka}"
    both = _changed(denied, kafka_bootstrap=nowhere, palate_kafka_timeout=1)
    with pytest.raises(ServiceUnavailableError, match="does not let user reader"):
        publish.run(both, Caller.in_shell("publish"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list["redis.Redis"]]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


def test_cluster_gives_dictionaries_and_takes_tags(
    cluster: list["redis.Redis"],
) -> None:
    settings = _at(url_of(cluster[1]))
    with open_redis(settings, "a test", "") as client:
        assert isinstance(client, redis.RedisCluster)
        redis_tags.warn_of_eviction(client)
        keys = [f"entry-{number}" for number in range(600)]
        for key in keys[::2]:
            client.set(key, f"value of {key}")
        client.rpush("entry-1", "another type")
        expected = [
            None if number % 2 else f"value of {key}".encode()
            for number, key in enumerate(keys)
        ]
        assert read_values(client, keys) == expected

        first = [state(guest, 1, "one") for guest in GUESTS]
        assert redis_tags.write(client, first) == len(GUESTS)
        assert redis_tags.write(client, [state(guest, 3) for guest in GUESTS[:1]]) == 1
        older = [state(guest, 2, "two") for guest in GUESTS]
        assert redis_tags.write(client, older) == len(GUESTS) - 1
        found = read_values(client, [redis_tags.tags_key(guest) for guest in GUESTS])
    assert [value and json.loads(value) for value in found] == [
        None,
        *[["two"]] * (len(GUESTS) - 1),
    ]


def test_user_of_a_cluster_needs_no_more_rights_than_documented(
    cluster: list["redis.Redis"],
) -> None:
    for node in cluster:
        node.execute_command(
            *("ACL", "SETUSER", "palate", "reset", "on", ">pw"), *RIGHTS.split()
        )
    settings = _at(url_of(cluster[0], "palate:pw"))
    with open_redis(settings, "a test", "") as client:
        newest = [state(guest, 9) for guest in GUESTS]
        assert redis_tags.write(client, newest) == len(GUESTS)
        assert read_values(client, ["nothing"]) == [None]
    for node in cluster:
        node.execute_command("ACL", "SETUSER", "palate", "-cluster|slots")
    error = _write(settings)
    assert isinstance(error, AccessDeniedError)
    assert "CLUSTER SLOTS" in str(error)


def test_cluster_has_one_database(cluster: list["redis.Redis"]) -> None:
    error = _write(_at(url_of(cluster[0], database=1)))
    assert "is a cluster, which has no database 1. Say /0" in str(error)
    assert isinstance(error, SettingsError)


def test_cluster_without_all_its_slots_is_down(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--cluster-enabled", "yes") as client:
        error = _write(_at(url_of(client)))
    assert "a node of a cluster that can't be used: " in str(error)
    assert isinstance(error, ServiceUnavailableError)


def _at(url: str) -> Settings:
    return load_settings(dwh_dsn="postgresql:///none", redis_url=url)


def _write(settings: Settings, *states: State) -> PalateError:
    with (
        pytest.raises(PalateError) as raised,
        open_redis(settings, "the tags of the app", "Marts are kept up.") as client,
    ):
        redis_tags.write(client, states or [state("g1")])
    return raised.value


def _changed(settings: Settings, **values: Any) -> Settings:
    return Settings.model_validate({**settings.model_dump(), **values})
