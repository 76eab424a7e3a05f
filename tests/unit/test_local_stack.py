"""The command finds the stack of its checkout, where nothing else is named."""

from pathlib import Path

import pytest

from palate.errors import SettingsError
from palate.settings import load_settings

DSN = "postgresql://palate:secret@127.0.0.1:15432/dwh"
TEXT = (
    f"DWH_DSN={DSN}\nKAFKA_BOOTSTRAP=127.0.0.1:19092\n"
    "REDIS_URL=redis://:a=b@127.0.0.1:16379/0\nAIRFLOW_PASSWORD=secret\n"
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DWH_DSN", "KAFKA_BOOTSTRAP", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PALATE_VAR", str(tmp_path))
    path = tmp_path / "stack.env"
    path.write_text(TEXT)
    path.chmod(0o600)
    return path


def test_stack_of_the_checkout_is_found(file: Path) -> None:
    settings = load_settings()
    assert settings.dwh_dsn.get_secret_value() == DSN
    assert settings.kafka_bootstrap == "127.0.0.1:19092"
    assert settings.redis_url.get_secret_value() == "redis://:a=b@127.0.0.1:16379/0"


def test_environment_that_names_a_service_means_another_stack(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DWH_DSN", "postgresql:///other")
    settings = load_settings()
    assert settings.dwh_dsn.get_secret_value() == "postgresql:///other"
    assert settings.kafka_bootstrap == ""


def test_connections_of_airflow_are_not_added_to(file: Path) -> None:
    settings = load_settings(dwh_dsn="postgresql:///airflow")
    assert settings.redis_url.get_secret_value() == ""


def test_file_that_others_can_write_is_not_believed(file: Path) -> None:
    file.chmod(0o666)
    with pytest.raises(SettingsError, match="DWH_DSN: Field required"):
        load_settings()


def test_file_of_another_user_is_not_believed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(SettingsError, match="DWH_DSN: Field required"):
        load_settings()


def test_without_a_stack_the_message_tells_how_to_start_one(file: Path) -> None:
    file.unlink()
    with pytest.raises(SettingsError, match="start the stack of this checkout"):
        load_settings()
