from palate.counted import counted


def test_one_is_singular_and_nothing_else_is() -> None:
    assert [counted(number, "row") for number in (0, 1, 2)] == [
        "0 rows",
        "1 row",
        "2 rows",
    ]


def test_verb_follows_its_noun() -> None:
    assert counted(1, "row differs", "rows differ") == "1 row differs"
    assert counted(1_200, "row differs", "rows differ") == "1,200 rows differ"
