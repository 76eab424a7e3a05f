"""The checks: what each found last, and on each of the last days."""

from palate.reads import reports
from palate_cockpit.routes import Pages
from palate_cockpit.sessions import Configured, Session

pages = Pages("operations")
# The rows may have the ids of guests.
rows = Pages("persons")


@pages.page("/checks", "checks.html")
def show_checks(conn: Session, settings: Configured) -> reports.Checks:
    """List the checks, those that found rows first."""
    return reports.checked(conn, settings)


@pages.page("/checks/{name:path}", "check.html")
def show_check(
    conn: Session, settings: Configured, name: str, before: int | None = None
) -> reports.CheckHistory:
    """Show one check, and what it found."""
    return reports.check_history(conn, settings, name, before)


@rows.page("/results/{check_result_id}", "check_rows.html")
def show_rows(conn: Session, check_result_id: int) -> reports.CheckRows:
    """Show one result with the rows that broke the rule."""
    return reports.check_rows(conn, check_result_id)
