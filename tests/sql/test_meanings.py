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
    "hubs/h_company": "948860e4b787f35901c738ea82fe3da9",
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
    "mart/company_years": "68c521bb6edac9c1388a0e2a0230a552",
    "mart/presentation": "fb49779336693ac93d4448a81793da41",
    "mart/user_category_counters": "56212314b3ea5a4738458ffa5441c39e",
    "mart/user_product_counters": "13dba3052f31bbbe9f8b92e1a883bdd1",
    "records/odd_columns": "20987f959d2b6d2b6e0f4ea89db2ac5c",
    "records/snapshot_reads": "792550dd26dd7dda9ce19d1774f5c8a1",
    "records/truncations": "dad47fdc250e70a337b2d6eaa6eadc12",
    "satellites/s_aircraft": "024eec158525500f5401902d2bc94ba5",
    "satellites/s_airport": "629fbf612f459a41e4de097610aba5b2",
    "satellites/s_boarding_pass": "250592e3a6c96313e1e97dc2ef0f1008",
    "satellites/s_booking": "7fd68d3a927ce7ec9ae2474acd1641ea",
    "satellites/s_company": "032f3717fac996f4c3c142944dab06de",
    "satellites/s_flight": "337eb59814a5137b05351b62582da92a",
    "satellites/s_menu_price": "e46e060706ed75b8d440ea529b78659b",
    "satellites/s_order_cost": "d5b12f31dd2a240ce3dc504a0a5565fa",
    "satellites/s_order_item": "fb884107582a3e92e3f32a38c1082645",
    "satellites/s_order_status": "70ab77f07003d373344c3252a27251b4",
    "satellites/s_order_version": "d7573346e8f331f769b24f1fa6bded1b",
    "satellites/s_product_category": "d12e1fb435015b0e7263409911c88608",
    "satellites/s_product_names": "9d1b2f3205a6fce4383cd4ddd39d05f9",
    "satellites/s_restaurant_names": "5c667288516ec7dc01c4c1d8fb5f92ce",
    "satellites/s_seat": "82a070c7761dd7a3571763a5b52f5625",
    "satellites/s_ticket": "83f2636edc98e5f8ea667ec4143d47d1",
    "satellites/s_ticket_flight": "3c2a50f9bf19caa38f4b008c28a450e8",
    "satellites/s_user_names": "aa58deb44893742070f67fa6672bd286",
}


@pytest.mark.parametrize("meant", all_meanings(), ids=lambda meant: meant.name)
def test_definition_means_what_old_warehouses_have_noted(meant: Meaning) -> None:
    words = json.dumps(meant.fields, sort_keys=True)
    found = hashlib.md5(words.encode(), usedforsecurity=False).hexdigest()
    assert found == NOTED[f"{meant.kind}/{meant.name}"]


def test_no_definition_has_gone() -> None:
    assert {f"{meant.kind}/{meant.name}" for meant in all_meanings()} == set(NOTED)
