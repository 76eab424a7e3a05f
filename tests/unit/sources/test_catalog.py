"""Areas and sources: a wrong file is named with its field, and stops no other area."""

import re
import shutil
from pathlib import Path

import pytest

from palate.errors import DefinitionError
from palate.settings import load_settings
from palate.sources import catalog
from tests.unit.sources.test_shape import SMALL

REVIEWS = Path(__file__).parents[2] / "areas" / "reviews" / "area"
SOURCE = "sources/reviews/source.yaml"
# (file, text in it, what stands there instead, what is said of it)
WRONG = {
    "no_yaml": ("area.yaml", "rows:", "rows: [", "this is no YAML"),
    "unknown_field": ("area.yaml", "rows:", "row:", "row: Extra inputs"),
    "unknown_stage": (
        *("area.yaml", "rows:", "stages: [drain, voult]\nrows:"),
        "stages.1: Input should be 'drain', 'records', 'vault'",
    ),
    "wrong_prefix": ("area.yaml", "rows:", "prefix: x\nrows:", "prefix: String should"),
    "source_without_topics": (
        *(SOURCE, "topics:\n  review-service_reviews: review", "topics: {}"),
        "a source has topics, or one feed",
    ),
    "topic_that_is_none": (SOURCE, "review-service_reviews", "a/b", "topics.a/b"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_file_is_named_with_its_field(tmp_path: Path, name: str) -> None:
    file, right, wrong, reason = WRONG[name]
    path = Path(shutil.copytree(REVIEWS, tmp_path / "reviews")) / file
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    with pytest.raises(DefinitionError) as found:
        catalog.load_area("reviews", tmp_path)
    assert str(path) in str(found.value)
    assert reason in str(found.value)


def test_area_that_needs_to_be_named_is_off_until_then(tmp_path: Path) -> None:
    reviews = Path(shutil.copytree(REVIEWS, tmp_path / "reviews")) / "area.yaml"
    shutil.copytree(REVIEWS, tmp_path / "town")
    reviews.write_text(f"{reviews.read_text()}\nonly_if_named: true\n")
    assert _on(tmp_path) == ("town",)
    assert _on(tmp_path, palate_areas="reviews, town") == ("reviews", "town")


def _on(folder: Path, **values: str) -> tuple[str, ...]:
    return catalog.names_on(load_settings(dwh_dsn="postgresql:///x", **values), folder)


def test_source_without_its_file_is_refused(tmp_path: Path) -> None:
    shutil.copytree(REVIEWS, tmp_path / "reviews")
    (tmp_path / "reviews" / "sources" / "photos").mkdir()
    with pytest.raises(DefinitionError, match=r"photos: it has no source\.yaml"):
        catalog.load_area("reviews", tmp_path)


@pytest.mark.parametrize(
    ("shape", "has"), [(SMALL, "small"), (None, "none")], ids=["another", "no_shape"]
)
def test_topic_whose_form_has_no_shape_is_refused(
    tmp_path: Path, shape: str | None, has: str
) -> None:
    """Its messages would pass the vault unjudged."""
    folder = tmp_path / "shop" / "sources" / "things"
    folder.mkdir(parents=True)
    about = "description: What a shop sends.\n"
    (tmp_path / "shop" / "area.yaml").write_text(f"{about}asset: s_thing\n")
    (folder / "source.yaml").write_text(f"{about}topics: {{things: thing}}\n")
    if shape:
        (folder / "shape.yaml").write_text(shape)

    message = f"form thing, and shape.yaml beside it has the forms: {has}."
    with pytest.raises(DefinitionError, match=re.escape(message)):
        catalog.load_area("shop", tmp_path)


def test_quiet_topics_are_no_prompt_ones() -> None:
    flights = catalog.load_area("flights")
    settings = load_settings(dwh_dsn="postgresql:///x", flights_topic_prefix="air")
    topics = catalog.topics(settings, flights)
    assert topics["air.bookings.tickets"] == "tickets"
    quiet = topics.keys() - catalog.prompt_topics(settings, flights)
    assert quiet == {"air.bookings.heartbeat"}
