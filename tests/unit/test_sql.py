from pathlib import Path

import jinja2
import pytest

from palate import sql
from palate.errors import DefinitionError
from palate.sql import render
from palate.table_set import TableSet


def test_name_that_is_not_given_is_an_error_with_its_name() -> None:
    with pytest.raises(jinja2.UndefinedError, match="hub_keys"):
        render("engine/vault/link.sql", table="l_x", sources=["orders"], carried=[])


def test_file_with_live_tables_is_not_rendered_for_a_rebuild() -> None:
    path = "areas/food/tags/who.sql"
    assert "FROM cdm.user_tags AS " in render(path, applied_conditions="TRUE")
    told = r"sql/areas/food/tags/who\.sql:6: cdm\.user_tags is always the live table"
    with pytest.raises(DefinitionError, match=told):
        render(path, TableSet.SHADOW, applied_conditions="TRUE")


def test_live_names_are_found_line_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "SQL_FOLDER", tmp_path)
    (tmp_path / "x.sql").write_text(
        "-- Not a remark about dds.h_user.\n"
        "SELECT {{ dds }}.h_order, adds.x, 1  -- dds.h_order\n"
        '{% include "engine/vault/x.sql" %}\n'
        "FROM (cdm.y,dds.{{ table }}) AS t\n"
    )
    assert sql.live_names("x.sql") == [(4, "cdm.y"), (4, "dds.")]


def test_rank_of_versions_stands_once() -> None:
    by_order = render("areas/food/dds/views/7_v_restaurant_name.sql")
    by_comparison = render("areas/food/dds/views/3_v_order.sql")
    rank = ("broker_dt", "topic", "kafka_partition", "kafka_offset", "epoch")
    for column in rank:
        assert f"v.{column} DESC" in by_order
        assert f"later.{column}" in by_comparison
    # None counts as the earliest (contract, section 1).
    assert "v.sent_dttm DESC NULLS LAST" in by_order
    assert "coalesce(later.sent_dttm, '-infinity')" in by_comparison
