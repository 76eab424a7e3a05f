"""What warehouses were made from stays what it was: their definitions' hashes."""

import hashlib
import json

import pytest

from palate.schema.meanings import all_meanings
from palate.tables.registry import Meaning

# Of each definition as warehouses have noted it. One that differs would be refused by
# `palate migrate` in every warehouse there is: only a new table gets a new line.
NOTED = {
    "hubs/h_category": "d5519f2e49057700aea8cfc206841437",
    "hubs/h_order": "11ff5e789bc8457d61514308866a9dd0",
    "hubs/h_product": "cb723d95670d22e404ff33763a3e1566",
    "hubs/h_restaurant": "839ff1efcf37963cb74d2891bbb22b59",
    "hubs/h_user": "31bedc3226fd254245cf192d5bba3046",
    "links/l_order_product": "8089d5f2864258a9942a19270a796669",
    "links/l_order_restaurant": "065d9c0df28992257d30b7e1e2726491",
    "links/l_order_user": "c897957ade9833ecce276ba273a095e0",
    "links/l_product_category": "3e6a1374f200acafc2ffdb3c18747c25",
    "links/l_product_restaurant": "4503ce196704c6e25c5901a2579c1bfd",
    "mart/user_category_counters": "56212314b3ea5a4738458ffa5441c39e",
    "mart/user_product_counters": "13dba3052f31bbbe9f8b92e1a883bdd1",
    "satellites/s_menu_price": "e46e060706ed75b8d440ea529b78659b",
    "satellites/s_order_cost": "d5b12f31dd2a240ce3dc504a0a5565fa",
    "satellites/s_order_item": "fb884107582a3e92e3f32a38c1082645",
    "satellites/s_order_status": "70ab77f07003d373344c3252a27251b4",
    "satellites/s_order_version": "d7573346e8f331f769b24f1fa6bded1b",
    "satellites/s_product_category": "d12e1fb435015b0e7263409911c88608",
    "satellites/s_product_names": "9d1b2f3205a6fce4383cd4ddd39d05f9",
    "satellites/s_restaurant_names": "5c667288516ec7dc01c4c1d8fb5f92ce",
    "satellites/s_user_names": "aa58deb44893742070f67fa6672bd286",
}


@pytest.mark.parametrize("meant", all_meanings(), ids=lambda meant: meant.name)
def test_definition_means_what_old_warehouses_have_noted(meant: Meaning) -> None:
    words = json.dumps(meant.fields, sort_keys=True)
    found = hashlib.md5(words.encode(), usedforsecurity=False).hexdigest()
    assert found == NOTED[f"{meant.kind}/{meant.name}"]


def test_no_definition_has_gone() -> None:
    assert {f"{meant.kind}/{meant.name}" for meant in all_meanings()} == set(NOTED)
