"""A mart's life: added by CONTRIBUTING, tried, counted, corrected, and dropped."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka import KafkaProducer

from palate.settings import Settings
from tests import guide_mart
from tests.checkout import Checkout
from tests.integration.staged import load, stage_messages, with_topics
from tests.model.history import Form, Message
from tests.model.oracle import key, newest_versions
from tests.model.orders import CLOSED, Version, read_message
from tests.unit.model.stories import line, raw

Conn = psycopg.Connection[Any]
MART = "user_restaurant_counters"
BY_KEY = guide_mart.NAME


def _folder_of_the_guide(name: str = MART) -> dict[str, str]:
    """Return the files of a mart that CONTRIBUTING shows, by their paths."""
    found = guide_mart.files(name)
    assert {Path(path).name for path in found} == (
        {"mart.yaml", "contributions.sql"}
        if name == MART
        else {"mart.yaml", "touched.sql", "rows.sql"}
    )
    return found


@pytest.fixture
def copy(tmp_path: Path, warehouse: Settings) -> Checkout:
    """Give a copy of the program, and a warehouse with nothing in it."""
    return Checkout.copied(tmp_path, warehouse)


@pytest.fixture
def checkout(copy: Checkout, producer: KafkaProducer) -> Checkout:
    """Give a copy of the program, and a warehouse that has drained a history."""
    _send(copy, producer, FIRST)
    _ok(copy, "run")
    return copy


@pytest.fixture
def loaded(copy: Checkout, connection: Conn) -> Checkout:
    """Give the same without a broker: for what only looks at the warehouse."""
    settings = with_topics(copy.settings)
    twice = raw(5, [line("c")], restaurant="r1", update_ts=LATER)
    history = enumerate([*FIRST, twice])
    stage_messages(connection, [replace(one, offset=n) for n, one in history])
    load(settings)
    return replace(copy, settings=settings)


def _ok(checkout: Checkout, *arguments: str) -> str:
    done = checkout.palate(*arguments)
    if done.returncode:
        pytest.fail(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def _send(checkout: Checkout, producer: KafkaProducer, messages: list[Message]) -> None:
    for message in messages:
        # To one partition: which of two messages is newer must not be chance.
        topic = next(iter(checkout.settings.palate_topics))
        producer.send(topic, message.value, partition=0)
    producer.flush()


def _add(checkout: Checkout, name: str = MART, **changed: str) -> None:
    """Add the mart of CONTRIBUTING, with other texts of some files."""
    guide = BY_KEY if name == BY_KEY else MART
    for path, text in _folder_of_the_guide(guide).items():
        file = checkout.root / "sql" / path.replace(guide, name)
        file.parent.mkdir(exist_ok=True)
        file.write_text(changed.get(file.stem, text), encoding="utf-8")


# Orders with several messages: of another time, of the same one (ties), with another
# guest or restaurant, and cancelled.
FIRST = [
    raw(1, [line("a"), line("b", 2, "30.50")], restaurant="r1"),
    raw(1, [line("a"), line("b", 2, "30.50")], restaurant="r2"),
    raw(1, [line("a"), line("b", 2, "30.50")], restaurant="r3"),
    raw(2, [line("a")], restaurant="r1", status="CANCELLED"),
    raw(3, [line("c", 3)], restaurant="r2", user="v"),
    raw(4, [line("c")], restaurant="r2", user="v"),
    raw(5, [line("c")], restaurant="r1"),
]
LATER = "2023-08-09 10:00:00"
TOTALS = """
totals:
  - table: restaurant_totals
    description: The sums of each restaurant.
    of: rows
    keys: [restaurant_id]
