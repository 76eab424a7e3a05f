"""Connection options of every Kafka client, and a sentence for each refusal."""

import logging
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from kafka import errors as kafka_errors

from palate.clients import advertised, tls
from palate.errors import (
    AccessDeniedError,
    BrokerRefusedError,
    CodecMissingError,
    PalateError,
    PositionGapError,
    ServiceUnavailableError,
    SettingsError,
)
from palate.settings import KafkaProtocol, Settings

_PROBE_SECONDS = 3
_SILENT = logging.getLogger(f"{__name__}.probe")
_SILENT.setLevel(logging.CRITICAL + 1)


def connection_options(settings: Settings) -> dict[str, Any]:
    """Return the options that a kafka-python consumer, admin or producer connects with.

    :raises SettingsError: names the setting that is missing or can't be used
    """
    if not settings.kafka_bootstrap:
        message = (
            "KAFKA_BOOTSTRAP is not set. Set it to host:port of a broker, or set "
            "bootstrap.servers in the Airflow Connection `kafka`."
        )
        raise ServiceUnavailableError(message)
    protocol = settings.kafka_security_protocol
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap.split(","),
        "security_protocol": protocol.value,
    }
    if protocol.is_encrypted:
        options["ssl_context"] = _tls(settings)
    if protocol.has_login:
        user, password = _login(settings)
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism.value,
            "sasl_plain_username": user,
            "sasl_plain_password": password,
        }
    return options


