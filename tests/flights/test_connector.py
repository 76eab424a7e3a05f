"""The connector delivers everything to the topics, whatever dies."""

import json

import psycopg
import pytest

from deploy.flights import connector
from deploy.flights import source as names
from deploy.local import airline, connect
from tests.flights.airline import Source, until
from tests.flights.replay import UNAVAILABLE


def test_rows_that_live_by_replay_equal_those_of_the_standby(source: Source) -> None:
    source.happen(120, seed=3)
    with source.application() as conn:
        conn.execute("TRUNCATE bookings.boarding_passes")  # by chance it is rare
    source.happen(30, seed=4)
    source.equal()


def test_large_value_is_not_sent_with_a_changed_key(source: Source) -> None:
    """It is that of the row under its old key, which a header names."""
    old, new = source.rename_ticket_with_a_large_value()
    source.equal()
    found = source.messages("flights.bookings.tickets")
    (sent,) = [one for one in found if one.old_key == {"ticket_no": old}][-1:]
    assert sent.key == {"ticket_no": new}
    assert sent.value
    assert sent.value["after"]["contact_data"] == UNAVAILABLE


def test_topics_are_there_before_their_first_message(source: Source) -> None:
    source.settle()
    assert source.messages(*connector.topics())  # none is missing


def test_password_is_in_no_log_and_no_answer(source: Source) -> None:
    secret = source.secrets.airline_connector
    folder = source.stack.var
    config = source.connector_config()
    assert config["database.password"].startswith("${file:")
    assert secret not in json.dumps(config)
    for path in (folder / "log").iterdir():
        assert secret not in path.read_text(errors="replace"), path
    for path in (folder / "connect").iterdir():
        assert not path.stat().st_mode & 0o077 or path.name == "offsets", path
    assert not (folder / "connect").stat().st_mode & 0o077
    assert secret not in (folder / "connect" / "connector.json").read_text()


def test_connector_may_do_what_it_needs_and_no_more(source: Source) -> None:
    dsn = (
        f"postgresql://{names.CONNECTOR}:{source.secrets.airline_connector}"
        f"@127.0.0.1:{source.stack.ports.airline}/{names.DATABASE}"
    )
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in (
            "DELETE FROM bookings.heartbeat",
            "UPDATE bookings.tickets SET passenger_name = 'x'",
            "TRUNCATE bookings.boarding_passes",
            "CREATE TABLE bookings.x ()",
            f"ALTER PUBLICATION {names.PUBLICATION} ADD TABLE bookings.tickets",
            f"DROP PUBLICATION {names.PUBLICATION}",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)
    # Nor copy the whole server.
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(dsn, replication="true")


def test_publication_is_of_exactly_the_nine_tables(source: Source) -> None:
    with source.primary() as conn:
        rows = conn.execute(
            "SELECT tablename FROM pg_publication_tables WHERE pubname = %s",
            (names.PUBLICATION,),
        ).fetchall()
    assert {row[0] for row in rows} == {*names.TABLES, names.HEARTBEAT}


@pytest.mark.slow
def test_kill_in_a_large_transaction_loses_nothing(source: Source) -> None:
    """What came since its offsets were kept is sent again, with the same LSNs."""
    with source.application() as conn:
        conn.execute(
            "INSERT INTO bookings.bookings SELECT 'Z' || lpad(n::text, 5, '0'), now(),"
            " n FROM generate_series(1, 10000) AS n"
        )
    topic = "flights.bookings.bookings"
    before = len(source.messages(topic, last=10**9))
    until(
        lambda: len(source.messages(topic, last=10**9)) > min(before, 2000),
        "the transaction is under way",
    )
    source.kill(connect.NAME)
    source.equal()
    with source.application() as conn:
        conn.execute("DELETE FROM bookings.bookings WHERE book_ref LIKE 'Z_____'")
    source.equal()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["kafka", airline.PRIMARY])
def test_connector_goes_on_after_a_kill_of_its_neighbours(
    source: Source, part: str
) -> None:
    source.kill(part)
    source.happen(20, seed=5)
    source.equal()
    assert source.stack.answers(connect.NAME)
