"""The files of marts: definitions, and where a shared statement is."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from palate.errors import DefinitionError
from palate.names import SQL_FOLDER

Model = TypeVar("Model", bound=BaseModel)


def read(path: Path, model: type[Model], **further: Any) -> Model:
    """Return a definition, from its YAML file.

    :param further: values that come from elsewhere
    :raises DefinitionError: names the file, the field and what to do
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        return model.model_validate(values | further)
    except (yaml.YAMLError, TypeError) as error:
        message = f"{path}: this is no mapping in YAML: {' '.join(str(error).split())}"
        raise DefinitionError(message) from None
    except ValidationError as error:
        problems = "; ".join(
            ": ".join([*(str(part) for part in item["loc"]), item["msg"]]).replace(
                "Value error, ", ""
            )
            for item in error.errors()
        )
        message = f"{path}: {problems}. See CONTRIBUTING.md for the fields of a mart."
        raise DefinitionError(message) from None


def template(area: str, file: str) -> str:
    """Return the path of a shared statement: the area's own, or that of all areas."""
    own = f"areas/{area}/contributions/{file}.sql"
    return own if (SQL_FOLDER / own).exists() else f"engine/contributions/{file}.sql"
