import pytest

from palate.errors import SettingsError
from palate.settings import load_settings
from palate.sources import catalog
from tests.food import FOOD
from tests.model.history import Form

DSN = "postgresql://palate:secret@localhost/dwh"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DWH_DSN", "KAFKA_BOOTSTRAP", "REDIS_URL", "PALATE_TOPICS"):
        monkeypatch.delenv(name, raising=False)


def test_environment_gives_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DWH_DSN", DSN)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "localhost:9092")
    monkeypatch.setenv("PALATE_TOPICS", '{"orders": "enriched"}')
    settings = load_settings()
    assert settings.dwh_dsn.get_secret_value() == DSN
    assert settings.kafka_bootstrap == "localhost:9092"
    assert settings.palate_topics == {"orders": Form.ENRICHED}


def test_default_topics_are_the_contracts() -> None:
    assert catalog.topics(load_settings(dwh_dsn=DSN), FOOD) == {
        "order-service_orders": Form.RAW,
        "stg-service-orders": Form.ENRICHED,
    }


def test_unknown_form_is_named() -> None:
    settings = load_settings(dwh_dsn=DSN, palate_topics={"t": "csv"})
    with pytest.raises(SettingsError, match=r"PALATE_TOPICS\.t: .*enriched.*, raw"):
        catalog.topics(settings, FOOD)


def test_unknown_area_is_named() -> None:
    settings = load_settings(dwh_dsn=DSN, palate_areas="food, fod")
    named = r"PALATE_AREAS names fod.*: files, flights, food"
    with pytest.raises(SettingsError, match=named):
        catalog.areas(settings)


def test_given_values_win_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DWH_DSN", "postgresql://elsewhere/dwh")
    settings = load_settings(dwh_dsn=DSN)
    assert settings.dwh_dsn.get_secret_value() == DSN


def test_secrets_are_not_shown() -> None:
    settings = load_settings(dwh_dsn=DSN, redis_url="redis://:secret@localhost/0")
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        pytest.param({}, "DWH_DSN: Field required", id="missing"),
        pytest.param(
            {"dwh_dsn": DSN, "palate_topics": {"dictionaries": "raw"}},
            "dictionaries: a feed of Palate's own has that name",
            id="a feed's name",
        ),
        pytest.param(
            {"dwh_dsn": DSN, "palate_drain_messages": 0},
            "PALATE_DRAIN_MESSAGES: Input should be greater than or equal to 1",
            id="no message at a time",
        ),
        pytest.param(
            {"dwh_dsn": DSN, "palate_kafka_timeout": "soon"},
            "PALATE_KAFKA_TIMEOUT: Input should be a valid number",
            id="no number",
        ),
        pytest.param(
            {"dwh_dsn": DSN, "palate_lock_wait": "inf"},
            "PALATE_LOCK_WAIT: Input should be less than or equal to 2000000",
            id="for ever",
        ),
        pytest.param(
            {"dwh_dsn": DSN, "palate_kafka_timeout": "inf"},
            "PALATE_KAFKA_TIMEOUT: Input should be less than or equal to 900",
            id="a broker that never answers",
        ),
        pytest.param(
            {"dwh_dsn": DSN, "palate_stg_keep_days": 10**9},
            "PALATE_STG_KEEP_DAYS: Input should be less than or equal to 36500",
            id="longer than there are dates",
        ),
        pytest.param(
            {"dwh_dsn": DSN, "palate_topics": {}},
            "PALATE_TOPICS: Dictionary should have at least 1 item",
            id="no topic",
        ),
    ],
)
def test_wrong_setting_is_named(values: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(**values)
    assert problem in str(error.value)
    assert "make up" in str(error.value)
    assert error.value.exit_code == 2


def test_blanks_around_an_address_and_an_empty_number_mean_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A secret made of a file ends with a line break; Compose gives empty values."""
    monkeypatch.setenv("DWH_DSN", f" {DSN}\n")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "kafka:9092\n")
    monkeypatch.setenv("REDIS_URL", "redis://redis:6379/0\n")
    monkeypatch.setenv("PALATE_STG_KEEP_DAYS", "")
    settings = load_settings()
    assert settings.dwh_dsn.get_secret_value() == DSN
    assert settings.kafka_bootstrap == "kafka:9092"
    assert settings.redis_url.get_secret_value() == "redis://redis:6379/0"
    assert settings.palate_stg_keep_days is None


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"(?s)DWH_DSN.*PALATE_VAULT_LANES"):
        load_settings(palate_vault_lanes=0)


def test_topics_that_are_no_json_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DWH_DSN", DSN)
    monkeypatch.setenv("PALATE_TOPICS", "orders")
    with pytest.raises(SettingsError, match=r"PALATE_TOPICS: .*no JSON such as"):
        load_settings()
