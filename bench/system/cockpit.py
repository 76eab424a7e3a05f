"""What the cockpit's pages cost, with much in store.

Every page of the app is asked for in turns, as HTML, by a client in the same process:
the time is the server's, from the request to the last byte. Orders are loaded by the
stages; the ledger, the results of checks and refused messages are filled up by SQL.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from pydantic import BaseModel

from bench.results import Figure, Limits
from bench.samples import Samples
from bench.services import RAW_TOPIC, Services, console
from bench.system import growth
from palate import checks, tags
from palate.check_definitions import load_checks
from palate.database import Connection, connect
from palate.engine import Caller
from palate.schema.migrate import migrate
from palate.settings import Settings
from palate_cockpit import Guards, create_app
from palate_cockpit.routes import API

_DATABASE = "bench_cockpit"
# Five requests a second on one core are 200 ms each; a page may not take more.
_PAGE = Limits(200, 100)
_REFUSED = 100_000
_DAYS = 30

# Where a name means something else than elsewhere.
_OF_A_PAGE = {
    "/help/{name}": {"name": "operations.md"},
    "/help/pictures/{name}": {"name": "assets.png"},
    "/checks/{name}": {"name": load_checks()[0].full_name},
}

_LEDGER = (
    "INSERT INTO ops.stage_runs (stage, dag_id, run_id, task_id, map_index,"
    " try_number, started_dt, finished_dt, outcome)"
    " SELECT (ARRAY['drain', 'vault', 'mart:user_product_counters',"
    " 'mart:user_category_counters', 'tags'])[1 + n %% 5], 'orders_stream',"
    " 'bench__' || n / 5, (ARRAY['drain', 'vault', 'user_product_counters',"
    " 'user_category_counters', 'tags'])[1 + n %% 5], -1, 1,"
    " now() - (%(batches)s - n) * interval '3 s',"
    " now() - (%(batches)s - n) * interval '3 s', 'done'"
    " FROM generate_series(1, %(batches)s) AS n",
    "INSERT INTO ops.batches (stage_run_id, stage, is_repeat, load_dt, committed_dt,"
    " counts) SELECT stage_run_id, stage, false, finished_dt, finished_dt,"
    """ '{"orders": 7}' FROM ops.stage_runs WHERE run_id LIKE 'bench\\_\\_%%'"""
    " ORDER BY stage_run_id",
    "INSERT INTO ops.batch_ranges (batch_id, topic, epoch, kafka_partition,"
    " from_offset, to_offset) SELECT b.batch_id, %(topic)s, 0, 0, b.batch_id * 7,"
    " b.batch_id * 7 + 7 FROM ops.batches AS b INNER JOIN ops.stage_runs AS s"
    " USING (stage_run_id) WHERE s.run_id LIKE 'bench\\_\\_%%'",
)
_CHECKED = (
    "INSERT INTO ops.check_results (dag_id, run_id, check_name, subject, severity,"
    " outcome, found, examples, note, seconds, checked_dt)"
    " SELECT 'warehouse_checks', 'bench__' || day, c.name, c.subject, 'fail',"
    " 'passed', 0, '[]', '', 0.1, now() - day * interval '1 day'"
    " FROM unnest(%(names)s::text[], %(subjects)s::text[]) AS c (name, subject),"
    " generate_series(1, %(days)s) AS day"
)
# A month of a backfill's ticks beside one reload, which a hundredth of the ledger did.
_RELOADED = (
    "INSERT INTO ops.reloads (dag_id, run_id, from_dt, to_dt, source)"
    " SELECT 'orders_stream', 'backfill__' || n, now(), now() + interval '5 min',"
    " 'auto' FROM generate_series(1, %(days)s * 288) AS n",
    "INSERT INTO ops.reloads (dag_id, run_id, from_dt, to_dt, source)"
    " VALUES ('orders_history_reload', 'bench', now(), now() + interval '7 d', 'auto')",
    "INSERT INTO ops.reload_stages (reload_id, stage)"
    " SELECT max(reload_id), 'vault:reload' FROM ops.reloads",
    "INSERT INTO ops.reload_batches (batch_id, reload_id)"
    " SELECT batch_id, (SELECT max(reload_id) FROM ops.reloads) FROM ops.batches"
    " WHERE batch_id %% 100 = 0",
    "INSERT INTO ops.rebuilds (dag_id, run_id, made_from)"
    " VALUES ('orders_history_reload', 'bench', '')",
)
# A rule that very many guests come under.
_RULE = (
    "INSERT INTO cdm.tag_rules (kind, name, threshold, tag)"
    " SELECT 'category', category_name, 1, 'bench' FROM cdm.user_category_counters"
    " GROUP BY category_name ORDER BY count(*) DESC LIMIT 1"
)
_REFUSE = (
    "INSERT INTO stg.rejected_messages (topic, epoch, kafka_partition, kafka_offset,"
    " reason, detail, rejected_dt) SELECT e.topic, e.epoch, e.kafka_partition,"
    " e.kafka_offset, (ARRAY['not_json', 'bad_value', 'missing_field'])"
    "[1 + e.kafka_offset %% 3], 'payload.cost: none', now() FROM stg.order_events AS e"
    " WHERE NOT EXISTS (SELECT FROM stg.rejected_messages AS r WHERE (r.topic, r.epoch,"
    " r.kafka_partition, r.kafka_offset) = (e.topic, e.epoch, e.kafka_partition,"
    " e.kafka_offset)) LIMIT %(refused)s"
)


def measure(
    services: Services, *, orders: int, batches: int, repetitions: int
) -> dict[str, Samples]:
    """Fill a store, and return the seconds of each page, by its path.

    :param orders: in store; a full store is kept for the next run
    :param batches: in the ledger
    :raises RuntimeError: if a page fails, or has a parameter without an example
    """
    if not services.has_database(growth.store(orders)):
        services.fill_dictionary(orders)
        growth.fill(services, orders)
    services.copy_database(growth.store(orders), _DATABASE)
    settings = services.settings(_DATABASE)
    migrate(settings)
    console.print("Filling the ledger ...")
    with connect(settings) as conn:
        _fill(conn, settings, batches)
        conn.execute(_RULE)
        tags.run(settings, Caller.in_shell(tags.STAGE))
        services.vacuum(_DATABASE)
        examples = _examples(conn)
    app = create_app(_everybody(), lambda: settings)
    found = {path: Samples() for path in _pages(app, examples)}
    client = TestClient(app)
    for turn in range(repetitions + 1):
        for path, seconds in found.items():
            one = Samples()
            with one.timed():
                answer = client.get(path)
            if answer.status_code != 200:
                raise RuntimeError(f"{path} answers {answer.status_code}.")
            if turn:  # the first one opens sessions and compiles templates
                seconds.values += one.values
    app.state.sessions.close()
    services.drop_database(_DATABASE)
    return found


def figures(found: dict[str, Samples]) -> list[Figure]:
    """Return the median and the greatest time of each page."""
    lines = []
    for path, seconds in found.items():
        values = [value * 1e3 for value in seconds.values]
        lines.append(Figure("cockpit", path, seconds.median * 1e3, "ms", values, _PAGE))
    return lines


def _fill(conn: Connection, settings: Settings, batches: int) -> None:
    planned = checks.planned(settings)
    values = {
        "batches": batches,
        "topic": RAW_TOPIC,
        "names": [check.full_name for check, _ in planned],
        "subjects": [subject for _, subject in planned],
        "days": _DAYS,
        "refused": _REFUSED,
    }
    for statement in (*_LEDGER, _CHECKED, *_RELOADED, _REFUSE):
        conn.execute(statement, values)


def _examples(conn: Connection) -> dict[str, Any]:
    """Return a value for each parameter that a page's path or query needs."""
    refused = conn.execute(
        "SELECT topic, epoch, kafka_partition, kafka_offset FROM stg.rejected_messages"
        " LIMIT 1"
    ).fetchone() or ("", 0, 0, 0)
    (guest,) = conn.execute(
        "SELECT h.user_id FROM cdm.user_product_counters AS m INNER JOIN dds.h_user"
        " AS h ON m.user_id = h.h_user_pk GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
    ).fetchone() or ("",)
    row = conn.execute("SELECT name, tag FROM cdm.tag_rules").fetchone()
    category, tag = row or ("", "")
    ids = conn.execute(
        "SELECT (SELECT max(check_result_id) FROM ops.check_results),"
        " (SELECT max(reload_id) FROM ops.reloads),"
        " (SELECT max(rebuild_id) FROM ops.rebuilds)"
    ).fetchone() or (0, 0, 0)
    numbers = ("check_result_id", "reload_id", "rebuild_id")
    names = ("topic", "epoch", "partition", "offset")
    found = zip((*names, *numbers), (*refused, *ids), strict=True)
    return dict(found) | {
        "user_id": guest,
        "name": category,
        "dag_id": "orders_stream",
        "run_id": "bench__1000",
        "task_id": "vault",
        "map_index": -1,
        "kind": "category",
        "threshold": 1,
        "tag": tag,
    }


