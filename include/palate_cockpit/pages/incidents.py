"""Incidents: what is wrong, since when, and whether people were told."""

from palate.reads import reports
from palate_cockpit.routes import Pages
from palate_cockpit.sessions import Session

pages = Pages("operations")


@pages.page("/incidents", "incidents.html")
def show_incidents(conn: Session, before: int | None = None) -> reports.Incidents:
    """Show what is wrong now, and what was."""
    return reports.incidents(conn, before=before)
