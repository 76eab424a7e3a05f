"""Definition files: read and checked, each refusal with its file, field and remedy."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from palate.errors import DefinitionError

Model = TypeVar("Model", bound=BaseModel)


def mapping(path: Path) -> dict[str, Any]:
    """Return the fields of a YAML file.

    :raises DefinitionError: if it is no YAML, or no mapping
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"{path}: this is no YAML: {' '.join(str(error).split())}"
        raise DefinitionError(message) from None
    if not isinstance(values, dict):
        message = f"{path}: a definition is a mapping of fields; see CONTRIBUTING.md."
        raise DefinitionError(message)
    return values


def valid(path: Path, model: type[Model], values: dict[str, Any], guide: str) -> Model:
    """Return a definition, from fields of its file and from elsewhere.

    :param guide: the section of CONTRIBUTING.md that has the fields
    :raises DefinitionError: names the file, the field and what to do
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            ": ".join(
                filter(None, [".".join(map(str, item["loc"])), item["msg"]])
            ).replace("Value error, ", "")
            for item in error.errors()
        )
        message = f"{path}: {problems}. See CONTRIBUTING.md, '{guide}'."
        raise DefinitionError(message) from None