def librdkafka_options(settings: Settings) -> dict[str, Any]:
    """Return the same for a client of librdkafka.

    :raises SettingsError: names the setting that is missing or can't be used
    """
    protocol = settings.kafka_security_protocol
    options: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "security.protocol": protocol.value,
    }
    if protocol.is_encrypted:
        _tls(settings)
        if settings.kafka_ssl_ca_location:
            options["ssl.ca.location"] = str(settings.kafka_ssl_ca_location)
    if protocol.has_login:
        user, password = _login(settings)
        options |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism.value,
            "sasl.username": user,
            "sasl.password": password,
        }
    return options


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Turn a client's errors into a sentence for the person who has to act.

    :raises AccessDeniedError: if the broker refuses the login or a topic
    :raises ServiceUnavailableError: if it does not answer, or can't do it now
    :raises BrokerRefusedError: if it would refuse another attempt too
    :raises PositionGapError: if offsets are gone
    :raises CodecMissingError: if a message can't be decompressed
    """
    bootstrap = settings.kafka_bootstrap
    try:
        yield
    except kafka_errors.UnsupportedCodecError as error:
        message = (
            f"A message is compressed by a codec that is not installed: {error}. "
            "Install lz4, zstandard or python-snappy (see requirements.txt); "
            "nothing was taken, the next run reads it again."
        )
        raise CodecMissingError(message) from error
    except kafka_errors.OffsetOutOfRangeError as error:
        message = (
            f"Offsets are gone from the broker: {error}. Retention took messages that "
            "were not read yet, or the topic was made anew. Nothing was skipped; see "
            "docs/operations.md, 'Offsets are gone'."
        )
        raise PositionGapError(message) from error
    except kafka_errors.SaslAuthenticationFailedError:
        raise AccessDeniedError(refused(settings)) from None
    except kafka_errors.AuthorizationError as error:
        raise AccessDeniedError(denied(settings, _named(error))) from None
    except (kafka_errors.KafkaTimeoutError, kafka_errors.KafkaConnectionError) as error:
        meanwhile = "Nothing is lost: the next run takes the same positions."
        raise away(settings, type(error).__name__, meanwhile) from error
    except kafka_errors.RetriableError as error:
        message = (
            f"Kafka at {bootstrap} can't do it now: {_words(error)}. Nothing is lost: "
            "the next run takes the same positions."
        )
        raise ServiceUnavailableError(message) from error
    except kafka_errors.KafkaError as error:
        message = (
            f"Kafka at {bootstrap} refuses: {_words(error)}. Nothing of it was taken, "
            "and each run fails so until that is mended, at the broker or in the "
            "settings of the connection."
        )
        raise BrokerRefusedError(message) from error


def away(settings: Settings, said: str, meanwhile: str) -> PalateError:
    """Return why a broker does not answer, as a sentence.

    :param said: the client's own message
    :param meanwhile: a sentence on what goes on without it
    """
    if reason := connection_problem(settings):
        return AccessDeniedError(reason)
    if reason := unreachable(settings):
        return ServiceUnavailableError(f"{reason} {meanwhile}")
    return ServiceUnavailableError(
        f"Kafka at {settings.kafka_bootstrap} does not answer ({said}). Check that the "
        "broker runs (`make status`) and that KAFKA_BOOTSTRAP, KAFKA_SECURITY_PROTOCOL "
        f"({settings.kafka_security_protocol.value}) or the Airflow Connection `kafka` "
        f"is right. {meanwhile}"
    )


def unreachable(settings: Settings) -> str | None:
    """Return which brokers advertise an unreachable address, or None."""
    return advertised.problem(connection_options(settings), settings.kafka_bootstrap)


def denied(settings: Settings, what: str) -> str:
    """Return the sentence for a missing permission.

    :param what: the topics, or what else is meant
    """
    user = settings.kafka_sasl_username or "ANONYMOUS"
    return (
        f"Kafka at {settings.kafka_bootstrap} does not let user {user} at {what}. "
        "Topics that are read need the permissions Read and Describe, topics that are "
        "published need Write and Describe: have them granted (kafka-acls --add "
        f"--allow-principal User:{user} ...), or use another user."
    )


def is_denied(settings: Settings, topic: str) -> bool:
    """Return whether a topic that is not listed is one that the user may not see.

    A broker lists what a user may see, and gives reasons only for topics that are
    named.
    """
    admin = AdminClient(librdkafka_options(settings), logger=_SILENT)
    try:
        found = admin.list_topics(topic, timeout=_PROBE_SECONDS).topics[topic].error
    except KafkaException:
        return False
    return found is not None and found.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def refused(settings: Settings) -> str:
    """Return the sentence for a login that the broker refuses."""
    return (
        f"Kafka at {settings.kafka_bootstrap} refuses the login of user "
        f"{settings.kafka_sasl_username} by {settings.kafka_sasl_mechanism.value}: "
        "the user is unknown there or the password is wrong. Correct "
        "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, or sasl.username and "
        "sasl.password in the Airflow Connection `kafka`."
    )


def connection_problem(settings: Settings) -> str | None:
    """Return why no connection was made, or None if the broker does not answer."""
    protocol = settings.kafka_security_protocol
    for server in settings.kafka_bootstrap.split(","):
        host, _, port = server.strip().rpartition(":")
        if not port.isdecimal():
            continue
        if protocol.is_encrypted:
            problem = tls.problem(host, int(port), settings.kafka_ssl_ca_location)
            if problem:
                return (
                    f"No trusted connection to Kafka at {server}: {problem}. "
                    "KAFKA_SSL_CA_LOCATION (ssl.ca.location) is the file with the "
                    "authority's certificate, KAFKA_SECURITY_PROTOCOL "
                    "(security.protocol) says how the broker speaks there."
                )
        elif tls.is_spoken(host, int(port)):
            fitting = [p.value for p in KafkaProtocol if p.is_encrypted]
            return (
                f"Kafka at {server} speaks TLS there, but KAFKA_SECURITY_PROTOCOL is "
                f"{protocol.value}. Set it, or security.protocol in the Airflow "
                f"Connection `kafka`, to {' or '.join(fitting)}."
            )
    return _login_problem(settings) if protocol.has_login else None


def _tls(settings: Settings) -> ssl.SSLContext:
    ca = settings.kafka_ssl_ca_location
    if problem := tls.file_problem(ca):
        message = (
            f"KAFKA_SSL_CA_LOCATION, {ca}, can't be used: {problem}. Name a file with "
            "the certificate of the broker's authority (PEM), or correct "
            "ssl.ca.location in the Airflow Connection `kafka`."
        )
        raise SettingsError(message)
    return tls.context(ca)


def _login(settings: Settings) -> tuple[str, str]:
    user = settings.kafka_sasl_username
    password = settings.kafka_sasl_password.get_secret_value()
    values = {"KAFKA_SASL_USERNAME": user, "KAFKA_SASL_PASSWORD": password}
    missing = [name for name, value in values.items() if not value]
    if missing:
        message = (
            f"KAFKA_SECURITY_PROTOCOL is {settings.kafka_security_protocol.value}, but "
            f"{' and '.join(missing)} is not set. Set it, or sasl.username and "
            "sasl.password in the Airflow Connection `kafka`."
        )
        raise SettingsError(message)
    return user, password


def _login_problem(settings: Settings) -> str | None:
    # By librdkafka: kafka-python 3.0.12 drops the broker's refusal when the connection
    # ends together with it, and then can't tell it from a broker that is down.
    heard: list[KafkaError] = []
    admin = AdminClient(
        librdkafka_options(settings) | {"error_cb": heard.append}, logger=_SILENT
    )
    # It connects by itself; a poll returns what has arrived.
    until = time.monotonic() + _PROBE_SECONDS
    reasons: list[str] = []
    while not reasons and time.monotonic() < until:
        admin.poll(0.1)
        reasons = [e.str() for e in heard if e.code() == KafkaError._AUTHENTICATION]
    if not reasons:
        return None
    _, was_refused_by, mechanisms = reasons[0].partition("supported mechanisms:")
    if not was_refused_by:
        return refused(settings)
    supported = mechanisms.partition("(")[0].strip()
    return (
        f"Kafka at {settings.kafka_bootstrap} takes no login by "
        f"{settings.kafka_sasl_mechanism.value} there; it takes "
        f"{supported or 'none at all'}. Correct KAFKA_SASL_MECHANISM or "
        "KAFKA_SECURITY_PROTOCOL, or sasl.mechanism and security.protocol in the "
        "Airflow Connection `kafka`."
    )


def _words(error: kafka_errors.KafkaError) -> str:
    return f"{type(error).__name__.removesuffix('Error')}: {error}".rstrip(": .")


def _named(error: kafka_errors.KafkaError) -> str:
    if isinstance(error, kafka_errors.TopicAuthorizationFailedError) and error.args:
        found = error.args[0]
        names = found if isinstance(found, (set, frozenset, list, tuple)) else [found]
        return "topic " + ", ".join(sorted(str(name) for name in names))
    return type(error).__name__.removesuffix("AuthorizationFailedError").lower()
