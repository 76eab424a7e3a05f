"""Make the archive that `superset import-dashboards` takes.

`PALATE_BI_DSN=postgresql://bi:<password>@<host>/dwh python -m deploy.superset.archive
palate.zip`. The address may also be in a file that PALATE_BI_DSN_FILE names.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import yaml

BUNDLE = Path(__file__).parent / "bundle"
DATABASE = "databases/Palate.yaml"
_TOP = "palate"  # Superset wants one folder that holds all others
_VARIABLE = "PALATE_BI_DSN"
_SCHEMES = ("postgresql://", "postgres://")


def main() -> int:
    """Write the archive that is named; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.superset.archive")
    parser.add_argument("archive", type=Path)
    path = parser.parse_args().archive
    try:
        write(path, address(os.environ))
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{path} has the login's password: remove it once it is imported.")
    return 0


def address(environment: Mapping[str, str]) -> str:
    """Return the address of the warehouse, as Superset writes it.

    :raises ValueError: if there is none, or it is no URI of PostgreSQL
    :raises OSError: if its file can't be read
    """
    found = environment.get(_VARIABLE)
    if not found and (file := environment.get(f"{_VARIABLE}_FILE")):
        found = Path(file).read_text(encoding="utf-8").strip()
    scheme = next((one for one in _SCHEMES if (found or "").startswith(one)), None)
    if not found or not scheme:
        raise ValueError(
            f"Set {_VARIABLE}, or {_VARIABLE}_FILE, to the address of the warehouse "
            "with a login that only reads: postgresql://bi:<password>@<host>:5432/dwh"
        )
    return f"postgresql+psycopg2://{found.removeprefix(scheme)}"


def write(archive: Path, uri: str) -> None:
    """Write the bundle with the address of its database, for its owner's eyes only.

    :param uri: the address, as SQLAlchemy has it
    """
    archive.unlink(missing_ok=True)
    descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, ZipFile(file, "w", ZIP_DEFLATED) as out:
        for path in sorted(BUNDLE.rglob("*.yaml")):
            name, text = path.relative_to(BUNDLE).as_posix(), path.read_text("utf-8")
            # A string of JSON is one of YAML.
            if name == DATABASE:
                text += f"sqlalchemy_uri: {json.dumps(uri)}\n"
            if name.startswith("charts/"):
                asked = query_context(yaml.safe_load(text)["params"])
                text += f"query_context: {json.dumps(json.dumps(asked))}\n"
            out.writestr(ZipInfo(f"{_TOP}/{name}"), text)


def query_context(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a chart asks, for whoever asks without a browser: API and reports.

    A browser makes its own from ``params``; Superset has no other way to it.
    """
    axis = params["x_axis"]
    column: str | dict[str, Any] = axis
    if grain := params.get("time_grain_sqla"):
        column = {
            "columnType": "BASE_AXIS",
            "expressionType": "SQL",
            "isColumnReference": True,
            "label": axis,
            "sqlExpression": axis,
            "timeGrain": grain,
        }
    return {
        "datasource": {},  # Superset fills it in
        "force": False,
        "form_data": dict(params),
        "queries": [
            {
                "columns": [column],
                "metrics": metrics,
                "orderby": [[metrics[0], False]],
                "row_limit": params["row_limit"],
            }
            for metrics in (params["metrics"], params.get("metrics_b"))
            if metrics
        ],
        "result_format": "json",
        "result_type": "full",
    }


if __name__ == "__main__":
    sys.exit(main())
