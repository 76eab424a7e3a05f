"""Definition files: wrong ones are named with their field, new ones are enough."""

import shutil
from pathlib import Path

import psycopg
import pytest
from kafka import KafkaProducer

from palate.errors import DefinitionError
from palate.marts.definitions import load_marts
from palate.names import AREAS_FOLDER
from palate.settings import Settings
from palate.vault.definitions import load_vault
from tests.checkout import Checkout
from tests.integration.staged import load, stage_messages, with_topics
from tests.unit.model.stories import enriched, line, raw

HUB = (
    "description: A thing of a test.\nsource: [orders]\nbusiness_keys:\n  x_id: text\n"
)
SATELLITE = "description: What a test adds.\nparent: h_order\nsource: [orders]\n"
LINK = "description: Two things of a test.\nsource: [orders]\n"
PAYLOAD = "payload:\n  bonus_grant: numeric\n"

# (file, its text, what the message must say beside the file's name)
WRONG = {
    "unknown_field": ("hubs/h_x.yaml", HUB + "colour: red\n", "colour: Extra inputs"),
    "missing_field": ("hubs/h_x.yaml", "source: [orders]\n", "description: Field requ"),
    "wrong_type": (
        "satellites/s_x.yaml",
        SATELLITE + "payload: [bonus_grant]\n",
        "payload: Input should be a valid dictionary",
    ),
    "no_payload": ("satellites/s_x.yaml", SATELLITE, "payload: Field required"),
    "empty_source": (
        "hubs/h_x.yaml",
        HUB.replace("[orders]", "[]"),
        "source: Tuple should have at least 1 item",
    ),
    "two_clustered_keys": (
        "hubs/h_x.yaml",
        HUB + "  y_id: text\nclustered: true\n",
        "business_keys: a clustered hub has one",
    ),
    "name_that_is_none": ("hubs/h_Русский.yaml", HUB, "table: String should match"),
    "missing_parent": (
        "satellites/s_x.yaml",
        SATELLITE.replace("h_order", "h_ordre") + PAYLOAD,
        "its parent h_ordre is no hub or link",
    ),
    "parent_that_is_a_satellite": (
        "satellites/s_x.yaml",
        SATELLITE.replace("h_order", "s_order_cost") + PAYLOAD,
        "its parent s_order_cost is no hub or link",
    ),
    "missing_hub": (
        "links/l_x.yaml",
        LINK + "hub_keys: [h_order, h_x]\n",
        "hub_keys names h_x, but there is no hub",
    ),
    "hub_that_is_a_link": (
        "links/l_x.yaml",
        LINK + "hub_keys: [h_order, l_order_user]\n",
        "hub_keys names l_order_user, but there is no hub",
    ),
    "one_hub": ("links/l_x.yaml", LINK + "hub_keys: [h_order]\n", "hub_keys"),
    "unknown_grain": (
        "satellites/s_x.yaml",
        SATELLITE + "grain: day\n" + PAYLOAD,
        "grain: Input should be 'content', 'message' or 'version'",
    ),
    "versions_of_nothing": (
        "satellites/s_x.yaml",
        SATELLITE + "grain: version\nhas_hashdiff: false\n" + PAYLOAD,
        "identity belongs to the grain version, and only to that",
    ),
    "versions_by_their_content": (
        "satellites/s_x.yaml",
        SATELLITE + "grain: version\nidentity: [bonus_grant]\n" + PAYLOAD,
        "has_hashdiff is false",
    ),
    "record_of_something_else": (
        "records/x.yaml",
        "description: A record of a test.\nsource: [orders]\nidentity: [x]\n" + PAYLOAD,
        "identity names x, which is no column of payload",
    ),
    "no_yaml": ("hubs/h_x.yaml", "description: 'open\nsource: [", "this is no YAML"),
    "no_text": ("hubs/h_x.yaml", "\x00", "this is no YAML"),
    "no_mapping": ("hubs/h_x.yaml", "- h_x\n", "is a mapping of fields"),
    "empty": ("hubs/h_x.yaml", "", "is a mapping of fields"),
    "two_files": ("hubs/h_order.yml", HUB, "already a definition of h_order"),
    "two_kinds": ("links/h_order.yaml", LINK + "hub_keys: [h_user, h_order]\n", "alre"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(AREAS_FOLDER, tmp_path / "areas"))


@pytest.mark.parametrize("name", WRONG)
def test_wrong_definition_is_named_with_its_field(folder: Path, name: str) -> None:
    file, text, message = WRONG[name]
    path = folder / "food" / "dds" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")

    with pytest.raises(DefinitionError) as error:
        load_vault(folder=folder)

    assert file in str(error.value)
    assert message in str(error.value)
    assert error.value.exit_code == 2


def test_name_of_a_yml_file_is_told_as_it_is(folder: Path) -> None:
    text = HUB + "colour: red\n"
    (folder / "food" / "dds" / "hubs" / "h_x.yml").write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"h_x\.yml: colour"):
        load_vault(folder=folder)


