"""An address of Redis that is mistyped is refused without being shown."""

import pytest

from palate.clients.redis_connection import address_of
from palate.errors import SettingsError
from palate.settings import load_settings

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"redis://:{SECRET}@host:port/0", "its host or port can't be read"),
        (f"redis://palate:{SECRET}", "its host or port can't be read"),
        (f"redis://:1/{SECRET}@host:6379/0", "has a / ? or # before its @"),
        (f"redis://:1?{SECRET}@host:6379/0", "has a / ? or # before its @"),
        (f"redis://:1#{SECRET}@host:6379/0", "has a / ? or # before its @"),
        (f"redis://:{SECRET}@host:6379/#x", "it has a #"),
        (f"redis://:{SECRET}@[host:6379/0", "its host or port can't be read"),
        (f"redis://:{SECRET}@/0", "it names no host"),
        (f"redis://:{SECRET}@host:6379/first", "no number of a database"),
        (f"redis//:{SECRET}@host:6379/0", "does not begin with redis://"),
        (f"http://:{SECRET}@host:6379/0", "does not begin with redis://"),
        (f"{SECRET}", "does not begin with redis://"),
        (f"redis://host:6379/0?passwrd={SECRET}", "an option after its ?"),
        (f"redis://:{SECRET}@host:6379/0?db={SECRET}", "an option after its ?"),
        (f"rediss://host/0?ssl_cert_reqs={SECRET}", "an option after its ?"),
    ],
)
def test_mistyped_address_is_not_shown(url: str, problem: str) -> None:
    settings = load_settings(dwh_dsn="postgresql:///none", redis_url=url)
    with pytest.raises(SettingsError) as error:
        address_of(settings)
    assert problem in str(error.value)
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


def test_options_of_an_address_are_taken() -> None:
    url = "redis://palate:a%2Fb@host:1234/3?socket_timeout=5"
    place = address_of(load_settings(dwh_dsn="postgresql:///none", redis_url=url))
    assert (place.host, place.port, place.user, place.database) == (
        "host",
        1234,
        "palate",
        3,
    )
