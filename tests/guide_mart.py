"""The mart by key that CONTRIBUTING shows, as if an area had it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from palate import sql
from palate.marts import by_key_sql, compare, kinds, meaning
from palate.marts.definitions import load_marts
from palate.marts.models import ByKeyMart
from palate.names import SQL_FOLDER
from palate.table_set import TableSet

GUIDE = (SQL_FOLDER.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAME = "restaurant_orders"


def files(name: str = NAME) -> dict[str, str]:
    """Return the texts of a mart of the guide, by their paths below ``sql/``."""
    return dict(
        re.findall(
            rf"`sql/(areas/food/cdm/{name}/\S+)`:\n\n```\w+\n(.*?)```", GUIDE, re.DOTALL
        )
    )


@contextmanager
def added(**changed: str) -> Iterator[ByKeyMart]:
    """Let this process know the mart, without a folder of it.

    :param changed: other texts of some of its files
    """
    texts = {Path(path).stem: text for path, text in files().items()} | changed
    mart = ByKeyMart(name=NAME, area="food", **yaml.safe_load(texts["mart"]))

    original = by_key_sql.query

    def query(path: str, tables: TableSet, **values: Any) -> str:
        if Path(path).parent.name != NAME:
            return original(path, tables, **values)
        template = sql._ENVIRONMENT.from_string(texts[Path(path).stem])
        return template.render(tables.names, **values)

    _forget()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for marts in (load_marts(), load_marts(mart.area)):
                patch.setitem(marts, NAME, mart)
            patch.setattr(by_key_sql, "query", query)
            yield mart
    finally:
        _forget()


def _forget() -> None:
    for cached in (
        *(kinds.of, by_key_sql.refresh_statements),
        *(compare.comparison, meaning.of_mart),
    ):
        cached.cache_clear()
