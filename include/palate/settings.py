"""Where the services are and how much a stage takes at once."""

import re
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic_settings
from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from palate import local_stack
from palate.errors import SettingsError
from palate.names import is_feed

# More than anybody needs, and too little to overflow in PostgreSQL or a clock.
_MOST = 10**9
_MOST_DAYS = 36_500
_MOST_WAIT = 2_000_000  # seconds; a lock_timeout has milliseconds in an integer

# An environment can't say that something is not set.
NONE_IF_EMPTY = BeforeValidator(lambda value: None if value == "" else value)


class KafkaProtocol(StrEnum):
    """The protocol of the broker's connections, by Kafka's own names."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def is_encrypted(self) -> bool:
        """Return whether it is TLS."""
        return self in (KafkaProtocol.SSL, KafkaProtocol.SASL_SSL)

    @property
    def has_login(self) -> bool:
        """Return whether a user logs in."""
        return self in (KafkaProtocol.SASL_PLAINTEXT, KafkaProtocol.SASL_SSL)


class SaslMechanism(StrEnum):
    """How a user proves the password to the broker."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class Settings(BaseSettings):
    """Settings, from the environment unless they are given.

    ``DWH_DSN``, ``KAFKA_BOOTSTRAP`` and ``REDIS_URL`` are written to
    ``var/stack.env`` by ``make up``; under Airflow they come from its Connections.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    dwh_dsn: SecretStr = Field(description="libpq URI of the warehouse")
    kafka_bootstrap: str = Field(default="", description="host:port[,host:port]")
    kafka_security_protocol: KafkaProtocol = Field(
        default=KafkaProtocol.PLAINTEXT, description="PLAINTEXT, SASL_SSL, ..."
    )
    kafka_sasl_mechanism: SaslMechanism = Field(
        default=SaslMechanism.SCRAM_SHA_512, description="how the user logs in"
    )
    kafka_sasl_username: str = Field(default="", description="who logs in")
    kafka_sasl_password: SecretStr = Field(
        default=SecretStr(""), description="the password of that user"
    )
    kafka_ssl_ca_location: Annotated[Path | None, NONE_IF_EMPTY] = Field(
        default=None, description="file with the authority's certificate (PEM)"
    )
    redis_url: SecretStr = Field(default=SecretStr(""), description="redis[s]:// URL")

    palate_areas: str = Field(
        default="",
        description="which areas are on, by comma; empty: all but those that say "
        "only_if_named",
    )
    palate_topics: dict[str, str] | None = Field(
        default=None,
        min_length=1,
        description="topics that are read in place of the sources' own, and which form "
        "each carries",
    )
    flights_connect_url: str = Field(
        default="", description="URL of Connect's REST interface; empty: not watched"
    )
    flights_primary_dsn: SecretStr = Field(
        default=SecretStr(""),
        description="libpq URI of the airline's primary, to watch the connector's slot",
    )
    flights_standby_dsn: SecretStr = Field(
        default=SecretStr(""),
        description="libpq URI of the airline's standby, whose rows the vault is "
        "compared with; empty: it is not compared, and nothing is healed",
    )
    flights_slot: str = Field(
        default="palate_flights",
        min_length=1,
        description="name of the connector's slot, and of its publication",
    )
    flights_wal_bytes: int = Field(
        default=512 * 2**20, ge=1, description="WAL that the slot may keep, in bytes"
    )
    flights_heartbeat_seconds: float = Field(
        default=60, gt=0, description="how old the connector's heartbeat may be"
    )
    flights_topic_prefix: str = Field(
        default="flights",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="how the topics of the airline's changes begin, before the schema",
    )
    flights_language: str = Field(
        default="en",
        pattern=r"^[A-Za-z][A-Za-z-]{0,19}$",
        description="language of the names of airports",
    )
    mart_dsn: SecretStr = Field(
        default=SecretStr(""),
        description="libpq URI of another PostgreSQL that keeps copies of marts; "
        "empty: there is none",
    )
    palate_tags_topic: str = Field(
        default="cdm-user-tags", min_length=1, description="where tags are published"
    )
    palate_publish_orders_to: str = Field(
        default="", description="topic of enriched orders; empty: they stay here"
    )
    palate_publish_counters_to: str = Field(
        default="", description="topic of guests' counters; empty: they stay here"
    )
    palate_drain_messages: int = Field(
        default=20_000,
        ge=1,
        le=_MOST,
        description="most messages in one transaction of a drain",
    )
    palate_drain_bytes: int = Field(
        default=64 * 2**20, ge=1, description="most bytes in one transaction of a drain"
    )
    palate_drain_seconds: float = Field(
        default=600, gt=0, description="longest time one drain reads, in seconds"
    )
    palate_chunk_positions: int = Field(
        default=50_000,
        ge=1,
        le=_MOST,
        description="most positions in one vault or mart batch",
    )
    palate_vault_lanes: int = Field(
        default=2, ge=1, le=16, description="connections that load the vault at once"
    )
    palate_refused_share: float = Field(
        default=0.2, gt=0, le=1, description="refused share that is an alarm"
    )
    palate_refused_least: int = Field(
        default=50, ge=1, description="newest messages it is the share of, at least"
    )
    palate_freshness_seconds: float = Field(
        default=60,
        gt=0,
        le=_MOST,
        description="a message is in the marts within so many seconds",
    )
    palate_notifier: str = Field(
        default="", description="class of the Airflow notifier that sends alarms"
    )
    palate_notifier_arguments: dict[str, Any] = Field(
        default={}, description="its arguments, JSON; secrets belong in its Connection"
    )
    palate_metrics_port: Annotated[int | None, NONE_IF_EMPTY] = Field(
        default=None,
        ge=1,
        le=65_535,
        description="where the watch serves metrics; unset or empty: nowhere",
    )
    palate_metrics_address: IPv4Address | IPv6Address = Field(
        default=IPv4Address("127.0.0.1"),
        description="the address it listens on; beyond loopback it needs the token",
    )
    palate_metrics_token: SecretStr = Field(
        default=SecretStr(""), description="bearer token of who reads the metrics"
    )
    palate_stg_partition_positions: int = Field(
        default=1_000_000,
        ge=1,
        le=_MOST,
        description="positions in one new partition of STG",
    )
    palate_stg_keep_days: Annotated[int | None, NONE_IF_EMPTY] = Field(
        default=None,
        ge=1,
        le=_MOST_DAYS,
        description="days by broker time that STG keeps; unset or empty: all",
    )
    palate_ops_keep_days: int = Field(
        default=90,
        ge=7,
        le=_MOST_DAYS,
        description="days that the ledger keeps its runs",
    )
    palate_kafka_timeout: float = Field(
        default=15,
        gt=0,
        le=900,  # the broker's default limit of a transaction
        description="how long a broker may not answer, in seconds",
    )
    palate_lock_wait: float = Field(
        default=120,
        ge=0,
        le=_MOST_WAIT,
        description="how long a run waits for another, in seconds",
    )

    @property
    def read_by_statements(self) -> dict[str, str]:
        """Return what a session's statements need to know, where it is not default."""
        default = type(self).model_fields["flights_language"].default
        if self.flights_language == default:
            return {}
        return {"palate.flights_language": self.flights_language}

    @field_validator(
        "dwh_dsn",
        "mart_dsn",
        "redis_url",
        "kafka_bootstrap",
        "palate_metrics_token",
        mode="before",
    )
    @classmethod
    def _has_no_blanks_around(cls, address: Any) -> Any:
        # A file, and so a secret made of one, ends with a line break.
        if isinstance(address, SecretStr):
            return SecretStr(address.get_secret_value().strip())
        return address.strip() if isinstance(address, str) else address

    @field_validator("kafka_bootstrap")
    @classmethod
    def _is_list_of_addresses(cls, servers: str) -> str:
        # Nothing of it is repeated: another service's address has a password.
        if re.search(r"[/@?#\s]|://", servers.replace(", ", ",")):
            message = "it is no list of host:port[,host:port]"
            raise ValueError(message)
        return servers

    @field_validator("palate_topics", mode="before")
    @classmethod
    def _is_json(cls, topics: Any) -> Any:
        if isinstance(topics, str):
            message = 'it is no JSON such as {"order-service_orders": "raw"}'
            raise ValueError(message)
        return topics

    @field_validator("palate_topics")
    @classmethod
    def _are_no_feeds(cls, topics: dict[str, str] | None) -> dict[str, str] | None:
        taken = sorted(filter(is_feed, topics or ()))
        if taken:
            message = f"{', '.join(taken)}: a feed of Palate's own has that name"
            raise ValueError(message)
        return topics


AnySettings = TypeVar("AnySettings", bound=Settings)


def load_settings(**values: Any) -> Settings:
    """Return the settings from ``values`` and the environment.

    Without values, and where the environment names no service, those of this checkout's
    stack, if it has been started.

    :raises SettingsError: names each setting that is missing or wrong
    """
    return load(Settings, **values)


def load(kind: type[AnySettings], **values: Any) -> AnySettings:
    """Return settings of a kind; see ``load_settings``."""
    try:
        return kind(**(values or local_stack.addresses()))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors()
        )
        message = (
            f"Settings can't be used: {problems}. Set them in the environment, or "
            "start the stack of this checkout (`make up`), which is found without."
        )
        raise SettingsError(message) from None
    except pydantic_settings.SettingsError as error:
        message = (
            f"Settings can't be used: {error}. PALATE_TOPICS, say, is JSON such as "
            '{"order-service_orders": "raw"}.'
        )
        raise SettingsError(message) from None