def test_area_is_read_beside_a_wrong_file_of_another_one(folder: Path) -> None:
    reviews = Path(__file__).parents[1] / "areas" / "reviews" / "area"
    shutil.copytree(reviews, folder / "reviews")
    for name in ("atlas", "zoo"):  # before and after the area that has the hub
        hubs = folder / name / "dds" / "hubs"
        hubs.mkdir(parents=True)
        (hubs / "h_user.yaml").write_text("extends: food\nsource: [x]\ncolour: red\n")

    for area in ("food", "reviews"):
        assert "h_user" in load_vault(area, folder=folder).tables
    for wrong in (None, "atlas", "zoo"):
        with pytest.raises(DefinitionError, match=r"h_user\.yaml: colour"):
            load_vault(wrong, folder=folder)


def test_wrong_file_of_a_hub_stops_whoever_refers_to_it(folder: Path) -> None:
    reviews = Path(__file__).parents[1] / "areas" / "reviews" / "area"
    shutil.copytree(reviews, folder / "reviews")
    path = folder / "food" / "dds" / "hubs" / "h_user.yaml"
    path.write_text(HUB + "colour: red\n")
    with pytest.raises(DefinitionError, match=r"food/dds/hubs/h_user\.yaml: colour"):
        load_vault("reviews", folder=folder)


MART = "description: What a test adds.\n"
BY_KEY = MART + "kind: by_key\nkeys: {a: uuid}\n"
WRONG_MARTS = {
    "unknown_field": ("colour: red\n", "colour: Extra inputs"),
    "no_yaml": ("keys: [", "this is no YAML"),
    "no_mapping": ("- x", "is a mapping of fields"),
    "no_keys": (MART + "keys: []\n", "keys"),
    "key_that_is_counted": (MART + "keys: [amount]\n", "amount is a column twice"),
    "unknown_order_column": (
        MART + "keys: [user_id]\norder_columns: [colour]\n",
        "order_columns names colour, but the newest version of an order has ",
    ),
    "reference_about_no_dish": (
        MART + "keys: [user_id]\nreference: {table: y, columns: {street: text},"
        " key: [street], changes: labels}\n",
        "columns lacks product_id",
    ),
    "tags_without_a_name": (
        MART + "keys: [user_id, product_id]\ntag_kind: product\n",
        "tag_kind needs a label",
    ),
    "unknown_kind": (
        MART + "kind: by_day\n",
        "kind: by_day is none of contributions, ",
    ),
    "no_columns_by_key": (BY_KEY, "columns: Field required"),
    "column_twice": (BY_KEY + "columns: {a: date}\n", "a is a column twice"),
    "column_of_comparisons": (
        BY_KEY + "columns: {what: text}\n",
        "what is a column of",
    ),
    "nullable_that_is_no_column": (
        BY_KEY + "columns: {b: date}\nnullable: [a]\n",
        "nullable names a, but columns has b",
    ),
    "index_on_nothing": (
        BY_KEY + "columns: {b: date}\nindex: [c]\n",
        "index names c, which is no column",
    ),
    "tags_of_a_mart_by_key": (
        BY_KEY + "columns: {b: date}\ntag_kind: product\n",
        "tag_kind: Input should be None",
    ),
    "field_of_the_other_kind": (
        BY_KEY + "columns: {b: date}\norder_columns: [cost]\n",
        "order_columns: Extra inputs",
    ),
}


