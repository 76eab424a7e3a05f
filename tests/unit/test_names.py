import pytest

from palate.names import hashdiff, hub_key, link_key
from palate.vault.definitions import load_vault
from palate.vault.kinds import Hub, Link, Record, Satellite


@pytest.mark.parametrize("noun", ["user", "h_user"])
def test_hub_key_is_made_from_the_noun(noun: str) -> None:
    assert hub_key(noun) == "h_user_pk"


def test_link_key_and_hashdiff_are_made_from_the_table() -> None:
    assert link_key("l_order_user") == "hk_order_user_pk"
    assert hashdiff("s_user_names") == "hk_user_names_hashdiff"


@pytest.mark.parametrize("item", load_vault().tables.values(), ids=lambda i: i.table)
def test_table_is_named_after_its_kind(item: Hub | Link | Satellite | Record) -> None:
    # A record is named after what it records.
    if not isinstance(item, Record):
        assert item.table.startswith(f"{item.kind.value[0]}_")
