"""Reloads, backfills and rebuilds: how far they are, and what they found."""

from palate.reads import reports
from palate_cockpit.routes import Pages
from palate_cockpit.sessions import Configured, Session

pages = Pages("operations")
# The rows may have the ids of guests.
rows = Pages("persons")


@pages.page("/reloads", "reloads.html")
def show_reloads(
    conn: Session,
    settings: Configured,
    backfills: bool = False,
    before: int | None = None,
) -> reports.Reloads:
    """List the reloads or the backfills, the newest first."""
    return reports.reloads(conn, settings, backfills=backfills, before=before)


@pages.page("/reloads/{reload_id}", "reload.html")
def show_reload(conn: Session, reload_id: int) -> reports.ReloadSeen:
    """Show one of them, layer by layer."""
    return reports.reload(conn, reload_id)


@rows.page("/reloads/{reload_id}/rows", "found_rows.html")
def show_reload_rows(conn: Session, reload_id: int) -> reports.FoundRows:
    """Show rows that it corrected, or that differ."""
    return reports.reload_rows(conn, reload_id)


@pages.page("/rebuilds", "rebuilds.html")
def show_rebuilds(conn: Session, before: int | None = None) -> reports.Rebuilds:
    """List the rebuilds, the newest first."""
    return reports.rebuilds(conn, before=before)


@pages.page("/rebuilds/{rebuild_id}", "rebuild.html")
def show_rebuild(conn: Session, rebuild_id: int) -> reports.RebuildSeen:
    """Show one of them, table by table."""
    return reports.rebuild(conn, rebuild_id)


@rows.page("/rebuilds/{rebuild_id}/rows", "found_rows.html")
def show_rebuild_rows(conn: Session, rebuild_id: int) -> reports.FoundRows:
    """Show the keys of rows that differ."""
    return reports.rebuild_rows(conn, rebuild_id)