def test_name_of_a_mart_leaves_room_for_its_other_table(tmp_path: Path) -> None:
    """PostgreSQL cuts a name at 63 bytes: two tables would have one name."""
    for length in (55, 56):
        folder = _folder_of_a_mart(tmp_path / str(length), "x" * length)
        (folder / "mart.yaml").write_text(MART + "keys: [user_id]\n", encoding="utf-8")
    assert len(load_marts(folder=tmp_path / "55")) == 1
    with pytest.raises(DefinitionError, match=r"name: .* at most 55 characters"):
        load_marts(folder=tmp_path / "56")


@pytest.mark.parametrize("name", WRONG_MARTS)
def test_wrong_mart_is_named_with_its_field(tmp_path: Path, name: str) -> None:
    text, message = WRONG_MARTS[name]
    folder = _folder_of_a_mart(tmp_path, "x")
    (folder / "mart.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError) as error:
        load_marts(folder=tmp_path)
    assert "x/mart.yaml" in str(error.value)
    assert message in str(error.value)


def _folder_of_a_mart(areas: Path, name: str) -> Path:
    """Make the folder of a mart in an area that has nothing else."""
    counted = AREAS_FOLDER / "food" / "contributions"
    shutil.copytree(counted, areas / "food" / "contributions")
    folder = areas / "food" / "cdm" / name
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, warehouse: Settings) -> Checkout:
    return Checkout.copied(tmp_path, warehouse)


def test_migrating_again_changes_nothing(
    checkout: Checkout, connection: psycopg.Connection
) -> None:
    before = _schema(connection)
    for _ in range(2):
        done = checkout.palate("migrate")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "The warehouse is up to date.\n"
    assert _schema(connection) == before


def test_new_satellite_gets_its_table_and_the_history(
    checkout: Checkout, connection: psycopg.Connection, producer: KafkaProducer
) -> None:
    for message in (raw(1), raw(2)):
        producer.send(next(iter(checkout.settings.palate_topics)), message.value)
    producer.flush()
    assert checkout.palate("run").returncode == 0
    checkout.write("satellites/s_order_bonus.yaml", SATELLITE + PAYLOAD)

    made = checkout.palate("migrate")
    assert made.stdout == "Made s_order_bonus.\n", made.stderr
    assert checkout.palate("run").returncode == 0

    rows = connection.execute("SELECT order_id FROM dds.s_order_bonus ORDER BY 1")
    assert rows.fetchall() == [(1,), (2,)]
    assert connection.execute(
        "SELECT obj_description('dds.s_order_bonus'::regclass)"
    ).fetchone() == ("What a test adds.",)


def test_new_mart_is_a_folder_and_counts_the_history(
    checkout: Checkout, connection: psycopg.Connection, producer: KafkaProducer
) -> None:
    topic = next(iter(checkout.settings.palate_topics))
    for number in range(3):
        producer.send(topic, raw(number, [line("d"), line(f"dish {number}")]).value)
    producer.flush()
    assert checkout.palate("run").returncode == 0
    checkout.add_mart("dishes_of_guests")

    made = checkout.palate("migrate")
    assert made.stdout == "Made dishes_of_guests.\n", made.stderr
    assert checkout.palate("run").returncode == 0
    done = checkout.palate("reconcile")
    assert "dishes_of_guests: 0 rows differ" in done.stdout, done.stderr

    query = "SELECT user_id, product_id, order_cnt, amount FROM cdm.{} ORDER BY 1, 2"
    old, new = (
        connection.execute(query.format(name)).fetchall()
        for name in ("user_product_counters", "dishes_of_guests")
    )
    assert new == old
    assert len(new) == 4