"""
SECOND = [
    raw(1, [line("a")], restaurant="r1", update_ts=LATER),
    raw(3, [line("c", 3)], restaurant="r1", user="u", update_ts=LATER),
    raw(4, [line("c")], restaurant="r2", user="v", status="CANCELLED", update_ts=LATER),
    raw(2, [line("a", 7)], restaurant="r1", update_ts=LATER),
    raw(6, [line("d"), line("d", 4)], restaurant="r3", user="w"),
    raw(5, [line("c")], restaurant="r4"),
]


def _versions(conn: Conn) -> list[Version]:
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition, kafka_offset, broker_dt, message"
        " FROM stg.order_events"
    )
    read = [read_message(Message(*row), Form.RAW) for row in rows.fetchall()]
    return [one for one in read if isinstance(one, Version)]


def _expected(conn: Conn) -> list[tuple[Any, ...]]:
    """Return what the model says of guests and restaurants."""
    rows: dict[tuple[Any, Any], list[Any]] = {}
    for version in newest_versions(_versions(conn)):
        if version.status == CLOSED:
            row = rows.setdefault(
                (key(version.user_id), key(version.restaurant_id)), [0, 0, 0]
            )
            row[0] += 1
            row[1] += sum(one.quantity for one in version.lines)
            row[2] += sum(one.quantity * one.price for one in version.lines)
    return sorted((*keys, *numbers) for keys, numbers in rows.items())


def _actual(conn: Conn, name: str = MART) -> list[tuple[Any, ...]]:
    rows = conn.execute(
        "SELECT user_id, restaurant_id, order_cnt, pieces_cnt, amount"
        f" FROM cdm.{name} ORDER BY 1, 2"
    )
    return rows.fetchall()


def _reload_of_all(conn: Conn) -> list[str]:
    """Return the command that looks at all of the history again."""
    days = conn.execute(
        "SELECT to_char(min(broker_dt) AT TIME ZONE 'UTC', 'YYYY-MM-DD'),"
        " to_char(max(broker_dt) AT TIME ZONE 'UTC' + interval '1 day', 'YYYY-MM-DD')"
        " FROM stg.order_events"
    ).fetchone() or ("", "")
    return ["reload", "--from", days[0], "--to", days[1], "--source", "stg"]


def test_mart_of_the_guide_counts_what_the_model_counts(
    checkout: Checkout, connection: Conn, producer: KafkaProducer
) -> None:
    _add(checkout)
    assert _ok(checkout, "migrate") == f"Made {MART}.\n"
    _ok(checkout, "run")
    expected = _expected(connection)
    assert _actual(connection) == expected
    assert len(expected) == 3

    _send(checkout, producer, SECOND)
    _ok(checkout, "run")
    again = _expected(connection)
    assert again != expected
    assert _actual(connection) == again
    assert f"{MART}: 0 rows differ" in _ok(checkout, "reconcile")

    connection.execute(f"UPDATE cdm.{MART} SET order_cnt = order_cnt + 1, amount = 0")
    connection.execute(f"DELETE FROM cdm.{MART}_counted WHERE order_id = 1")
    assert checkout.palate("reconcile").returncode == 9
    _ok(checkout, *_reload_of_all(connection))
    assert _actual(connection) == again

    connection.execute(f"DELETE FROM cdm.{MART}")
    _ok(checkout, "rebuild", MART)
    assert _actual(connection) == again
    assert f"{MART}: 0 rows differ" in _ok(checkout, "reconcile")
    # A reload leaves names of dishes that count no more; a rebuild has none.
    _ok(checkout, "rebuild", "vault", "--yes")
    assert _actual(connection) == again


def test_mart_without_a_guest_is_counted_and_recounted(
    checkout: Checkout, connection: Conn, producer: KafkaProducer
) -> None:
    files = _folder_of_the_guide()
    contributions = files[f"areas/food/cdm/{MART}/contributions.sql"]
    _add(
        checkout,
        "days_of_statuses",
        mart="description: Closed orders of a day.\n"
        "keys: {day: date, status: text, restaurant_id: uuid}\n"
        "order_columns: [status, kafka_offset, h_restaurant_pk]\n",
        contributions=contributions.replace(
            "o.h_user_pk AS user_id", "o.order_dt::date AS day,\n    o.status"
        ).replace("o.h_user_pk", "o.order_dt::date, o.status"),
    )
    _ok(checkout, "migrate")
    _send(checkout, producer, SECOND)
    _ok(checkout, "run")
    rows = "SELECT day::text, status, restaurant_id, order_cnt FROM cdm.{} ORDER BY 3"
    before = connection.execute(rows.format("days_of_statuses")).fetchall()
    assert sum(row[3] for row in before) == 5
    connection.execute("UPDATE cdm.days_of_statuses SET order_cnt = order_cnt + 1")
    connection.execute("DELETE FROM cdm.days_of_statuses WHERE order_cnt > 2")
    _ok(checkout, *_reload_of_all(connection))
    assert connection.execute(rows.format("days_of_statuses")).fetchall() == before
    assert "days_of_statuses: 0 rows differ" in _ok(checkout, "reconcile")
    _ok(checkout, "check", "marts/equal_the_vault")


JOINED_WRONG = """-- What each order adds.
SELECT
    o.order_id,
    o.h_user_pk AS user_id,
    v.h_restaurant_pk AS restaurant_id,
    1 AS pieces_cnt,
    1 AS amount
