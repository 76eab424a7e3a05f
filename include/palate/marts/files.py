"""The SQL files of marts."""

from typing import Any

import jinja2

from palate.errors import DefinitionError
from palate.names import SQL_FOLDER
from palate.sql import render
from palate.table_set import TableSet


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
    is_text = type == "text" or type.startswith("varchar")
    return f'{type} COLLATE "C"' if is_text else type


def template(area: str, file: str) -> str:
    """Return the path of a shared statement: the area's own, or that of all areas."""
    own = f"areas/{area}/contributions/{file}.sql"
    return own if (SQL_FOLDER / own).exists() else f"engine/contributions/{file}.sql"