COST = "areas/food/dds/satellites/s_order_cost.yaml"
# (file, text, another text in its place, what the message must say)
REFUSED = {
    "another_type": (
        COST,
        "bonus_grant: numeric",
        "bonus_grant: text",
        "s_order_cost.yaml differs from what s_order_cost was made from (payload: "
        "bonus_grant numeric, now text)",
    ),
    "column_taken_out": (
        COST,
        "  bonus_grant: numeric\n",
        "",
        "(payload: bonus_grant numeric, now not there)",
    ),
    "column_renamed": (
        COST,
        "bonus_grant: numeric",
        "granted: {type: numeric, from: bonus_grant}",
        "(payload: bonus_grant numeric, now not there; payload: granted not there, now",
    ),
    "another_parent": (
        COST,
        "parent: h_order",
        "parent: h_user",
        "(parent: h_order, now h_user)",
    ),
    "another_grain": (
        "areas/food/dds/satellites/s_order_version.yaml",
        "grain: message",
        "grain: content",
        "s_order_version.yaml differs from what s_order_version was made from (grain:",
    ),
    "another_business_key": (
        "areas/food/dds/hubs/h_restaurant.yaml",
        "restaurant_id: text",
        "restaurant_name: text",
        "(business_keys: restaurant_id text, now not there; business_keys: restaurant_",
    ),
    "another_hub_key": (
        "areas/food/dds/links/l_order_user.yaml",
        "[h_order, h_user]",
        "[h_order, h_restaurant]",
        "(hub_keys: ['h_order', 'h_user'], now ['h_order', 'h_restaurant'])",
    ),
    "another_source": (
        "areas/food/dds/satellites/s_user_names.yaml",
        "source: [users, orders]",
        "source: [users]",
        "(source: ['users', 'orders'], now ['users'])",
    ),
    "another_mart": (
        "areas/food/cdm/user_product_counters/mart.yaml",
        "is_from_menu: boolean",
        "is_from_menu: integer",
        "sql/areas/food/cdm/user_product_counters differs from what",
    ),
    "another_query_of_a_mart": (
        "areas/food/cdm/user_category_counters/contributions.sql",
        "sum(i.quantity * i.price)",
        "sum(i.price)",
        "(its queries count something else)",
    ),
}


@pytest.fixture
def loaded(checkout: Checkout, connection: psycopg.Connection) -> Checkout:
    """Give a checkout whose warehouse has a row in each table that tests change."""
    lines = [line("d", category="Суп", name="Суп дня")]
    user = {"id": "u", "name": "Anna", "login": "anna"}
    stage_messages(connection, [enriched(77, lines, user=user)])
    load(with_topics(checkout.settings))
    return checkout


@pytest.mark.parametrize("name", REFUSED)
def test_changed_meaning_of_a_table_is_refused(
    loaded: Checkout, connection: psycopg.Connection, name: str
) -> None:
    checkout = loaded
    before = _schema(connection)
    file, old, new, message = REFUSED[name]
    checkout.change(file, old, new)

    done = checkout.palate("migrate")

    assert done.returncode == 2
    assert message.replace('"', "") in done.stderr
    assert "Put the old definition back" in done.stderr
    assert "A definition changes its meaning" in done.stderr
    assert "Traceback" not in done.stderr
    assert _schema(connection) == before


def test_another_description_is_the_new_comment(
    checkout: Checkout, connection: psycopg.Connection
) -> None:
    for file in (COST, "areas/food/cdm/user_product_counters/mart.yaml"):
        checkout.change(file, "description: ", "description: It's new. ")
        checkout.change(
            file, "description: It's new. >-\n  ", "description: It's new. "
        )
    done = checkout.palate("migrate")
    assert (done.returncode, done.stdout) == (0, "The warehouse is up to date.\n")
    comments = "SELECT obj_description(%s::regclass)"
    for table in ("dds.s_order_cost", "cdm.user_product_counters"):
        (comment,) = connection.execute(comments, (table,)).fetchone() or ("",)
        assert comment.startswith("It's new. ")


