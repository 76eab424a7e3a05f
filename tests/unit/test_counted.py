import pytest

from palate.counted import counted, duration


def test_one_is_singular_and_nothing_else_is() -> None:
    assert [counted(number, "row") for number in (0, 1, 2)] == [
        "0 rows",
        "1 row",
        "2 rows",
    ]


def test_verb_follows_its_noun() -> None:
    assert counted(1, "row differs", "rows differ") == "1 row differs"
    assert counted(1_200, "row differs", "rows differ") == "1,200 rows differ"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (4.24, "4.2 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3_600, "1 h"),
        (187_200, "2 d 4 h"),
        (None, "unknown"),
    ],
)
def test_duration_is_said_as_a_person_does(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said
