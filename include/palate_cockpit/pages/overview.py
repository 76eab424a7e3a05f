"""The overview, which says whether all is well."""

from palate.reads import overview
from palate_cockpit.routes import Pages
from palate_cockpit.sessions import Configured, Session

pages = Pages("operations")


@pages.page("/", "overview.html")
def show_overview(conn: Session, settings: Configured) -> overview.Overview:
    """Show the state of everything."""
    return overview.overview(conn, settings)


@pages.facts("/line")
def show_line(conn: Session, settings: Configured) -> overview.Line:
    """Give the state in one sentence, for Airflow's home page."""
    return overview.line(conn, settings)
