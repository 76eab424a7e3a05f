"""A dataset's schema: JSON Schema 2020-12 for one record, checked before it is used."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import jsonschema_rs

from palate.errors import DefinitionError

# Of one record so many are kept; no text has more of the file in it.
MOST_PROBLEMS = 20
_MOST_TEXT = 200
_GUIDE = "See CONTRIBUTING.md, 'Add a dataset'."
_DRAFT = "https://json-schema.org/draft/2020-12/schema"

# The keywords of the draft; others would pass without a word.
_OF_SCHEMAS = {
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
}  # fmt: skip
_OF_LISTS = {
    "allOf", "anyOf", "oneOf", "prefixItems",
}  # fmt: skip
_OF_NAMES = {
    "$defs", "dependentSchemas", "patternProperties", "properties",
}  # fmt: skip
_OF_VALUES = {
    "$anchor", "$comment", "$dynamicAnchor", "$dynamicRef", "$id", "$ref", "$schema",
    "$vocabulary", "const", "contentEncoding", "contentMediaType", "default",
    "dependentRequired", "deprecated", "description", "enum", "examples",
    "exclusiveMaximum", "exclusiveMinimum", "format", "maxContains", "maxItems",
    "maxLength", "maxProperties", "maximum", "minContains", "minItems", "minLength",
    "minProperties", "minimum", "multipleOf", "pattern", "readOnly", "required",
    "title", "type", "uniqueItems", "writeOnly",
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """What is wrong with a record.

    :param pointer: where in the record (RFC 6901); empty: the record itself
    :param reason: the keyword of the schema that it breaks
    """

    record: int
    pointer: str
    reason: str
    detail: str


def step(part: str | int) -> str:
    """Return a step of a pointer into a record (RFC 6901): a name, or a place."""
    return "/" + str(part).replace("~", "~0").replace("/", "~1")


class Judge:
    """Judges records by one schema."""

    def __init__(self, path: Path) -> None:
        """Read, check and compile a schema.

        :raises DefinitionError: names the file and what is wrong
        """
        self._path = path
        text = path.read_bytes()
        self.digest = sha256(text).hexdigest()
        try:
            schema = json.loads(text)
        except ValueError as error:
            raise self._error(f"this is no JSON: {error}") from None
        self._check(schema, "")
        try:
            jsonschema_rs.Draft202012Validator({"$ref": _DRAFT}).validate(schema)
            self._validator = jsonschema_rs.Draft202012Validator(
                schema,
                validate_formats=True,
                ignore_unknown_formats=False,
                retriever=_refuse_remote,
                # Its patterns don't backtrack: none is slow, whatever the record.
                pattern_options=jsonschema_rs.RegexOptions(),
            )
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise self._error(str(error).split("\n", maxsplit=1)[0]) from None

    def problems(self, number: int, value: dict[str, Any]) -> Iterator[Problem]:
        """Yield what is wrong with a record.

        :param number: the record's, in its file
        """
        if self._validator.is_valid(value):
            return
        for error in self._validator.iter_errors(value):
            pointer = "".join(map(step, error.instance_path))
            detail = error.message
            if len(detail) > _MOST_TEXT:
                detail = f"{detail[: _MOST_TEXT - 3]}..."
            yield Problem(number, pointer, str(error.kind.name), detail)

    def _check(self, schema: Any, place: str) -> None:
        """Refuse keywords that the draft doesn't know, and references to elsewhere."""
        if isinstance(schema, bool):
            return
        if not isinstance(schema, dict):
            raise self._error(f"{place or '/'}: a schema is an object, or a boolean")
        for keyword, value in schema.items():
            here = f"{place}/{keyword}"
            if keyword in _OF_SCHEMAS:
                self._check(value, here)
            elif keyword in _OF_LISTS and isinstance(value, list):
                for number, one in enumerate(value):
                    self._check(one, f"{here}/{number}")
            elif keyword in _OF_NAMES and isinstance(value, dict):
                for name, one in value.items():
                    self._check(one, f"{here}/{name}")
            elif keyword not in _OF_LISTS | _OF_NAMES | _OF_VALUES:
                raise self._error(f"{here}: there is no keyword {keyword}")
            elif keyword in ("$ref", "$dynamicRef") and not str(value).startswith("#"):
                raise self._error(f"{here}: {value!r} is not in this file")

    def _error(self, what: str) -> DefinitionError:
        return DefinitionError(f"{self._path}: {what}. {_GUIDE}")


@lru_cache(maxsize=64)
def judge_of(path: Path) -> Judge:
    """Return the judge by a schema's file.

    :raises DefinitionError: names the file and what is wrong
    """
    return Judge(path)


def _refuse_remote(uri: str) -> NoReturn:
    raise ValueError(uri)
