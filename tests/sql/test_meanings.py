"""What warehouses were made from stays what it was: their definitions' hashes."""

import hashlib
import json

import pytest

from palate.schema.meanings import all_meanings
from palate.tables.registry import Meaning

# Of each definition as warehouses have noted it. One that differs would be refused by
# `palate migrate` in every warehouse there is: only a new table gets a new line.
NOTED = {
    "hubs/h_aircraft": "1c2f6a2b9f42e31b90aecbb01f6795da",
    "hubs/h_airport": "edd5c971f1b44c0665f17512e4adc69a",
    "hubs/h_booking": "9ac5252a09437b0b81d165b3617817bf",
    "hubs/h_category": "d5519f2e49057700aea8cfc206841437",
    "hubs/h_flight": "5b6785266c9a80437272743ea273b9aa",
    "hubs/h_order": "11ff5e789bc8457d61514308866a9dd0",
    "hubs/h_product": "cb723d95670d22e404ff33763a3e1566",
    "hubs/h_restaurant": "839ff1efcf37963cb74d2891bbb22b59",
    "hubs/h_seat": "a992d6d3dd8b2f9537cabde809549134",
    "hubs/h_ticket": "53e4690c037232d8cff9dbe2329d3acc",
    "hubs/h_user": "31bedc3226fd254245cf192d5bba3046",
    "links/l_flight_aircraft": "839a0722ac5b974efc01c6ed9e4a21bb",
    "links/l_flight_arrival_airport": "c0bb737ee198b100312974c586c3b53a",
    "links/l_flight_departure_airport": "20fa1487dcd58b098faed6b1ac909e8b",
    "links/l_order_product": "8089d5f2864258a9942a19270a796669",
    "links/l_order_restaurant": "065d9c0df28992257d30b7e1e2726491",
    "links/l_order_user": "c897957ade9833ecce276ba273a095e0",
    "links/l_product_category": "3e6a1374f200acafc2ffdb3c18747c25",
    "links/l_product_restaurant": "4503ce196704c6e25c5901a2579c1bfd",
    "links/l_seat_aircraft": "082672362a9c9428bad53bccc64e069f",
    "links/l_ticket_booking": "92463e1383fe7915a5381147fe922b04",
    "links/l_ticket_flight": "a393725c79942d1fefa5e9149a513a20",
    "mart/presentation": "33715e4ba4f03d6b53ee3c6135cb6215",
    "mart/user_category_counters": "56212314b3ea5a4738458ffa5441c39e",
    "mart/user_product_counters": "13dba3052f31bbbe9f8b92e1a883bdd1",
    "records/odd_columns": "20987f959d2b6d2b6e0f4ea89db2ac5c",
    "records/truncations": "1ba3efe7e347763405ec3b5c13e553c3",
    "satellites/s_aircraft": "203d1cc699a65f7c6f14c20b88d3b6d7",
    "satellites/s_airport": "26a02301f058ccd81c0253e32c8e10a6",
    "satellites/s_boarding_pass": "a0f674496e9c8306900c089657c3148e",
    "satellites/s_booking": "657bd5c0c68a277ec342f6e99a496264",
    "satellites/s_flight": "33481d478045ab25e31be060ed3d90e9",
    "satellites/s_menu_price": "e46e060706ed75b8d440ea529b78659b",
    "satellites/s_order_cost": "d5b12f31dd2a240ce3dc504a0a5565fa",
    "satellites/s_order_item": "fb884107582a3e92e3f32a38c1082645",
    "satellites/s_order_status": "70ab77f07003d373344c3252a27251b4",
    "satellites/s_order_version": "d7573346e8f331f769b24f1fa6bded1b",
    "satellites/s_product_category": "d12e1fb435015b0e7263409911c88608",
    "satellites/s_product_names": "9d1b2f3205a6fce4383cd4ddd39d05f9",
    "satellites/s_restaurant_names": "5c667288516ec7dc01c4c1d8fb5f92ce",
    "satellites/s_seat": "5971b4365f307d22b4e2cd9e10e92bd4",
    "satellites/s_ticket": "317eb7f4e96d43d5f7d238f1b51199c0",
    "satellites/s_ticket_flight": "8dce98b2babd36cacb1d3b6b41b70380",
    "satellites/s_user_names": "aa58deb44893742070f67fa6672bd286",
}


@pytest.mark.parametrize("meant", all_meanings(), ids=lambda meant: meant.name)
def test_definition_means_what_old_warehouses_have_noted(meant: Meaning) -> None:
    words = json.dumps(meant.fields, sort_keys=True)
    found = hashlib.md5(words.encode(), usedforsecurity=False).hexdigest()
    assert found == NOTED[f"{meant.kind}/{meant.name}"]


def test_no_definition_has_gone() -> None:
    assert {f"{meant.kind}/{meant.name}" for meant in all_meanings()} == set(NOTED)
