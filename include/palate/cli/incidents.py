"""The command ``palate incidents``."""

from dataclasses import asdict
from typing import Annotated

import typer

from palate.cli.output import AsJson, exit_on_error, out, print_json, print_table
from palate.database import connect
from palate.reads import reports
from palate.settings import load_settings
from palate.text import escape_controls


def incidents(
    before: Annotated[
        int | None, typer.Option(help="Of what is over, only before this number.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is wrong and what was, who was told when, and lost offsets."""
    with exit_on_error():
        with connect(load_settings()) as conn:
            found = reports.incidents(conn, before=before)
        if as_json:
            print_json(asdict(found))
            return
        for one in found.open:
            told = "alarm not sent"
            if one.told_dt:
                whom = f" to {one.told_to}" if one.told_to else ""
                told = f"alarm sent {one.told_dt:%F %T}{whom}"
            head = f"{one.kind} {one.subject}, since {one.began_dt:%F %T} UTC ({told})"
            out.print(f"{escape_controls(head)}:")
            out.print(f"  {escape_controls(one.message)}")
        if not found.open:
            out.print("Nothing is wrong that an incident was opened for.")
        for gap in found.gaps:
            if gap.command:
                out.print(f"Gone before they were read: {escape_controls(gap.command)}")
        print_table(
            ("over", "what", "about", "began", "ended", "alarm", "all-clear"),
            [
                (
                    str(one.incident_id),
                    one.kind,
                    one.subject,
                    *(
                        f"{at:%F %T}" if at else "not sent"
                        for at in (
                            one.began_dt,
                            one.ended_dt,
                            one.told_dt,
                            one.end_told_dt,
                        )
                    ),
                )
                for one in found.past
            ],
        )
