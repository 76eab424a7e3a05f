"""The batches: what each stage took, and by which run."""

from typing import Literal

from palate.reads import ledger
from palate_cockpit.routes import Pages
from palate_cockpit.sessions import Session

pages = Pages("operations")


@pages.page("/batches", "batches.html")
def show_batches(
    conn: Session,
    stage: str = "",
    area: str = "",
    dag_id: str = "",
    again: Literal["", "yes", "no"] = "",
    before: int | None = None,
) -> ledger.Batches:
    """List the batches, the newest first."""
    wanted = ledger.Filter(
        stage=stage or None,
        area=area or None,
        dag_id=dag_id or None,
        again={"yes": True, "no": False}.get(again),
    )
    return ledger.batches(conn, wanted, before=before)