FROM {{ orders }} AS o
INNER JOIN {{ dds }}.s_order_version AS v ON o.order_id = v.order_id AND o.order_id > 4
"""


def test_mart_that_counts_an_order_twice_is_refused_before_it_is_made(
    loaded: Checkout, connection: Conn
) -> None:
    before = _schema(connection)
    _add(loaded, contributions=JOINED_WRONG)

    done = loaded.palate("migrate")

    assert done.returncode == 2, done.stdout
    assert (
        f"sql/areas/food/cdm/{MART}/contributions.sql gives more than one row"
        in done.stderr
    )
    assert f"for order 5 and user_id {key('u')}, restaurant_id {key('r1')}" in (
        done.stderr
    )
    assert _schema(connection) == before


def test_order_that_is_counted_twice_fails_the_batch_and_the_comparisons(
    checkout: Checkout, connection: Conn, producer: KafkaProducer
) -> None:
    """The wrong join shows only when an order has a second message."""
    _add(checkout, contributions=JOINED_WRONG)
    _ok(checkout, "migrate")
    _ok(checkout, "run")
    before = _actual(connection)
    marks = "SELECT * FROM ops.watermarks WHERE stage = %s ORDER BY 2, 4"
    stood = connection.execute(marks, (f"mart:{MART}",)).fetchall()
    _send(checkout, producer, [raw(5, [line("c")], restaurant="r1", update_ts=LATER)])

    done = checkout.palate("run")

    file = f"sql/areas/food/cdm/{MART}/contributions.sql"
    told = f"{file} gives more than one row for order 5 and"
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert _actual(connection) == before
    assert connection.execute(marks, (f"mart:{MART}",)).fetchall() == stood
    for command in ("reconcile", "rebuild"):
        arguments = [command, MART] if command == "rebuild" else [command]
        done = checkout.palate(*arguments)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert _actual(connection) == before
    done = checkout.palate("check", "marts/equal_the_vault")
    assert "counted more than once: order 5" in done.stdout + done.stderr


# (files of the mart that are other ones, what the message must say)
UNUSABLE = {
    "column_that_is_not_asked_for": (
        {"mart": "description: What a test adds.\nkeys: [user_id, restaurant_id]\n"},
        "contributions.sql: PostgreSQL can't run the statement `old_contributions`: "
        "column o.h_restaurant_pk does not exist",
    ),
    "key_that_is_not_given": (
        {"mart": "description: What a test adds.\nkeys: [user_id, street]\n"
                 "order_columns: [h_restaurant_pk]\n"},
        'column "street" does not exist',
    ),
    "key_that_is_null": (
        {"contributions": JOINED_WRONG.replace("v.h_restaurant_pk", "NULL::uuid")
            .partition("INNER JOIN")[0]},
        "PostgreSQL can't run the statement `applied`: null value in column",
    ),
    "division_by_zero": (
        {"contributions": JOINED_WRONG.replace("1 AS amount", "1 / v.epoch AS amount")},
        "division by zero",
    ),
    "live_table_that_a_rebuild_would_read": (
        {"contributions": JOINED_WRONG.replace("{{ dds }}", "dds")},
        f"sql/areas/food/cdm/{MART}/contributions.sql:9: dds.s_order_version is always "
        "the live table",
    ),
    "unknown_name": (
        {"contributions": "SELECT 1 FROM {{ ordres }}\n"},
        "contributions.sql: 'ordres' is undefined",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
def test_mart_that_can_not_be_counted_is_refused_before_it_is_made(
    loaded: Checkout, connection: Conn, name: str
) -> None:
    before = _schema(connection)
    files, message = UNUSABLE[name]
    _add(loaded, **files)
    loaded.write(
        "satellites/s_order_bonus.yaml",
        "description: What a test adds.\nparent: h_order\nsource: [orders]\n"
        "payload:\n  bonus_grant: numeric\n",
    )

    done = loaded.palate("migrate")

    assert done.returncode == 2, done.stdout
    assert f"sql/areas/food/cdm/{MART}" in done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert _schema(connection) == before


def test_mart_that_has_no_row_yet_may_be_corrected(
    checkout: Checkout, connection: Conn
) -> None:
    _add(checkout)
    file = f"areas/food/cdm/{MART}/contributions.sql"
    checkout.change(file, "sum(i.quantity) AS", "2 * sum(i.quantity) AS")
    _ok(checkout, "migrate")
    checkout.change(file, "2 * sum(i.quantity) AS", "sum(i.quantity) AS")
    checkout.change(
        f"areas/food/cdm/{MART}/mart.yaml", "order_columns: [", "order_columns: [cost, "
    )

    assert _ok(checkout, "migrate") == f"Made {MART}.\n"
    _ok(checkout, "run")
    assert _actual(connection) == _expected(connection)

    checkout.change(file, "sum(i.quantity) AS", "2 * sum(i.quantity) AS")
    done = checkout.palate("migrate")
    assert (done.returncode, "its queries count" in done.stderr) == (2, True)


def test_satellite_that_has_no_row_yet_may_be_corrected(
    checkout: Checkout, connection: Conn
) -> None:
    file = "satellites/s_order_bonus.yaml"
    text = (
        "description: What a test adds.\nparent: h_order\nsource: [orders]\n"
        "payload:\n  bonus_grant: {type: numeric, from: %s}\n"
    )
    checkout.write(file, text % "bonus_payment")
    _ok(checkout, "migrate")
    checkout.write(file, text % "bonus_grant")

    assert _ok(checkout, "migrate") == "Made s_order_bonus.\n"
    assert "s_order_bonus has all of the history now" in _ok(checkout, "run")
    (number,) = connection.execute(
        "SELECT count(DISTINCT order_id) FROM dds.s_order_bonus"
    ).fetchone() or (0,)
    assert number == 5
    checkout.write(file, text % "bonus_payment")
    done = checkout.palate("migrate")
    assert (done.returncode, "differs from what" in done.stderr) == (2, True)


def test_table_that_views_read_is_corrected_while_nothing_is_loaded(
    copy: Checkout, connection: Conn
) -> None:
    file = "areas/food/dds/satellites/s_order_version.yaml"
    cost, more = "  cost: numeric\n", "  bonus_grant: numeric\n"
    copy.change(file, cost, cost + more)
    assert _ok(copy, "migrate") == "Made s_order_version.\n"
    assert connection.execute("SELECT count(*) FROM dds.v_order_item").fetchone() == (
        0,
    )
    assert connection.execute(
        "SELECT has_table_privilege('palate_reader', 'dds.v_order', 'SELECT')"
    ).fetchone() == (True,)
    connection.execute("CREATE VIEW public.mine AS SELECT * FROM dds.v_order")
    copy.change(file, more, "")
    done = copy.palate("migrate")
    assert (done.returncode, "mine reads it" in done.stderr) == (2, True), done.stderr


def test_mart_is_dropped_with_all_that_is_noted_of_it(
    checkout: Checkout, connection: Conn
) -> None:
    before = _schema(connection)
    (text,) = (t for p, t in _folder_of_the_guide().items() if p.endswith("mart.yaml"))
    _add(checkout, mart=text + TOTALS)
    _ok(checkout, "migrate")
    _ok(checkout, "run")
    totals = "SELECT guest_cnt, order_cnt FROM cdm.restaurant_totals ORDER BY 1, 2"
    assert connection.execute(totals).fetchall() == [(1, 1), (1, 1), (1, 2)]
    vault = connection.execute("SELECT count(*) FROM dds.s_order_version").fetchone()

    done = checkout.palate("drop", MART, "--yes")
    assert (
        done.returncode,
        f"sql/areas/food/cdm/{MART} is still there" in done.stderr,
    ) == (
        23,
        True,
    )
    shutil.rmtree(checkout.root / "sql" / "areas" / "food" / "cdm" / MART)
    told = f"cdm.{MART} has no definition any more"
    assert told in checkout.palate("migrate").stderr
    assert told in checkout.palate("status").stderr
    _ok(checkout, "run")  # nobody waits for it
    done = checkout.palate("drop", MART)
    assert (done.returncode, f"cdm.{MART} (3 rows)" in done.stdout) == (16, True)
    assert _actual(connection) != []

    told = _ok(checkout, "drop", MART, "--yes")

    assert "Nothing of the vault goes" in told
    assert f"mart:{MART}" in told
    assert told.endswith(f"Dropped {MART}.\n")
    assert _schema(connection) == before
    assert connection.execute(
        "SELECT count(*) FROM ops.watermarks WHERE stage LIKE %s", (f"%{MART}",)
    ).fetchone() == (0,)
    totals = "SELECT count(*) FROM ops.totals WHERE mart = %s"
    assert connection.execute(totals, (MART,)).fetchone() == (0,)
    query = "SELECT count(*) FROM dds.s_order_version"
    assert connection.execute(query).fetchone() == vault
    assert checkout.palate("drop", MART, "--yes").returncode == 11


def test_satellite_and_link_are_dropped_and_can_be_had_again(
    checkout: Checkout, connection: Conn
) -> None:
    before = _schema(connection)
    text = "description: What a test adds.\nsource: [orders]\n"
    link, satellite = "links/l_user_restaurant.yaml", "satellites/s_visits.yaml"
    checkout.write(link, f"{text}hub_keys: [h_user, h_restaurant]\n")
    checkout.write(
        satellite, f"{text}parent: l_user_restaurant\npayload:\n  cost: numeric\n"
    )
    _ok(checkout, "migrate")
    _ok(checkout, "run")
    for file in (link, satellite):
        (checkout.root / "sql" / "areas" / "food" / "dds" / file).unlink()
    done = checkout.palate("drop", "l_user_restaurant", "--yes")
    assert (done.returncode, "s_visits need its keys" in done.stderr) == (23, True)

    told = _ok(checkout, "drop", "s_visits", "--yes")
    assert "STG still has the messages of all these rows" in told
    assert "(0 rows)" not in told
    _ok(checkout, "drop", "l_user_restaurant", "--yes")

    assert _schema(connection) == before
    assert _ok(checkout, "migrate") == "The warehouse is up to date.\n"


def _restaurants(conn: Conn) -> list[tuple[Any, ...]]:
    """Return what the model says of restaurants."""
    rows: dict[Any, list[Version]] = {}
    for version in newest_versions(_versions(conn)):
        if version.status == CLOSED:
            rows.setdefault(key(version.restaurant_id), []).append(version)
    return sorted(
        (restaurant, len(orders), len({one.user_id for one in orders}))
        for restaurant, orders in rows.items()
    )


def _by_key(conn: Conn) -> list[tuple[Any, ...]]:
    return conn.execute(
        f"SELECT restaurant_id, order_cnt, guest_cnt FROM cdm.{BY_KEY} ORDER BY 1"
    ).fetchall()


def test_mart_by_key_of_the_guide_is_kept_healed_rebuilt_and_dropped(
    checkout: Checkout, connection: Conn, producer: KafkaProducer
) -> None:
    before = _schema(connection)
    _add(checkout, BY_KEY)
    assert _ok(checkout, "migrate") == f"Made {BY_KEY}.\n"
    assert f"{BY_KEY} has all of the history now" in _ok(checkout, "run")
    expected = _restaurants(connection)
    assert _by_key(connection) == expected
    _send(checkout, producer, SECOND)
    _ok(checkout, "run")
    again = _restaurants(connection)
    assert again != expected
    assert _by_key(connection) == again
    assert f"{BY_KEY}: 0 rows differ" in _ok(checkout, "reconcile")

    connection.execute(f"UPDATE cdm.{BY_KEY} SET order_cnt = 7, last_order_dt = NULL")
    connection.execute(f"DELETE FROM cdm.{BY_KEY} WHERE guest_cnt > 1")
    assert checkout.palate("reconcile").returncode == 9
    report = _ok(checkout, *_reload_of_all(connection))
    assert "other values" in report
    assert _by_key(connection) == again
    connection.execute(f"UPDATE cdm.{BY_KEY} SET order_cnt = 7")
    _ok(checkout, "rebuild", BY_KEY)
    assert _by_key(connection) == again
    connection.execute(f"UPDATE cdm.{BY_KEY} SET order_cnt = 7")
    _ok(checkout, "rebuild", "vault", "--yes")
    assert connection.execute(
        "SELECT living, rebuilt, missing, extra, changed FROM ops.rebuild_tables"
        " WHERE table_name = %s",
        (f"cdm.{BY_KEY}",),
    ).fetchall() == [(len(again), len(again), 0, 0, len(again))]
    assert _by_key(connection) == again
    _ok(checkout, "check", "marts/equal_the_vault")

    shutil.rmtree(checkout.root / "sql" / "areas" / "food" / "cdm" / BY_KEY)
    assert f"cdm.{BY_KEY} ({len(again)} rows)" in _ok(checkout, "drop", BY_KEY, "--yes")
    assert _schema(connection) == before


def test_file_of_a_mart_by_key_that_it_means_is_refused_and_others_are_taken(
    checkout: Checkout, connection: Conn
) -> None:
    _add(checkout, BY_KEY)
    _ok(checkout, "migrate")
    _ok(checkout, "run")
    folder = f"areas/food/cdm/{BY_KEY}"
    checkout.change(f"{folder}/touched.sql", "SELECT v.", "SELECT DISTINCT v.")
    checkout.change(f"{folder}/mart.yaml", "[last_order_dt]\n", "[order_cnt]\n")
    checkout.change(
        f"{folder}/mart.yaml", "nullable: [order_cnt]", "nullable: [last_order_dt]"
    )
    assert _ok(checkout, "migrate") == f"Made an index on {BY_KEY} (order_cnt).\n"
    _ok(checkout, "run")

    checkout.change(f"{folder}/rows.sql", "'CLOSED'", "'CANCELLED'")
    for command in ("migrate", "run"):
        done = checkout.palate(command)
        told = f"sql/{folder} differs from what {BY_KEY} was made from (its queries"
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert _by_key(connection) == _restaurants(connection)


_TWICE = (
    "SELECT\n    v.h_restaurant_pk AS restaurant_id,\n    1 AS order_cnt,\n"
    "    1 AS guest_cnt,\n    NULL::timestamp AS last_order_dt\n"
    "FROM {{ dds }}.s_order_version AS v\n"
)
# (files of the mart that are other ones, what the message must say)
UNUSABLE_BY_KEY = {
    "two_rows_of_a_key": (
        {"rows": _TWICE}, "rows.sql gives more than one row for restaurant_id ",
    ),
    "column_that_rows_lacks": (
        {"rows": _TWICE.replace("AS guest_cnt", "AS guests")},
        "rows.sql: PostgreSQL can't run the statement `computed`: column "
        "r.guest_cnt does not exist",
    ),
    "value_of_another_type": (
        {"rows": _TWICE.replace("1 AS guest_cnt", "'some'::text AS guest_cnt")},
        'rows.sql: PostgreSQL can\'t run the statement `computed`: column "guest_cnt" '
        "is of type bigint but expression is of type text",
    ),
    "null_where_none_may_be": (
        {"rows": _TWICE.replace("1 AS guest_cnt", "NULL::bigint AS guest_cnt")},
        'null value in column "guest_cnt"',
    ),
    "key_of_another_type": (
        {"touched": "SELECT 'r'::text AS restaurant_id FROM batch_ranges\n"},
        "touched.sql: PostgreSQL can't run the statement `touched_keys`",
    ),
    "live_table_that_a_rebuild_would_read": (
        {"touched": "SELECT v.h_restaurant_pk AS restaurant_id\n"
                    "FROM dds.s_order_version AS v\n"},
        "touched.sql:2: dds.s_order_version is always the live table",
    ),
    "unknown_name": (
        {"rows": "SELECT 1 FROM {{ orders }}\n"}, "rows.sql: 'orders' is undefined",
    ),
    "type_without_equality": (
        {"mart": "kind: by_key\ndescription: What a test adds.\n"
                 "keys: {restaurant_id: uuid}\ncolumns: {order_cnt: json}\n",
         "rows": _TWICE.replace("1 AS order_cnt", "'{}'::json AS order_cnt")
                       .replace("SELECT\n", "SELECT DISTINCT ON (1)\n")},
        "mart.yaml: PostgreSQL can't run the statement `differing`: operator does "
        "not exist: json = json",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE_BY_KEY)
def test_mart_by_key_that_can_not_be_kept_is_refused_before_it_is_made(
    loaded: Checkout, connection: Conn, name: str
) -> None:
    before = _schema(connection)
    files, message = UNUSABLE_BY_KEY[name]
    _add(loaded, BY_KEY, **files)

    done = loaded.palate("migrate")

    assert done.returncode == 2, done.stdout
    assert f"areas/food/cdm/{BY_KEY}/" in done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert _schema(connection) == before


def test_mart_by_key_that_lacks_a_file_is_refused(
    loaded: Checkout, connection: Conn
) -> None:
    before = _schema(connection)
    _add(loaded, BY_KEY)
    (loaded.root / "sql" / "areas" / "food" / "cdm" / BY_KEY / "touched.sql").unlink()
    done = loaded.palate("migrate")
    told = f"sql/areas/food/cdm/{BY_KEY}/touched.sql is not there"
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert _schema(connection) == before


def test_rebuild_refuses_a_mart_that_names_a_live_table(
    loaded: Checkout, connection: Conn
) -> None:
    """It means the same, so that nothing else refuses it."""
    file = f"areas/food/cdm/{MART}/contributions.sql"
    _add(loaded)
    _ok(loaded, "migrate")
    loaded.change(file, "{{ dds }}", "dds")

    done = loaded.palate("rebuild", "vault", "--yes")

    told = f"sql/{file}:13: dds.s_order_item is always the live table"
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert connection.execute("SELECT count(*) FROM ops.rebuilds").fetchone() == (0,)


def test_what_others_read_is_not_dropped(loaded: Checkout, connection: Conn) -> None:
    before = _schema(connection)
    _add(loaded)
    loaded.change(
        f"areas/food/cdm/{MART}/contributions.sql",
        "FROM {{ orders }} AS o\n",
        "FROM {{ orders }} AS o\nINNER JOIN {{ dds }}.l_order_restaurant AS x"
        " ON o.order_id = x.order_id AND o.h_restaurant_pk = x.h_restaurant_pk\n",
    )
    _ok(loaded, "migrate")
    for file, said in (
        (
            "links/l_order_restaurant.yaml",
            f"sql/areas/food/cdm/{MART}/contributions.sql",
        ),
        ("satellites/s_product_names.yaml", "view dds.v_product_name depends on"),
    ):
        path = loaded.root / "sql" / "areas" / "food" / "dds" / file
        text = path.read_text()
        path.unlink()
        done = loaded.palate("drop", path.stem, "--yes")
        assert (done.returncode, said in done.stderr) == (23, True), done.stderr
        path.write_text(text)
    done = loaded.palate("drop", "user_product_counters", "--yes")
    assert (done.returncode, "tags read it" in done.stderr) == (23, True)
    shutil.rmtree(loaded.root / "sql" / "areas" / "food" / "cdm" / MART)
    _ok(loaded, "drop", MART, "--yes")
    assert _schema(connection) == before


def test_source_that_no_topic_leads_to_is_refused(
    loaded: Checkout, connection: Conn
) -> None:
    before = _schema(connection)
    folder = loaded.root / "sql" / "areas" / "food" / "sources" / "payments" / "parse"
    folder.mkdir(parents=True)
    (folder / "1_payments.sql").write_text(
        "-- Take the payments.\n{#- makes: payments #}\n"
        "CREATE TEMP TABLE batch_payments ON COMMIT DROP AS\n"
        "SELECT topic AS load_src, topic AS payment_id FROM stg.order_events\n"
    )
    done = loaded.palate("migrate")
    assert done.returncode == 2
    assert "sql/areas/food/sources/payments: it has no source.yaml" in done.stderr
    assert _schema(connection) == before


def _schema(connection: Conn) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT table_schema, table_name, column_name, data_type, is_nullable"
        " FROM information_schema.columns"
        " WHERE table_schema IN ('ops', 'stg', 'dds', 'cdm')"
        " UNION ALL SELECT kind, name, definition::text, created_dt::text, ''"
        " FROM ops.definitions ORDER BY 1, 2, 3"
    ).fetchall()
