"""Datasets: folders that say what partners may send."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from palate.definition_files import mapping, valid
from palate.errors import DefinitionError
from palate.files.schema import judge_of
from palate.names import AREAS_FOLDER, RECORDS_FEED

FOLDER = AREAS_FOLDER / "files" / "sources"
_FILE = "dataset.yaml"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    description: Annotated[str, Field(min_length=1)]
    refuse: Literal["file", "record"] = "file"
    max_bytes: Annotated[int, Field(ge=1)] | None = None
    key: Annotated[str, Field(pattern=r"^(/([^~/]|~[01])*)+$")]


@dataclass(frozen=True)
class Dataset:
    """What may be sent: one folder.

    :param refuse: what an invalid record makes invalid: its file, or itself
    :param max_bytes: of a file, where less is allowed than of any
    :param key: the JSON pointer of the business key
    """

    name: str
    description: str
    refuse: Literal["file", "record"]
    max_bytes: int | None
    key: str

    @property
    def feed(self) -> str:
        """Return the feed that numbers its records."""
        return f"{RECORDS_FEED}{self.name}"

    @property
    def schema(self) -> Path:
        """Return the file of its schema."""
        return FOLDER / self.name / "schema.json"


def datasets(folder: Path = FOLDER) -> dict[str, Dataset]:
    """Return all datasets by name.

    :raises DefinitionError: names the file, the field and what to do
    """
    found = {}
    for path in sorted(folder.glob(f"*/{_FILE}")):
        name = path.parent.name
        if not _NAME.fullmatch(name):
            message = (
                f"{path.parent}: a dataset is called by small letters, digits, hyphens "
                "and underscores, at most 63. Rename the folder."
            )
            raise DefinitionError(message)
        fields = valid(path, _File, mapping(path), "Add a dataset")
        found[name] = Dataset(name, **fields.model_dump())
    return found


def check() -> None:
    """Read all datasets, and compile their schemas.

    :raises DefinitionError: names the file, and what is wrong
    """
    for dataset in datasets().values():
        judge_of(dataset.schema)