def test_remark_in_the_query_of_a_mart_means_the_same(checkout: Checkout) -> None:
    file = "areas/food/cdm/user_category_counters/contributions.sql"
    checkout.change(file, "GROUP BY", "-- By order.\nGROUP  BY")
    done = checkout.palate("migrate")
    assert (done.returncode, done.stderr) == (0, "")


def test_added_index_is_made(
    checkout: Checkout, connection: psycopg.Connection
) -> None:
    checkout.change(COST, "payload:", "index: [cost, version_dt]\npayload:")
    done = checkout.palate("migrate")
    assert done.stdout == "Made an index on s_order_cost (cost, version_dt).\n"
    assert connection.execute(
        "SELECT count(*) FROM pg_indexes WHERE tablename = 's_order_cost'"
        " AND indexdef LIKE '%(cost, version_dt)'"
    ).fetchone() == (1,)
    assert checkout.palate("migrate").stdout == "The warehouse is up to date.\n"


def test_what_older_versions_did_not_note_is_taken_over(
    checkout: Checkout, connection: psycopg.Connection
) -> None:
    connection.execute(
        "UPDATE ops.definitions SET definition = definition - 'source' - 'query'"
    )
    assert checkout.palate("migrate").returncode == 0
    missing = connection.execute(
        "SELECT count(*) FROM ops.definitions"
        " WHERE NOT definition ?| ARRAY['source', 'query']"
    )
    assert missing.fetchone() == (0,)


