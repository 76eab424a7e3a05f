"""Every statement that the program makes from a file below ``sql/``, by name."""

from collections.abc import Iterator

from palate.check_definitions import load_checks
from palate.checks.subjects import query, subjects
from palate.copies.copy_sql import CopySql
from palate.marts import kept_totals, kinds, recount, refresh
from palate.marts.by_key_sql import ByKeySql
from palate.marts.compare import comparison
from palate.marts.counted_mart import CountedMart
from palate.marts.definitions import load_marts
from palate.marts.mart_sql import MartSql
from palate.marts.models import ByKeyMart, Mart
from palate.names import AREAS_FOLDER, SQL_FOLDER
from palate.reconcile.compared import tables_of
from palate.schema import migrate, roles
from palate.sources import catalog
from palate.sql import render
from palate.table_set import TableSet
from palate.tags import stage as tags
from palate.vault import compare, load, parse
from palate.vault.definitions import load_vault
from tests import guide_mart

AREAS = [catalog.load_area(name) for name in catalog.area_names()]

Statement = tuple[str, str]


def all_statements() -> Iterator[Statement]:
    """Give (name, SQL with its parameters' places) of each."""
    yield from rebuilt_statements(TableSet.LIVE)
    yield from _of_definitions()
    yield from _of_comparisons()
    yield from _of_sources()
    yield from _of_marts()
    for name, statement in tags.statements().items():
        yield f"tags {name}", statement
    for name in ("of", "who", "rules", "names"):
        path = f"areas/food/tags/{name}.sql"
        yield f"tags {name}", render(path, applied_conditions=tags.applied_conditions())
    for kind in tags.marts():
        path = "areas/food/tags/given_alone.sql"
        yield f"given alone {kind}", render(path, kind=kind, marts=tags.marts())
    for name in ("charts", "guests"):
        for path in sorted(AREAS_FOLDER.glob(f"*/{name}/*.sql")):
            yield f"{name} {path.stem}", render(str(path.relative_to(SQL_FOLDER)))
    for path in sorted((SQL_FOLDER / "ops" / "versions").glob("*.sql")):
        yield f"migration {path.stem}", path.read_text(encoding="utf-8")
    yield from _of_publishing()
    yield from _of_checks()
    for number, statement in enumerate(migrate.message_views(), start=1):
        yield f"messages {number}", statement
    yield "roles", render("ops/roles.sql", changing=roles.changing_columns())
    yield "role of the intake", render("ops/intake_role.sql")


def rebuilt_statements(tables: TableSet) -> Iterator[Statement]:
    """Give those that a rebuild runs for its own tables, and live runs for theirs."""
    definitions = load_vault()
    for item in definitions.in_load_order:
        text = load.render_load(definitions, item, tables=tables)
        yield f"load {item.table}", text
        make, *_ = migrate.table_statements(definitions.context(item), tables)
        yield f"make {item.table}", make
    relations = frozenset(
        name for item in definitions.tables.values() for name in item.source
    )
    known = [
        one
        for area in AREAS
        for one in load.known_statements(area.name, relations, tables)
    ]
    for number, statement in enumerate(known, start=1):
        yield f"known {number}", statement
    for source in (one for area in AREAS for one in area.sources):
        for number, step in enumerate(parse.parse_steps(source, tables), start=1):
            yield f"parse {source.name} {number}", step.statement
    for name in load_marts():
        for one in kinds.of(name).refresh_statements(tables):
            yield f"refresh {name} {one.name}", one.statement
    views = sorted(AREAS_FOLDER.glob("*/dds/views/*.sql"))
    for path, statement in zip(views, migrate.view_statements(tables), strict=True):
        yield f"view {path.stem}", statement


def _of_definitions() -> Iterator[Statement]:
    for item in load_vault().in_load_order:
        differing = compare.differing_statement(item.area, item.table, item.source)
        if differing:
            yield f"differing {item.table}", differing


def _of_comparisons() -> Iterator[Statement]:
    for one in tables_of(catalog.load_area("flights")):
        for name in ("source_table", "source_rows", "differing", "staged"):
            there = set(one.table.names)
            yield f"compared {name} {one.name}", one.render(name, there=there)


def _of_sources() -> Iterator[Statement]:
    for path in sorted(AREAS_FOLDER.glob("*/sources/*/*.sql")):
        name = f"{path.parent.name} {path.stem}"
        yield name, render(str(path.relative_to(SQL_FOLDER)))


def _of_marts() -> Iterator[Statement]:
    for name, mart in load_marts().items():
        yield f"recompute {name}", kinds.of(name).recomputed()
        if mart.copied_to:
            yield from _of_copy(mart)
        if isinstance(mart, CountedMart):
            yield from _of_recounts(mart)
            yield f"rebuild {name}", refresh.rebuild_statements(name)[0].statement
            yield from _of_totals(mart)
    with guide_mart.added() as mart:  # no area has one yet
        yield from _by_key(mart)


def _of_copy(mart: Mart) -> Iterator[Statement]:
    sql = CopySql(mart, (*mart.all_columns, "created_at"))
    for path in sorted((SQL_FOLDER / "engine" / "copies").glob("*.sql")):
        name, keys = path.stem, sql.shared("changed_keys")
        yield f"copy {name}", sql.shared(name, keys=keys, is_whole=False)
    yield "copy delete of all", sql.shared("delete", is_whole=True)


def _by_key(mart: ByKeyMart) -> Iterator[Statement]:
    sql = ByKeySql(mart)
    for one in (*sql.find_keys(), *sql.of_keys()):
        yield f"by key {one.name}", one.statement
    for one in sql.of_all():
        if one.name != "emptied":
            yield f"by key, all of it: {one.name}", one.statement
    yield "by key recompute", sql.recomputed()
    yield "by key compare", comparison(mart.name, is_behind=True)


def _of_recounts(mart: CountedMart) -> Iterator[Statement]:
    steps = refresh.refresh_statements(mart.name)
    for part, parts in recount.recount_statements(mart, steps).items():
        for one in parts:
            if one not in steps:
                yield f"recount {mart.name} {part} {one.name}", one.statement


def _of_totals(mart: CountedMart) -> Iterator[Statement]:
    if mart.keeps_contributions:
        yield f"totals {mart.name}", kept_totals.fill_statements(mart)[0].statement
        kept = MartSql(mart).step("keep_columns", lacking=mart.kept_columns)
        yield f"totals {mart.name} keep", kept.statement


def _of_publishing() -> Iterator[Statement]:
    names = {"mart": "user_product_counters"}
    for path in sorted(AREAS_FOLDER.glob("*/publish/**/*.sql")):
        name = path.relative_to(AREAS_FOLDER / "food")
        for changes in ("labels", "orders") if path.stem == "changed_guests" else ("",):
            yield (
                f"{name.with_suffix('')} {changes}".strip().replace("/", " "),
                render(str(path.relative_to(SQL_FOLDER)), **names, changes=changes),
            )


def _of_checks() -> Iterator[Statement]:
    for check in load_checks():
        areas = catalog.area_names()
        for subject in subjects(check.group, areas):
            name = f"check {check.full_name} {subject}"
            yield name, query(check, subject, areas)
            if check.group in ("marts", "tags"):
                behind = query(check, subject, areas, is_behind=True)
                yield f"{name} behind", behind
