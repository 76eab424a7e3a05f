import jinja2
import pytest

from palate import names
from palate.sql import render


def test_name_that_is_not_given_is_an_error_with_its_name() -> None:
    with pytest.raises(jinja2.UndefinedError, match="hub_keys"):
        render("dds/_templates/link.sql", table="l_x", sources=["orders"], carried=[])


def test_rank_of_versions_stands_once() -> None:
    by_order = render("dds/views/7_v_restaurant_name.sql")
    by_comparison = render("dds/views/3_v_order.sql")
    for column in set(names.VERSION_RANK) - {"version_dt", "sent_dttm"}:
        assert f"v.{column} DESC" in by_order
        assert f"later.{column}" in by_comparison
    # None counts as the earliest (contract, section 1).
    assert "v.sent_dttm DESC NULLS LAST" in by_order
    assert "coalesce(later.sent_dttm, '-infinity')" in by_comparison