def _pages(app: FastAPI, examples: dict[str, Any]) -> Iterator[str]:
    """Yield the path of every page, with examples in the place of parameters.

    :raises RuntimeError: if a parameter has no example
    """
    for route in app.routes:
        if not isinstance(route, APIRoute) or "GET" not in (route.methods or ()):
            continue
        if route.path.startswith(API):
            continue
        path = re.sub(r"{(\w+)(:\w+)?}", r"{\1}", route.path)
        asked = list(_asked(route))
        named = [*re.findall(r"{(\w+)}", path), *asked]
        own = examples | _OF_A_PAGE.get(path, {})
        if missing := set(named) - own.keys():
            raise RuntimeError(f"{route.path} needs an example of {missing}.")
        query = urlencode({name: own[name] for name in asked})
        yield path.format(**own) + (f"?{query}" if query else "")


def _asked(route: APIRoute) -> Iterator[str]:
    """Yield the names of the query's parameters that must be given."""
    for one in route.dependant.query_params:
        kind = one.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = kind.model_fields.items()
            yield from (name for name, field in fields if field.is_required())
        elif one.field_info.is_required():
            yield one.name


def _everybody() -> Guards:
    def allowed() -> None:
        """Allow everything: nobody else can reach the app."""

    return Guards(
        operations=allowed,
        persons=allowed,
        dismiss=allowed,
        rules=allowed,
        user=lambda: "bench",
        audit=lambda _: allowed,
    )
