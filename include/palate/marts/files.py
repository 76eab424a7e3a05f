"""The files of marts: definitions, and queries."""

from pathlib import Path
from typing import Any, TypeVar

import jinja2
import yaml
from pydantic import BaseModel, ValidationError

from palate.errors import DefinitionError
from palate.names import SQL_FOLDER
from palate.sql import render
from palate.table_set import TableSet

Model = TypeVar("Model", bound=BaseModel)


def mapping(path: Path) -> dict[str, Any]:
    """Return the fields of a YAML file.

    :raises DefinitionError: if it is no mapping
    """
    try:
        return dict(yaml.safe_load(path.read_text(encoding="utf-8")).items())
    except (yaml.YAMLError, AttributeError, UnicodeDecodeError) as error:
        message = f"{path}: this is no mapping in YAML: {' '.join(str(error).split())}"
        raise DefinitionError(message) from None


def valid(path: Path, model: type[Model], values: dict[str, Any]) -> Model:
    """Return a definition, from fields of its file and from elsewhere.

    :raises DefinitionError: names the file, the field and what to do
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            ": ".join([*(str(part) for part in item["loc"]), item["msg"]]).replace(
                "Value error, ", ""
            )
            for item in error.errors()
        )
        message = f"{path}: {problems}. See CONTRIBUTING.md for the fields of a mart."
        raise DefinitionError(message) from None


def query(path: str, tables: TableSet, **values: Any) -> str:
    """Return a query of a mart's own folder.

    :raises DefinitionError: if the file is missing, or is no template
    """
    try:
        return render(path, tables, **values)
    except (jinja2.TemplateNotFound, FileNotFoundError):
        message = f"sql/{path} is not there. See CONTRIBUTING.md, 'Add a mart'."
        raise DefinitionError(message) from None
    except jinja2.TemplateError as error:
        message = f"sql/{path}: {error}. See CONTRIBUTING.md, 'Add a mart'."
        raise DefinitionError(message) from None


def declared(type: str) -> str:
    """Return a type as a table has it: text compares by bytes everywhere."""
    return 'text COLLATE "C"' if type == "text" else type


def template(area: str, file: str) -> str:
    """Return the path of a shared statement: the area's own, or that of all areas."""
    own = f"areas/{area}/contributions/{file}.sql"
    return own if (SQL_FOLDER / own).exists() else f"engine/contributions/{file}.sql"
