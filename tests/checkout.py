"""A copy of the program, as somebody deploys it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from palate.names import SQL_FOLDER
from palate.settings import Settings
from tests.warehouses import environment_of


@dataclass(frozen=True)
class Checkout:
    """A copy of the program whose SQL files a test may change."""

    root: Path
    settings: Settings

    @classmethod
    def copied(cls, root: Path, settings: Settings) -> Self:
        """Copy the library and its SQL to a folder."""
        for name in ("include", "sql"):
            shutil.copytree(SQL_FOLDER.parent / name, root / name)
        return cls(root, settings)

    def write(self, file: str, text: str) -> None:
        """Write a file below ``sql/areas/food/dds``."""
        (self.root / "sql" / "areas" / "food" / "dds" / file).write_text(
            text, encoding="utf-8"
        )

    def change(self, file: str, old: str, new: str) -> None:
        """Replace text in a file below ``sql``."""
        path = self.root / "sql" / file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(old, new), encoding="utf-8")

    def palate(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the copy's command."""
        return self.python("from palate.cli.app import app; app()", *arguments)

    def python(self, code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run code that imports the copy."""
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={
                **os.environ,
                **environment_of(self.settings),
                "PYTHONPATH": str(self.root / "include"),
                "COLUMNS": "1000",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def add_mart(self, name: str) -> None:
        """Add a mart that counts what ``user_product_counters`` counts."""
        marts = self.root / "sql" / "areas" / "food" / "cdm"
        shutil.copytree(marts / "user_product_counters", marts / name)
        for path in (marts / name).iterdir():
            self.change(
                f"areas/food/cdm/{name}/{path.name}", "user_product_", f"{name}_"
            )
        self.change(f"areas/food/cdm/{name}/mart.yaml", "tag_kind: product\n", "")
        self.change(
            f"areas/food/cdm/{name}/mart.yaml", "- table: ", f"- table: {name}_"
        )
