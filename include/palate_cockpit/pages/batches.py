"""The batches: what each stage took, and by which run."""

from palate.reads import ledger
from palate_cockpit.routes import Pages
from palate_cockpit.sessions import Session

pages = Pages("operations")


@pages.page("/batches", "batches.html")
def show_batches(
    conn: Session, stage: str | None = None, before: int | None = None
) -> ledger.Batches:
    """List the batches, the newest first."""
    return ledger.batches(conn, stage=stage or None, before=before)
