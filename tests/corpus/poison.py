"""All cases, by name."""

from tests.corpus import json_text, one_field, shape, versions
from tests.corpus.case import Case

CASES: tuple[Case, ...] = (
    *json_text.cases(),
    *shape.cases(),
    *one_field.cases(),
    *versions.cases(),
)
