"""Each user of the stack's Redis can do its work, and no other's."""

from collections.abc import Iterator

import pytest
import redis

from deploy.local import redis_server
from deploy.local.ports import HOST
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from palate.clients.redis_connection import open_redis, read_values
from palate.errors import AccessDeniedError
from palate.outbox.tag_states import State
from palate.publish import redis_tags
from palate.settings import Settings, load_settings

ID = "0123456789abcdef01234567"


@pytest.fixture
def users(services: Stack) -> Iterator[dict[str, Settings]]:
    passwords = redis_server.users(Secrets.load(services.var / "secrets.json"))
    port = services.ports.redis
    yield {
        user: load_settings(
            dwh_dsn="postgresql:///none",
            redis_url=f"redis://{user}:{password}@{HOST}:{port}/0",
        )
        for user, password in passwords.items()
    }
    with redis.Redis.from_url(services.env()["REDIS_URL"]) as administrator:
        administrator.delete(
            ID, "tags:guest-of-acl", "palate-version:{tags:guest-of-acl}"
        )


def test_palate_reads_dictionaries_and_writes_tags_alone(
    users: dict[str, Settings],
) -> None:
    with open_redis(users["palate"], "a test", "") as client:
        assert redis_tags.write(client, [State("guest-of-acl", 1, ())]) == 1
        assert read_values(client, [ID]) == [None]
        redis_tags.warn_of_eviction(client)
    for refused in (("SET", ID, "x"), ("FLUSHALL",), ("ACL", "LIST"), ("KEYS", "*")):
        with (
            pytest.raises(AccessDeniedError, match="does not let user palate do it"),
            open_redis(users["palate"], "a test", "") as client,
        ):
            client.execute_command(*refused)


def test_simulator_writes_dictionaries_alone(users: dict[str, Settings]) -> None:
    with open_redis(users["simulator"], "a test", "") as client:
        client.set(ID, "{}")
    for refused in (("SET", "tags:x", "[]"), ("GET", ID), ("SET", "default", "x")):
        with (
            pytest.raises(AccessDeniedError, match="does not let user simulator do it"),
            open_redis(users["simulator"], "a test", "") as client,
        ):
            client.execute_command(*refused)


def test_shell_of_a_person_writes_both(users: dict[str, Settings]) -> None:
    with open_redis(users["owner"], "a test", "") as client:
        client.set(ID, "{}")
        assert read_values(client, [ID]) == [b"{}"]
        assert redis_tags.write(client, [State("guest-of-acl", 2, ())]) == 1
    with (
        pytest.raises(AccessDeniedError, match="does not let user owner do it"),
        open_redis(users["owner"], "a test", "") as client,
    ):
        client.execute_command("SET", "default", "x")


def test_celery_has_its_queue_alone(users: dict[str, Settings]) -> None:
    url = users["celery"].redis_url.get_secret_value()
    with redis.Redis.from_url(url) as client:
        client.lpush("default", "a task")
        assert client.rpop("default") == b"a task"
        for refused in (("GET", ID), ("SET", "tags:x", "[]"), ("CONFIG", "GET", "*")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*refused)