@pytest.fixture
def twelve(
    checkout: Checkout, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> Checkout:
    """Load twelve orders in chunks of one: a run fills a new table with ten of them."""
    monkeypatch.setenv("PALATE_CHUNK_POSITIONS", "1")
    _order(checkout, producer, *range(12))
    assert checkout.palate("run").returncode == 0
    return checkout


def _order(checkout: Checkout, producer: KafkaProducer, *numbers: int) -> None:
    topic = next(iter(checkout.settings.palate_topics))
    for number in numbers:
        lines = [line("d", name="Лобио")]
        # In one partition: the history is filled in the order of positions.
        producer.send(topic, raw(number, lines).value, partition=0)
    producer.flush()


def test_new_satellite_is_filled_in_chunks_beside_live_loading(
    twelve: Checkout, connection: psycopg.Connection, producer: KafkaProducer
) -> None:
    twelve.write("satellites/s_order_bonus.yaml", SATELLITE + PAYLOAD)
    assert twelve.palate("migrate").returncode == 0
    _order(twelve, producer, 12)

    done = twelve.palate("run")

    told = "s_order_bonus is new and being filled from the history, by each run: 10 of"
    assert told in done.stdout, done.stderr
    assert f"{told} 13 positions" in twelve.palate("status").stdout
    count = "SELECT (SELECT count(*) FROM dds.h_order), count(*) FROM dds.s_order_bonus"
    # What comes meanwhile is in it at once, and the history up to the tenth position.
    assert connection.execute(count).fetchone() == (13, 11)
    assert "s_order_bonus has all of the history now." in twelve.palate("run").stdout
    assert connection.execute(count).fetchone() == (13, 13)
    assert "being filled" not in twelve.palate("status").stdout


def test_new_mart_is_filled_in_chunks_and_says_so(
    twelve: Checkout, connection: psycopg.Connection, producer: KafkaProducer
) -> None:
    """As if its rules' mart were new: tags wait, too."""
    connection.execute(
        "INSERT INTO cdm.tag_rules (kind, name, threshold, tag)"
        " VALUES ('product', 'Лобио', 11, 'often')"
    )
    connection.execute(
        "DELETE FROM ops.definitions WHERE name = 'user_product_counters'"
    )
    connection.execute("DELETE FROM ops.watermarks WHERE stage LIKE 'mart:user_prod%'")
    connection.execute(
        "DROP TABLE cdm.user_product_counters, cdm.user_product_counters_counted,"
        " cdm.user_product_counters_names"
    )
    gone = connection.execute(
        "DELETE FROM ops.totals WHERE mart = 'user_product_counters'"
        " RETURNING table_name"
    )
    for (table,) in gone.fetchall():
        connection.execute(f"DROP TABLE cdm.{table}")
    assert "Made user_product_counters" in twelve.palate("migrate").stdout
    _order(twelve, producer, 12)

    done = twelve.palate("run")

    told = "user_product_counters is new and being filled from the history, by each run"
    assert f"{told}: 10 of 13 positions (76 %)" in done.stdout, done.stderr
    assert "tags: nothing to do. Tags stay as they are." in done.stdout
    assert told in twelve.palate("status").stdout
    count = "SELECT order_cnt FROM cdm.{}"
    product, category = "user_product_counters", "user_category_counters"
    assert connection.execute(count.format(product)).fetchone() == (10,)
    assert connection.execute(
        "SELECT sum(next_offset) FROM ops.watermarks WHERE stage = %s",
        (f"mart:{category}",),
    ).fetchone() == (13,)

    done = twelve.palate("run")

    assert "user_product_counters has all of the history now." in done.stdout
    assert connection.execute(count.format(product)).fetchone() == (13,)
    assert "user_tags: 0 rows differ" in twelve.palate("reconcile").stdout


def test_rebuild_accepts_another_meaning(
    twelve: Checkout, connection: psycopg.Connection, producer: KafkaProducer
) -> None:
    twelve.change(COST, "  bonus_grant: numeric\n", "  status: text\n")
    file = "areas/food/cdm/user_product_counters/contributions.sql"
    twelve.change(file, "sum(i.quantity * i.price)", "sum(i.price)")
    assert twelve.palate("migrate").returncode == 2
    done = twelve.palate("rebuild", "vault")
    assert (done.returncode, "rows differ" in done.stderr) == (16, True), done.stderr

    done = twelve.palate("rebuild", "vault", "--yes")

    assert done.returncode == 0, done.stderr
    assert "its definition says something else now" in done.stdout
    assert twelve.palate("migrate").stdout == "The warehouse is up to date.\n"
    _order(twelve, producer, 12)
    assert twelve.palate("run").returncode == 0
    cost = "SELECT count(*), min(status) FROM dds.s_order_cost"
    assert connection.execute(cost).fetchone() == (13, "CLOSED")
    assert twelve.palate("reconcile").returncode == 0
    assert connection.execute(
        "SELECT has_table_privilege('palate_loader', 'dds.s_order_cost', 'INSERT')"
    ).fetchone() == (True,)


UNUSABLE = {
    "unknown_source": (
        SATELLITE.replace("[orders]", "[ordres]") + PAYLOAD,
        "source names ordres, but the parse makes",
    ),
    "unknown_column": (SATELLITE + "payload:\n  colour: text\n", '"colour" does not'),
    "column_of_another_type": (
        SATELLITE + "payload:\n  status: integer\n",
        'column "status" is of type integer but expression is of type text',
    ),
    "unknown_type": (SATELLITE + "payload:\n  bonus_grant: money2\n", '"money2" does'),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_definition_that_can_not_be_loaded_is_refused_before_it_is_used(
    checkout: Checkout, connection: psycopg.Connection, name: str
) -> None:
    before = _schema(connection)
    text, message = UNUSABLE[name]
    checkout.write("satellites/s_x.yaml", text)

    done = checkout.palate("migrate")

    assert done.returncode == 2
    assert "sql/areas/food/dds/satellites/s_x.yaml: " in done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert _schema(connection) == before


def _schema(connection: psycopg.Connection) -> list[tuple]:
    return connection.execute(
        "SELECT table_schema, table_name, column_name, data_type, is_nullable"
        " FROM information_schema.columns"
        " WHERE table_schema IN ('ops', 'stg', 'dds', 'cdm')"
        " UNION ALL SELECT kind, name, definition::text, created_dt::text, ''"
        " FROM ops.definitions ORDER BY 1, 2, 3"
    ).fetchall()
